/*
 * A lock for threads: see mutex.h.
 */
#include <errno.h>

#include "kernel/sched/mutex.h"

void mutex_init(struct mutex *mutex)
{
	mutex->is_locked = 0;
	waitq_init(&mutex->waiters);
}

static bool try_lock(struct mutex *mutex)
{
	return !__atomic_exchange_n(&mutex->is_locked, 1, __ATOMIC_ACQUIRE);
}

void mutex_lock(struct mutex *mutex)
{
	waitq_wait(&mutex->waiters, try_lock(mutex));
}

void mutex_unlock(struct mutex *mutex)
{
	/* A full barrier: who isn't on the list by now will find it open. */
	__atomic_exchange_n(&mutex->is_locked, 0, __ATOMIC_SEQ_CST);
	if (waitq_has_waiters(&mutex->waiters))
		waitq_wake_one(&mutex->waiters);
}
