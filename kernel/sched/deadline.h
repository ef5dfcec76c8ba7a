/*
 * A time after which the calling thread waits no longer.
 *
 *	deadline_start(&deadline, when_ns);         on the clock; UINT64_MAX never passes
 *	waitq_wait_killable(queue, condition || deadline_has_passed(&deadline));
 *	deadline_stop(&deadline);
 *
 * Context: one thread from start to stop.
 */
#pragma once

#include <stdbool.h>

#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"

struct deadline {
	struct timer timer;
	struct thread *thread;
	bool has_passed; /* [a] */
};

void deadline_start(struct deadline *deadline, uint64_t when_ns);
void deadline_stop(struct deadline *deadline);

static inline bool deadline_has_passed(const struct deadline *deadline)
{
	return __atomic_load_n(&deadline->has_passed, __ATOMIC_ACQUIRE);
}
