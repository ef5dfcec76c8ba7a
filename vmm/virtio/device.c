/*
 * A virtio device without its transport: see device.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/virtio/device.h"

static const uint64_t CORE_FEATURES = UINT64_C(1) << VIRTIO_F_VERSION_1 |
				      UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC |
				      UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX;

uint8_t virtio_dev_status(const struct virtio_dev *dev)
{
	return __atomic_load_n(&dev->state.status, __ATOMIC_RELAXED);
}

static void status_set(struct virtio_dev *dev, uint8_t bits)
{
	__atomic_fetch_or(&dev->state.status, bits, __ATOMIC_RELAXED);
}

bool virtio_dev_is_failed(const struct virtio_dev *dev)
{
	return virtio_dev_status(dev) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* Edge-triggered: each write to the eventfd is one call, and nobody has to read the count back. */
static void kick_ready(void *context, uint32_t events UNUSED)
{
	struct virtio_kick *kick = context;

	if (!virtio_dev_is_failed(kick->dev))
		kick->dev->ops->kick(kick->dev, kick->queue);
}

static int kick_create(struct virtio_dev *dev, uint16_t queue)
{
	struct virtio_kick *kick = &dev->kicks[queue];
	int err;

	*kick = (struct virtio_kick){
		.source = { .ready = kick_ready, .context = kick },
		.dev = dev,
		.queue = queue,
	};
	kick->source.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (kick->source.fd < 0)
		return -errno;
	err = loop_add(&dev->worker.loop, &kick->source, EPOLLIN | EPOLLET);
	if (err)
		close(kick->source.fd);
	return err;
}

int virtio_dev_init(struct virtio_dev *dev, const struct virtio_dev_ops *ops, const char *id,
		    const struct guest_memory *memory, uint64_t instance_features,
		    struct errmsg *why)
{
	uint16_t queue;
	int err;

	dev->ops = ops;
	dev->id = id;
	dev->memory = memory;
	dev->offered = CORE_FEATURES | ops->features | instance_features;
	dev->nr_queues = ops->nr_queues;
	err = worker_create(&dev->worker, id);
	if (err)
		goto err_report;
	for (queue = 0; queue < dev->nr_queues; queue++) {
		virtq_init(&dev->queues[queue], memory, ops->queue_size);
		err = kick_create(dev, queue);
		if (err)
			goto err_kicks;
	}
	return 0;

err_kicks:
	worker_destroy(&dev->worker);
	while (queue--)
		close(dev->kicks[queue].source.fd);
err_report:
	return errmsg_system(why, err, "%s: cannot start its thread: %s", id, strerror(-err));
}

void virtio_dev_fini(struct virtio_dev *dev)
{
	worker_destroy(&dev->worker);
	for (uint16_t queue = 0; queue < dev->nr_queues; queue++)
		close(dev->kicks[queue].source.fd);
}

void virtio_dev_notify(struct virtio_dev *dev, uint16_t queue)
{
	uint64_t one = 1;

	if (queue >= dev->nr_queues)
		return;
	if (write(dev->kicks[queue].source.fd, &one, sizeof(one)) < 0)
		return; /* a full counter is a kick already under way */
}

static void notify_all(struct virtio_dev *dev)
{
	for (uint16_t queue = 0; queue < dev->nr_queues; queue++)
		virtio_dev_notify(dev, queue);
}

/* The driver has chosen: a subset of what is offered, and no legacy. */
static bool features_are_acceptable(const struct virtio_dev *dev)
{
	return !(dev->state.driver_features & ~dev->offered) &&
	       virtio_dev_has(dev, VIRTIO_F_VERSION_1);
}

static void driver_ok(struct virtio_dev *dev)
{
	int err = dev->ops->start ? dev->ops->start(dev) : 0;

	if (err) {
		virtio_dev_fail(dev, strerror(-err));
		return;
	}
	dev->is_live = true;
	worker_unpark(&dev->worker);
	/* Buffers may have been made available before anyone listened. */
	notify_all(dev);
}

