/*
 * One split virtqueue, the device's side. (virtio 1.2, 2.7 "Split Virtqueues".)
 *
 *   1. virtq_enable() checks where the driver put the rings; virtq_reset() forgets them.
 *   2. virtq_pop() takes the next chain; every chain popped is given back once by virtq_push(), or all of
 *      the last N popped are returned unseen by virtq_unpop().
 *   3. After pushing, virtq_wants_interrupt() says whether the driver wants to hear of it.
 *   4. Before sleeping, virtq_rearm() asks for kicks; if it returns true, there is more: pop again. virtq_disarm()
 *      says that none are needed meanwhile.
 *
 * The rings lie in guest memory and are hostile: each field is read once and its copy checked. What breaks
 * the specification makes virtq_pop() return -EPROTO; the queue then stays broken until its reset.
 *
 * Context: one thread at a time: the device's worker, or whoever has parked it.
 */
#pragma once

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/iov.h"
#include "vmm/memory.h"

enum {
	VIRTQ_SIZE_MAX = 512,
	VIRTQ_CHAIN_MAX = VIRTQ_SIZE_MAX, /* "longer than the Queue Size" is forbidden to drivers */
};

/* What the guest can see or set; saved with the VM. */
struct virtq_state {
	uint64_t desc, avail, used; /* guest-physical */
	uint16_t size;		    /* entries; a power of two */
	uint16_t msix_vector;
	uint16_t next_avail;	 /* free-running: the next available entry to take */
	uint16_t next_used;	 /* free-running: the next used entry to fill */
	uint16_t signalled_used; /* next_used when the driver was last considered */
	uint8_t is_enabled;
	uint8_t has_event_idx;
	uint8_t is_broken;
	uint8_t reserved[7];
};

struct virtq {
	struct virtq_state state;
	const struct guest_memory *memory; /* borrowed */
	uint16_t size_max;
	/* Where the rings are mapped, while enabled: */
	const struct vring_desc *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
};

struct virtq_chain {
	uint16_t head;
	struct iov_list out; /* driver to device: read these   */
	struct iov_list in;  /* device to driver: write these  */
	struct iovec iov[VIRTQ_CHAIN_MAX];
};

void virtq_init(struct virtq *vq, const struct guest_memory *memory, uint16_t size_max);
void virtq_reset(struct virtq *vq);

/* Returns 0, or -EINVAL: a size that isn't a power of two within the maximum, rings misaligned or not in RAM. */
MUST_CHECK int virtq_enable(struct virtq *vq, bool has_event_idx);

/* Returns 1 and fills @chain; 0 when nothing is available; -EPROTO when the driver broke the rules. */
MUST_CHECK int virtq_pop(struct virtq *vq, struct virtq_chain *chain);
void virtq_unpop(struct virtq *vq, uint16_t count);

/* @written: how many bytes of the chain's in-buffers hold data. */
void virtq_push(struct virtq *vq, uint16_t head, uint32_t written);

/*
 * The same in two steps, for a device that fills several chains which the driver must see at once:
 * virtq_fill() writes the @nth used element from now, virtq_publish() makes @count of them visible.
 */
void virtq_fill(struct virtq *vq, uint16_t nth, uint16_t head, uint32_t written);
void virtq_publish(struct virtq *vq, uint16_t count);

bool virtq_wants_interrupt(struct virtq *vq);

void virtq_disarm(struct virtq *vq);
/* Ask for a kick when more than the next @nr_seen chains are available. Returns whether they are already. */
MUST_CHECK bool virtq_rearm(struct virtq *vq, uint32_t nr_seen);
