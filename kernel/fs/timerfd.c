/*
 * Timers as files: see timerfd.h.
 */
#include <asm/fcntl.h>
#include <linux/eventpoll.h>

#include "kernel/cpu/clock.h"
#include "kernel/fs/timerfd.h"
#include "kernel/mem/object.h"
#include "kernel/sched/timer.h"

/* Fields: [S] setting_lock, which is held while the timer is stopped  [L] lock  [I] immutable */
struct timerfd {
	struct mutex setting_lock;
	struct spinlock lock;
	struct timer timer;
	uint64_t next_ns;     /* [L] 0: it is not armed */
	uint64_t interval_ns; /* [L] */
	uint64_t expirations; /* [L, a] not yet read */
	uint32_t clock;	      /* [I] */
	struct waitq ready;
};

static struct object_cache timerfd_cache = OBJECT_CACHE("timerfd", struct timerfd);

/* Counts every interval that has passed, however late this is. */
static void expired(struct timer *timer)
{
	struct timerfd *timerfd = container_of(timer, struct timerfd, timer);
	uint64_t flags = spin_lock_irqsave(&timerfd->lock), count = 1, now = clock_ns(), next = 0;

	if (timerfd->interval_ns) {
		if (now > timerfd->next_ns)
			count += (now - timerfd->next_ns) / timerfd->interval_ns;
		next = timerfd->next_ns + count * timerfd->interval_ns;
	}
	timerfd->next_ns = next;
	timerfd->expirations += count;
	spin_unlock_irqrestore(&timerfd->lock, flags);
	if (next)
		timer_arm(timer, next);
	waitq_wake_for(&timerfd->ready, EPOLLIN);
}

static bool try_take(struct timerfd *timerfd, uint64_t *out)
{
	uint64_t flags = spin_lock_irqsave(&timerfd->lock);

	*out = timerfd->expirations;
	timerfd->expirations = 0;
	spin_unlock_irqrestore(&timerfd->lock, flags);
	return *out;
}

static int64_t timerfd_read(struct file *file, struct uio *uio)
{
	struct timerfd *timerfd = file->data;
	uint64_t count = 0;
	int err;

	if (uio->left < sizeof(count))
		return -EINVAL;
	err = file_wait(file, &timerfd->ready, try_take(timerfd, &count));
	return err ? err : uio_put(uio, &count, sizeof(count));
}

static uint32_t timerfd_poll(struct file *file)
{
	struct timerfd *timerfd = file->data;

	return __atomic_load_n(&timerfd->expirations, __ATOMIC_ACQUIRE) ? EPOLLIN : 0;
}

static void timerfd_release(struct file *file)
{
	struct timerfd *timerfd = file->data;

	timer_cancel(&timerfd->timer);
	object_free(&timerfd_cache, timerfd);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
};

struct file *timerfd_create(uint32_t clock, uint32_t flags)
{
	struct timerfd *timerfd = object_alloc(&timerfd_cache);
	struct file *file;

	if (!timerfd)
		return NULL;
	timerfd->clock = clock;
	mutex_init(&timerfd->setting_lock);
	timer_init(&timerfd->timer, expired);
	waitq_init(&timerfd->ready);
	file = file_create(&timerfd_ops, timerfd, &timerfd->ready, O_RDWR | (flags & O_NONBLOCK));
	if (!file)
		object_free(&timerfd_cache, timerfd);
	return file;
}

bool timerfd_is(const struct file *file)
{
	return file->ops == &timerfd_ops;
}

uint32_t timerfd_clock(const struct file *file)
{
	return ((const struct timerfd *)file->data)->clock;
}

void timerfd_set(struct file *file, const struct timerfd_setting *setting)
{
	struct timerfd *timerfd = file->data;
	uint64_t flags;

	mutex_lock(&timerfd->setting_lock);
	timer_cancel(&timerfd->timer); /* also where expired() has just armed it again */
	flags = spin_lock_irqsave(&timerfd->lock);
	timerfd->next_ns = setting->first_ns;
	timerfd->interval_ns = setting->interval_ns;
	timerfd->expirations = 0;
	spin_unlock_irqrestore(&timerfd->lock, flags);
	if (setting->first_ns)
		timer_arm(&timerfd->timer, setting->first_ns);
	mutex_unlock(&timerfd->setting_lock);
}

struct timerfd_setting timerfd_get(struct file *file)
{
	struct timerfd *timerfd = file->data;
	uint64_t flags = spin_lock_irqsave(&timerfd->lock);
	const struct timerfd_setting setting = { timerfd->next_ns, timerfd->interval_ns };

	spin_unlock_irqrestore(&timerfd->lock, flags);
	return setting;
}
