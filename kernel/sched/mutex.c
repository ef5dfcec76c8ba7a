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

void mutex_wait(struct mutex *mutex)
{
	waitq_wait(&mutex->waiters, mutex_try_lock(mutex));
}
