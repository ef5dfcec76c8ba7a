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
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
