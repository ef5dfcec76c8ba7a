/*
 * Event counters: see eventfd.h.
 */
#include <linux/eventpoll.h>

#include "kernel/fs/eventfd.h"
#include "kernel/mem/object.h"

#define COUNT_MAX (UINT64_MAX - 1)

/* Fields: [L] lock  [I] immutable  [a] atomic */
struct eventfd {
	uint32_t refs; /* [a] the file's, and others' */
	struct spinlock lock;
	uint64_t count;	   /* [L, a] */
	bool is_semaphore; /* [I] */
	struct waitq ready;
};

static struct object_cache eventfd_cache = OBJECT_CACHE("eventfd", struct eventfd);

/* Takes the counter, or one of it. False: it is 0. */
static bool try_take(struct eventfd *eventfd, uint64_t *out)
{
	uint64_t flags = spin_lock_irqsave(&eventfd->lock), taken;

	taken = eventfd->is_semaphore && eventfd->count ? 1 : eventfd->count;
	eventfd->count -= taken;
	spin_unlock_irqrestore(&eventfd->lock, flags);
	if (!taken)
		return false;
	*out = taken;
	waitq_wake_for(&eventfd->ready, EPOLLOUT);
	return true;
}

bool eventfd_signal(struct eventfd *eventfd, uint64_t count)
{
	uint64_t flags = spin_lock_irqsave(&eventfd->lock);
	bool fits = count <= COUNT_MAX - eventfd->count;

	if (fits)
		eventfd->count += count;
	spin_unlock_irqrestore(&eventfd->lock, flags);
	if (fits) /* at every write: edge-triggered sets rely on it */
		waitq_wake_for(&eventfd->ready, EPOLLIN);
	return fits;
}

static int64_t eventfd_read(struct file *file, struct uio *uio)
{
	struct eventfd *eventfd = file->data;
	uint64_t value = 0;
	int err;

	if (uio->left < sizeof(value))
		return -EINVAL;
	err = file_wait(file, &eventfd->ready, try_take(eventfd, &value));
	return err ? err : uio_put(uio, &value, sizeof(value));
}

static int64_t eventfd_write(struct file *file, struct uio *uio)
{
	struct eventfd *eventfd = file->data;
	uint64_t value;
	int err;

	if (uio->left < sizeof(value))
		return -EINVAL;
	if (uio_take(uio, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value > COUNT_MAX)
		return -EINVAL;
	err = file_wait(file, &eventfd->ready, eventfd_signal(eventfd, value));
	return err ? err : (int64_t)sizeof(value);
}

static uint32_t eventfd_poll(struct file *file)
{
	struct eventfd *eventfd = file->data;
	uint64_t count = __atomic_load_n(&eventfd->count, __ATOMIC_ACQUIRE);

	return (count ? EPOLLIN : 0u) | (count < COUNT_MAX ? EPOLLOUT : 0u);
}

void eventfd_put(struct eventfd *eventfd)
{
	if (!__atomic_sub_fetch(&eventfd->refs, 1, __ATOMIC_ACQ_REL))
		object_free(&eventfd_cache, eventfd);
}

static void eventfd_release(struct file *file)
{
	struct eventfd *eventfd = file->data;

	waitq_wake_for(&eventfd->ready, EPOLLHUP);
	eventfd_put(eventfd);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
};

struct file *eventfd_create(uint32_t count, uint32_t flags)
{
	struct eventfd *eventfd = object_alloc(&eventfd_cache);
	struct file *file;

	if (!eventfd)
		return NULL;
	eventfd->refs = 1;
	eventfd->count = count;
	eventfd->is_semaphore = flags & EFD_SEMAPHORE;
	waitq_init(&eventfd->ready);
	file = file_create(&eventfd_ops, eventfd, &eventfd->ready, O_RDWR | (flags & O_NONBLOCK));
	if (!file)
		object_free(&eventfd_cache, eventfd);
	return file;
}

int eventfd_get(struct fdtable *fds, uint64_t fd, struct eventfd **out)
{
	struct file *file = fd_get(fds, fd);
	int err = -EINVAL;

	if (!file)
		return -EBADF;
	if (file->ops == &eventfd_ops) {
		*out = file->data;
		__atomic_fetch_add(&(*out)->refs, 1, __ATOMIC_RELAXED);
		err = 0;
	}
	file_put(file);
	return err;
}

struct waitq *eventfd_ready(struct eventfd *eventfd)
{
	return &eventfd->ready;
}

uint64_t eventfd_take(struct eventfd *eventfd)
{
	uint64_t flags = spin_lock_irqsave(&eventfd->lock), count = eventfd->count;

	eventfd->count = 0;
	spin_unlock_irqrestore(&eventfd->lock, flags);
	return count;
}
