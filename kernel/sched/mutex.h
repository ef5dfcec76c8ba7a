/*
 * A lock for threads, held as long as need be; who waits for it sleeps.
 */
#pragma once

#include "kernel/sched/waitq.h"

struct mutex {
	uint32_t is_locked; /* [a] */
	struct waitq waiters;
};

#define MUTEX(name)                              \
	{                                        \
		.waiters = WAITQ((name).waiters) \
	}

void mutex_init(struct mutex *mutex);
void mutex_wait(struct mutex *mutex); /* for mutex_lock() */

static inline bool mutex_try_lock(struct mutex *mutex)
{
	return !__atomic_exchange_n(&mutex->is_locked, 1, __ATOMIC_ACQUIRE);
}

static inline void mutex_lock(struct mutex *mutex)
{
	if (!mutex_try_lock(mutex))
		mutex_wait(mutex);
}

static inline void mutex_unlock(struct mutex *mutex)
{
	/* A full barrier: who isn't on the list by now will find it open. */
	__atomic_exchange_n(&mutex->is_locked, 0, __ATOMIC_SEQ_CST);
	if (waitq_has_waiters(&mutex->waiters))
		waitq_wake_one(&mutex->waiters);
}
