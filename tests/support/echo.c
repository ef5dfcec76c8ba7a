/*
 * A virtio device for tests: see echo.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/echo.h"

enum { ECHO_DEVICE_ID = 42, ECHO_CLASS = 0xff0000 };

static struct echo *to_echo(struct virtio_dev *dev)
{
	return container_of(dev, struct echo, dev);
}

static int start(struct virtio_dev *dev)
{
	to_echo(dev)->starts++;
	return to_echo(dev)->start_result;
}

static void reset(struct virtio_dev *dev)
{
	to_echo(dev)->resets++;
}

static int handle(struct virtio_dev *dev, struct virtq_chain *chain, uint32_t *written)
{
	struct echo *echo = to_echo(dev);
	char bytes[256];
	size_t got = iov_take_front(&chain->out, bytes, sizeof(bytes));

	if (!got)
		return -EPROTO;
	if (echo->is_slow) {
		sem_post(&echo->has_begun);
		while (sem_wait(&echo->go_on) && errno == EINTR)
			;
	}
	*written = (uint32_t)iov_put_front(&chain->in, bytes, got);
	virtio_dev_count(dev, ECHO_REQUESTS, 1);
	return 0;
}

static void kick(struct virtio_dev *dev, uint16_t queue)
{
	virtio_dev_serve(dev, queue, handle);
}

static void config_write(struct virtio_dev *dev, uint32_t offset, const void *bytes, uint32_t size)
{
	memcpy(to_echo(dev)->config + offset, bytes, size);
}

static void destroy(struct virtio_dev *dev)
{
	struct echo *echo = to_echo(dev);

	virtio_dev_fini(dev);
	sem_destroy(&echo->has_begun);
	sem_destroy(&echo->go_on);
	free(echo);
}

static const struct virtio_dev_ops echo_ops = {
	.name = "echo",
	.device_id = ECHO_DEVICE_ID,
	.nr_queues = ECHO_QUEUES,
	.queue_size = VIRTQ_SIZE_MAX,
	.nr_vectors = ECHO_QUEUES,
	.class_code = ECHO_CLASS,
	.features = UINT64_C(1) << ECHO_FEATURE,
	.counters = { [ECHO_REQUESTS] = "requests" },
	.start = start,
	.kick = kick,
	.reset = reset,
	.config_write = config_write,
	.destroy = destroy,
};

struct echo *echo_create(const char *id, const struct guest_memory *memory)
{
	struct echo *echo = calloc(1, sizeof(*echo));
	struct errmsg why = { 0 };
	int err;

	assert(echo);
	sem_init(&echo->has_begun, 0, 0);
	sem_init(&echo->go_on, 0, 0);
	echo->dev.config = echo->config;
	echo->dev.config_bytes = sizeof(echo->config);
	err = virtio_dev_init(&echo->dev, &echo_ops, id, memory, 0, &why);
	assert(!err);
	return echo;
}
