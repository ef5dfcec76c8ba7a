/*
 * A virtio device without its transport: status, features, queues and the thread that serves them.
 *
 * A kind of device is one `struct virtio_dev_ops` and one row in virtio/devices.c. Its struct embeds
 * `struct virtio_dev`. The life of one:
 *
 *   create -> [driver negotiates] -> start -> kick ... kick -> reset -> [driver negotiates] -> ... -> destroy
 *
 *   - start, reset and config_write run with vm->lock held and the worker parked.
 *   - kick runs on the device's worker: the driver notified @queue, or there may be something left in it.
 *     It must look at worker_should_yield() between requests and must not take vm->lock.
 *   - What a driver does wrong ends in virtio_dev_fail(): the device stops serving and says
 *     DEVICE_NEEDS_RESET until the driver resets it.
 *
 * Source: virtio 1.2, chapters 2 "Basic Facilities of a Virtio Device" and 3 "General Initialization".
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/errmsg.h"
#include "vmm/virtio/virtq.h"
#include "vmm/worker.h"

enum {
	VIRTIO_QUEUE_MAX = 8,
	VIRTIO_COUNTER_MAX = 10,
};

struct virtio_dev;

struct virtio_dev_ops {
	const char *name;    /* "blk": in logs, statistics, thread names       */
	uint16_t device_id;  /* virtio 1.2, 5 "Device Types"                   */
	uint16_t nr_queues;  /* at most VIRTIO_QUEUE_MAX                       */
	uint16_t queue_size; /* the most entries; a power of two               */
	uint16_t nr_vectors; /* MSI-X vectors for them all; drivers let queues share */
	uint32_t class_code; /* of the PCI function                            */
	uint64_t features;   /* offered by each instance; the core adds its own */
	const char *counters[VIRTIO_COUNTER_MAX + 1]; /* names, NULL-terminated */

	int (*start)(struct virtio_dev *dev); /* may be NULL */
	void (*kick)(struct virtio_dev *dev, uint16_t queue);
	void (*reset)(struct virtio_dev *dev); /* idempotent; may be NULL */
	void (*config_write)(struct virtio_dev *dev, uint32_t offset, const void *bytes,
			     uint32_t size);	 /* may be NULL: read-only */
	void (*destroy)(struct virtio_dev *dev); /* frees the device itself */
};

/* What the transport does for the device. Any thread, unless said otherwise. */
struct virtio_transport_ops {
	void (*queue_interrupt)(void *transport, const struct virtq *vq);
	void (*config_interrupt)(void *transport);
	/* The device has been reset: forget what it has signalled. Context: as virtio_dev_reset(). */
	void (*reset)(void *transport);
};

/* What the guest can see or set; saved with the VM, with the queues' states and the device's own. */
struct virtio_dev_state {
	uint64_t driver_features;
	uint8_t status; /* [a]: the worker adds NEEDS_RESET */
	uint8_t config_generation;
	uint8_t reserved[6];
};

/* A queue's eventfd: the driver's notifications arrive here. */
struct virtio_kick {
	struct loop_source source;
	struct virtio_dev *dev;
	uint16_t queue;
};

/* Fields: [L] vm->lock  [W] the worker, or whoever parked it  [I] immutable after creation  [a] atomic */
struct virtio_dev {
	struct virtio_dev_state state;
	const struct virtio_dev_ops *ops;  /* [I] */
	const char *id;			   /* [I] borrowed: "disk0" */
	const struct guest_memory *memory; /* [I] borrowed */
	uint64_t offered;		   /* [I] all features offered */
	const void *config;		   /* [I] device-specific configuration; borrowed */
	uint32_t config_bytes;		   /* [I] */
	uint16_t nr_queues;		   /* [I] */
	bool is_live;			   /* [L] between DRIVER_OK and reset: the worker runs */
	struct virtq queues[VIRTIO_QUEUE_MAX];	    /* [L] until live, then [W] */
	struct virtio_kick kicks[VIRTIO_QUEUE_MAX]; /* [I] */
	struct worker worker;
	struct virtq_chain chain;	       /* [W] the request being served */
	uint64_t counters[VIRTIO_COUNTER_MAX]; /* [a] */
	const struct virtio_transport_ops *transport_ops;
	void *transport;
};

/**
 * virtio_dev_init() - the part of creation that all kinds share
 * @instance_features: offered besides ops->features
 *
 * Starts the worker, parked. Undone by virtio_dev_fini(), first thing in ops->destroy.
 * Returns 0 or -errno.
 */
MUST_CHECK int virtio_dev_init(struct virtio_dev *dev, const struct virtio_dev_ops *ops,
			       const char *id, const struct guest_memory *memory,
			       uint64_t instance_features, struct errmsg *why);
void virtio_dev_fini(struct virtio_dev *dev);

/* The driver's side of the registers, for the transport. Context: the holder of vm->lock. */
uint8_t virtio_dev_status(const struct virtio_dev *dev);
void virtio_dev_set_status(struct virtio_dev *dev, uint8_t status);
void virtio_dev_reset(struct virtio_dev *dev);
void virtio_dev_enable_queue(struct virtio_dev *dev, uint16_t queue);
/* A notification that did not come through the queue's eventfd. */
void virtio_dev_notify(struct virtio_dev *dev, uint16_t queue);

/* For what stops and goes on: no request is touched in between. Context: the main thread, or a holder of vm->lock. */
void virtio_dev_pause(struct virtio_dev *dev);
void virtio_dev_resume(struct virtio_dev *dev);

static inline bool virtio_dev_has(const struct virtio_dev *dev, uint32_t feature)
{
	return dev->state.driver_features >> feature & 1;
}

/* For the kinds, on the worker. */
void virtio_dev_fail(struct virtio_dev *dev, const char *reason);
bool virtio_dev_is_failed(const struct virtio_dev *dev);
void virtio_dev_interrupt(struct virtio_dev *dev, uint16_t queue);

/**
 * virtio_dev_serve() - work a request queue off, one request after the other
 * @handle: fills @written and returns 0; or returns -errno, and the device fails with its reason
 */
void virtio_dev_serve(struct virtio_dev *dev, uint16_t queue,
		      int (*handle)(struct virtio_dev *dev, struct virtq_chain *chain,
				    uint32_t *written));

static inline void virtio_dev_count(struct virtio_dev *dev, uint32_t counter, uint64_t by)
{
	/* One writer at a time: a plain add that readers see whole. */
	__atomic_store_n(&dev->counters[counter], dev->counters[counter] + by, __ATOMIC_RELAXED);
}
