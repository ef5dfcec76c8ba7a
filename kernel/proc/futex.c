/*
 * Waiting on words of ring 3's memory: see futex.h.
 */
#include <errno.h>

#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/mem/user.h"
#include "kernel/proc/futex.h"
#include "kernel/sched/timer.h"

enum { BUCKETS = 256 };

/* Fields: [B] its bucket's lock */
struct futex_waiter {
	struct list node; /* [B] */
	struct mm *mm;	  /* [B] */
	uint64_t address; /* [B] */
	uint32_t mask;
	bool is_woken; /* [B, a] */
	bool is_late;  /* [a] */
	struct thread *thread;
	struct timer timer;
	struct futex_bucket *bucket; /* [a] */
};

struct futex_bucket {
	struct spinlock lock;
	struct list waiters; /* [L] */
	bool is_ready;
};

static struct futex_bucket buckets[BUCKETS];

static struct futex_bucket *bucket_of(const struct mm *mm, uint64_t address)
{
	uint64_t hash = ((uint64_t)mm ^ address >> 2) * UINT64_C(0x9e3779b97f4a7c15);

	return &buckets[hash >> 56];
}

static uint64_t bucket_lock(struct futex_bucket *bucket)
{
	uint64_t flags = spin_lock_irqsave(&bucket->lock);

	if (!bucket->is_ready) {
		list_init(&bucket->waiters);
		bucket->is_ready = true;
	}
	return flags;
}

/* Takes the page in if it isn't there: the look at the word under the lock must not fault. */
static int fetch(uint64_t address)
{
	uint32_t value;

	if (address % 4)
		return -EINVAL;
	return copy_from_user(&value, address, sizeof(value));
}

static void wake(struct futex_waiter *waiter)
{
	list_remove(&waiter->node);
	__atomic_store_n(&waiter->is_woken, true, __ATOMIC_RELEASE);
	thread_wake(waiter->thread);
}

static bool waits_for(const struct futex_waiter *waiter, const struct mm *mm, uint64_t address,
		      uint32_t mask)
{
	return waiter->mm == mm && waiter->address == address && (waiter->mask & mask);
}

int futex_wake(struct mm *mm, uint64_t address, uint32_t count, uint32_t mask)
{
	struct futex_bucket *bucket = bucket_of(mm, address);
	uint32_t woken = 0;
	uint64_t flags;

	if (address % 4 || !mask)
		return -EINVAL;
	flags = bucket_lock(bucket);
	list_for_each(node, &bucket->waiters) {
		struct futex_waiter *waiter = list_entry(node, struct futex_waiter, node);

		if (woken == count)
			break;
		if (!waits_for(waiter, mm, address, mask))
			continue;
		wake(waiter);
		woken++;
	}
	spin_unlock_irqrestore(&bucket->lock, flags);
	return (int)woken;
}

static void late(struct timer *timer)
{
	struct futex_waiter *waiter = container_of(timer, struct futex_waiter, timer);

	__atomic_store_n(&waiter->is_late, true, __ATOMIC_RELEASE);
	thread_wake(waiter->thread);
}

static bool is_over(const struct futex_waiter *waiter)
{
	return __atomic_load_n(&waiter->is_woken, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&waiter->is_late, __ATOMIC_ACQUIRE) || thread_is_interrupted();
}

/* Sleeps until woken, late or interrupted; then leaves the bucket, which a requeue may have changed. */
static int sleep(struct futex_waiter *waiter, uint64_t deadline_ns)
{
	if (deadline_ns != UINT64_MAX)
		timer_arm(&waiter->timer, deadline_ns);
	for (;;) {
		thread_will_block();
		if (is_over(waiter))
			break;
		thread_block();
	}
	thread_will_run();
	timer_cancel(&waiter->timer);

	for (;;) {
		struct futex_bucket *bucket = __atomic_load_n(&waiter->bucket, __ATOMIC_ACQUIRE);
		uint64_t flags = bucket_lock(bucket);

		if (bucket == waiter->bucket) {
			list_remove(&waiter->node);
			spin_unlock_irqrestore(&bucket->lock, flags);
			break;
		}
		spin_unlock_irqrestore(&bucket->lock, flags);
	}
	if (waiter->is_woken)
		return 0;
	return waiter->is_late ? -ETIMEDOUT : -EINTR;
}

int futex_wait(struct mm *mm, uint64_t address, uint32_t expected, uint64_t deadline_ns,
	       uint32_t mask)
{
	struct futex_bucket *bucket = bucket_of(mm, address);
	struct futex_waiter waiter = { .mm = mm,
				       .address = address,
				       .mask = mask,
				       .thread = current_thread(),
				       .bucket = bucket };
	uint32_t value = 0;
	uint64_t flags;
	int err;

	if (!mask)
		return -EINVAL;
	timer_init(&waiter.timer, late);
	list_init(&waiter.node);
	do {
		err = fetch(address);
		if (err)
			return err;
		flags = bucket_lock(bucket);
		err = user_word_load(&value, address);
		if (!err && value == expected)
			list_append(&bucket->waiters, &waiter.node);
		spin_unlock_irqrestore(&bucket->lock, flags);
	} while (err == -EFAULT); /* the page went between fetching it and looking */
	if (err)
		return err;
	return value == expected ? sleep(&waiter, deadline_ns) : -EAGAIN;
}

static void lock_both(struct futex_bucket *a, struct futex_bucket *b)
{
	struct futex_bucket *first = a < b ? a : b, *second = a < b ? b : a;

	spin_lock(&first->lock);
	if (second != first)
		spin_lock(&second->lock);
}

int futex_requeue(struct mm *mm, uint64_t address, uint32_t count, uint32_t move, uint64_t to,
		  const uint32_t *expected)
{
	struct futex_bucket *from_bucket = bucket_of(mm, address), *to_bucket = bucket_of(mm, to);
	uint32_t value = 0, done = 0, moved = 0;
	uint64_t flags;
	int err;

	if (to % 4)
		return -EINVAL;
	err = fetch(address);
	if (err)
		return err;
	/* Make sure that both lists exist. */
	spin_unlock_irqrestore(&from_bucket->lock, bucket_lock(from_bucket));
	spin_unlock_irqrestore(&to_bucket->lock, bucket_lock(to_bucket));

	flags = irq_save();
	lock_both(from_bucket, to_bucket);
	err = expected ? user_word_load(&value, address) : 0;
	if (!err && expected && value != *expected)
		err = -EAGAIN;
	if (!err) {
		list_for_each(node, &from_bucket->waiters) {
			struct futex_waiter *waiter = list_entry(node, struct futex_waiter, node);

			if (!waits_for(waiter, mm, address, UINT32_MAX))
				continue;
			if (done < count) {
				wake(waiter);
				done++;
			} else if (moved < move) {
				list_remove(node);
				waiter->address = to;
				__atomic_store_n(&waiter->bucket, to_bucket, __ATOMIC_RELEASE);
				list_append(&to_bucket->waiters, node);
				moved++;
			}
		}
	}
	spin_unlock(&from_bucket->lock);
	if (to_bucket != from_bucket)
		spin_unlock(&to_bucket->lock);
	irq_restore(flags);
	return err ? err : (int)(done + moved);
}
