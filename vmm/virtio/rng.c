/*
 * virtio-rng: see rng.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "vmm/virtio/rng.h"

enum counter { REQUESTS, BYTES };

enum {
	CLASS_OTHER = 0xff0000,
	/* More than any driver asks for at once; less than would keep the worker from being parked. */
	BYTES_PER_REQUEST_MAX = 64 * 1024,
	GETRANDOM_BYTES_MAX = 256, /* up to here getrandom() is never short */
};

static int rng_handle(struct virtio_dev *dev, struct virtq_chain *chain, uint32_t *written)
{
	uint64_t wanted = min_u64(iov_bytes(&chain->in), BYTES_PER_REQUEST_MAX);
	uint8_t bytes[GETRANDOM_BYTES_MAX];

	while (*written < wanted) {
		size_t step = min_u64(wanted - *written, sizeof(bytes));

		if (getrandom(bytes, step, 0) != (ssize_t)step)
			return -EIO;
		*written += (uint32_t)iov_put_front(&chain->in, bytes, step);
	}
	virtio_dev_count(dev, REQUESTS, 1);
	virtio_dev_count(dev, BYTES, *written);
	return 0;
}

static void rng_kick(struct virtio_dev *dev, uint16_t queue)
{
	virtio_dev_serve(dev, queue, rng_handle);
}

static void rng_destroy(struct virtio_dev *dev)
{
	virtio_dev_fini(dev);
	free(dev);
}

const struct virtio_dev_ops virtio_rng_ops = {
	.name = "rng",
	.device_id = VIRTIO_ID_RNG,
	.nr_queues = 1,
	.queue_size = 64,
	.nr_vectors = 1,
	.class_code = CLASS_OTHER,
	.counters = { [REQUESTS] = "requests", [BYTES] = "bytes" },
	.kick = rng_kick,
	.destroy = rng_destroy,
};

int virtio_rng_create(const char *id, const struct guest_memory *memory, struct virtio_dev **out,
		      struct errmsg *why)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	int err;

	if (!dev)
		return errmsg_system(why, -ENOMEM, "%s: out of memory", id);
	err = virtio_dev_init(dev, &virtio_rng_ops, id, memory, 0, why);
	if (err) {
		free(dev);
		return err;
	}
	*out = dev;
	return 0;
}
