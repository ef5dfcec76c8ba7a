/*
 * Waiting on words of ring 3's memory: see futex.h.
 */
#include "kernel/cpu/cpu.h"
#include "kernel/mem/user.h"
#include "kernel/proc/futex.h"
#include "kernel/sched/deadline.h"
#include "kernel/sched/waitq.h"

enum { BUCKETS = 256 };

/* Where a word is: an address space and an address, or a memobj, counted, and an offset. */
struct place {
	const void *space;
	uint64_t offset;
	struct memobj *object;
};

/* Fields: [B] its bucket's lock */
struct futex_waiter {
	struct list node; /* [B] */
	/* [B] Only compared: who waits counts the object where the wait began. */
	struct place place;
	uint32_t mask;
	bool is_woken; /* [B, a] */
	struct thread *thread;
	struct futex_bucket *bucket; /* [a] */
};

struct futex_bucket {
	struct spinlock lock;
	struct list waiters; /* [L] */
};

static struct futex_bucket buckets[BUCKETS];

static int place_open(struct mm *mm, uint64_t address, bool is_shared, struct place *out)
{
	*out = (struct place){ .space = mm, .offset = address };
	if (address % 4)
		return -EINVAL;
	if (is_shared)
		out->object = mm_shared_object(mm, address, &out->offset);
	if (out->object)
		out->space = out->object;
	return 0;
}

static bool place_equals(const struct place *a, const struct place *b)
{
	return a->space == b->space && a->offset == b->offset;
}

static struct futex_bucket *bucket_of(const struct place *place)
{
	uint64_t hash =
		((uint64_t)place->space ^ place->offset >> 2) * UINT64_C(0x9e3779b97f4a7c15);

	return &buckets[hash >> 56];
}

void futex_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		list_init(&buckets[i].waiters);
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

static bool waits_for(const struct futex_waiter *waiter, const struct place *place, uint32_t mask)
{
	return place_equals(&waiter->place, place) && (waiter->mask & mask);
}

static int wake_some(const struct place *place, uint32_t count, uint32_t mask)
{
	struct futex_bucket *bucket = bucket_of(place);
	uint64_t flags = spin_lock_irqsave(&bucket->lock);
	uint32_t woken = 0;

	list_for_each(node, &bucket->waiters) {
		struct futex_waiter *waiter = list_entry(node, struct futex_waiter, node);

		if (woken == count)
			break;
		if (!waits_for(waiter, place, mask))
			continue;
		wake(waiter);
		woken++;
	}
	spin_unlock_irqrestore(&bucket->lock, flags);
	return (int)woken;
}

int futex_wake(struct mm *mm, uint64_t address, bool is_shared, uint32_t count, uint32_t mask)
{
	struct place place;
	int woken = mask ? place_open(mm, address, is_shared, &place) : -EINVAL;

	if (woken)
		return woken;
	woken = wake_some(&place, count, mask);
	memobj_put(place.object);
	return woken;
}

/* Sleeps until woken, late or interrupted; then leaves the bucket, which a requeue may have changed. */
static int sleep(struct futex_waiter *waiter, uint64_t deadline_ns)
{
	struct deadline deadline;
	bool has_left;
	int err;

	deadline_start(&deadline, deadline_ns);
	err = thread_wait_killable(__atomic_load_n(&waiter->is_woken, __ATOMIC_ACQUIRE) ||
				   deadline_has_passed(&deadline));
	deadline_stop(&deadline);
	do {
		struct futex_bucket *bucket = __atomic_load_n(&waiter->bucket, __ATOMIC_ACQUIRE);
		uint64_t flags = spin_lock_irqsave(&bucket->lock);

		has_left = bucket == waiter->bucket;
		if (has_left)
			list_remove(&waiter->node);
		spin_unlock_irqrestore(&bucket->lock, flags);
	} while (!has_left);
	if (waiter->is_woken)
		return 0;
	return err ? err : -ETIMEDOUT;
}

static int wait_at(const struct place *place, uint64_t address, uint32_t expected,
		   uint64_t deadline_ns, uint32_t mask)
{
	struct futex_bucket *bucket = bucket_of(place);
	struct futex_waiter waiter = {
		.place = *place, .mask = mask, .thread = current_thread(), .bucket = bucket
	};
	uint32_t value = 0;
	uint64_t flags;
	int err;

	list_init(&waiter.node);
	do {
		err = fetch(address);
		if (err)
			return err;
		flags = spin_lock_irqsave(&bucket->lock);
		err = user_word_load(&value, address);
		if (!err && value == expected)
			list_append(&bucket->waiters, &waiter.node);
		spin_unlock_irqrestore(&bucket->lock, flags);
	} while (err == -EFAULT); /* the page went between fetching it and looking */
	if (err)
		return err;
	return value == expected ? sleep(&waiter, deadline_ns) : -EAGAIN;
}

int futex_wait(struct mm *mm, uint64_t address, bool is_shared, uint32_t expected,
	       uint64_t deadline_ns, uint32_t mask)
{
	struct place place;
	int err = mask ? place_open(mm, address, is_shared, &place) : -EINVAL;

	if (err)
		return err;
	err = wait_at(&place, address, expected, deadline_ns, mask);
	memobj_put(place.object);
	return err;
}

static void lock_both(struct futex_bucket *a, struct futex_bucket *b)
{
	struct futex_bucket *first = a < b ? a : b, *second = a < b ? b : a;

	spin_lock(&first->lock);
	if (second != first)
		spin_lock(&second->lock);
}

/* Both locks are held. Returns how many were woken or moved. */
static int move_waiters(struct futex_bucket *from, const struct place *place, uint32_t count,
			uint32_t move, struct futex_bucket *to, const struct place *target)
{
	uint32_t woken = 0, moved = 0;

	list_for_each(node, &from->waiters) {
		struct futex_waiter *waiter = list_entry(node, struct futex_waiter, node);

		if (!waits_for(waiter, place, UINT32_MAX))
			continue;
		if (woken < count) {
			wake(waiter);
			woken++;
		} else if (moved < move) {
			list_remove(node);
			waiter->place = *target;
			__atomic_store_n(&waiter->bucket, to, __ATOMIC_RELEASE);
			list_append(&to->waiters, node);
			moved++;
		}
	}
	return (int)(woken + moved);
}

static int requeue(const struct place *place, uint64_t address, uint32_t count, uint32_t move,
		   const struct place *target, const uint32_t *expected)
{
	struct futex_bucket *from = bucket_of(place), *to = bucket_of(target);
	uint32_t value = 0;
	uint64_t flags;
	int result;

	flags = irq_save();
	lock_both(from, to);
	result = expected ? user_word_load(&value, address) : 0;
	if (!result && expected && value != *expected)
		result = -EAGAIN;
	if (!result)
		result = move_waiters(from, place, count, move, to, target);
	spin_unlock(&from->lock);
	if (to != from)
		spin_unlock(&to->lock);
	irq_restore(flags);
	return result;
}

int futex_requeue(struct mm *mm, uint64_t address, bool is_shared, uint32_t count, uint32_t move,
		  uint64_t to, const uint32_t *expected)
{
	struct place place, target;
	int result = fetch(address);

	if (result)
		return result;
	result = place_open(mm, address, is_shared, &place);
	if (result)
		return result;
	result = place_open(mm, to, is_shared, &target);
	if (!result) {
		result = requeue(&place, address, count, move, &target, expected);
		memobj_put(target.object);
	}
	memobj_put(place.object);
	return result;
}