/* Bits are only ever added, except that 0 resets. */
void virtio_dev_set_status(struct virtio_dev *dev, uint8_t status)
{
	uint8_t added = (uint8_t)(status & ~virtio_dev_status(dev) & ~VIRTIO_CONFIG_S_NEEDS_RESET);

	if (!status) {
		virtio_dev_reset(dev);
		return;
	}
	if ((added & VIRTIO_CONFIG_S_FEATURES_OK) && !features_are_acceptable(dev))
		added &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	if ((added & VIRTIO_CONFIG_S_DRIVER_OK) &&
	    !((virtio_dev_status(dev) | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	status_set(dev, added);
	if (added & VIRTIO_CONFIG_S_DRIVER_OK)
		driver_ok(dev);
}

void virtio_dev_reset(struct virtio_dev *dev)
{
	if (dev->is_live) {
		worker_park(&dev->worker);
		dev->is_live = false;
	}
	if (dev->ops->reset)
		dev->ops->reset(dev);
	for (uint16_t queue = 0; queue < dev->nr_queues; queue++)
		virtq_reset(&dev->queues[queue]);
	dev->state = (struct virtio_dev_state){ 0 };
	dev->transport_ops->reset(dev->transport);
}

void virtio_dev_enable_queue(struct virtio_dev *dev, uint16_t queue)
{
	bool has_event_idx = virtio_dev_has(dev, VIRTIO_RING_F_EVENT_IDX);

	if (dev->is_live || dev->queues[queue].state.is_enabled)
		return;
	if (virtq_enable(&dev->queues[queue], has_event_idx))
		virtio_dev_fail(dev, "a queue's size or rings are out of bounds");
}

void virtio_dev_pause(struct virtio_dev *dev)
{
	worker_park(&dev->worker);
}

void virtio_dev_resume(struct virtio_dev *dev)
{
	worker_unpark(&dev->worker);
	/* A kick that came while it yielded has been used up. */
	if (dev->is_live)
		notify_all(dev);
}

void virtio_dev_fail(struct virtio_dev *dev, const char *reason)
{
	static struct log_limit limit;

	log_limited(&limit, "%s: needs a reset: %s", dev->id, reason);
	status_set(dev, VIRTIO_CONFIG_S_NEEDS_RESET);
	if (virtio_dev_status(dev) & VIRTIO_CONFIG_S_DRIVER_OK)
		dev->transport_ops->config_interrupt(dev->transport);
}

void virtio_dev_interrupt(struct virtio_dev *dev, uint16_t queue)
{
	struct virtq *vq = &dev->queues[queue];

	if (virtq_wants_interrupt(vq))
		dev->transport_ops->queue_interrupt(dev->transport, vq);
}

/* Serves until the queue is empty. Returns 0, or -errno where the device must fail. */
static int serve_available(struct virtio_dev *dev, uint16_t queue,
			   int (*handle)(struct virtio_dev *dev, struct virtq_chain *chain,
					 uint32_t *written))
{
	struct virtq *vq = &dev->queues[queue];
	uint32_t written;
	int got;

	while (!worker_should_yield(&dev->worker)) {
		got = virtq_pop(vq, &dev->chain);
		if (got <= 0)
			return got;
		written = 0;
		got = handle(dev, &dev->chain, &written);
		if (got)
			return got;
		virtq_push(vq, dev->chain.head, written);
		virtio_dev_interrupt(dev, queue);
	}
	return 0;
}

void virtio_dev_serve(struct virtio_dev *dev, uint16_t queue,
		      int (*handle)(struct virtio_dev *dev, struct virtq_chain *chain,
				    uint32_t *written))
{
	struct virtq *vq = &dev->queues[queue];

	do {
		virtq_disarm(vq);
		if (serve_available(dev, queue, handle)) {
			virtio_dev_fail(dev, "its driver broke the virtqueue or request format");
			return;
		}
	} while (!worker_should_yield(&dev->worker) && virtq_rearm(vq, 0));
}
