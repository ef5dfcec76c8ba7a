/*
 * A time after which the calling thread waits no longer: see deadline.h.
 */
#include "kernel/cpu/cpu.h"
#include "kernel/sched/deadline.h"

static void passed(struct timer *timer)
{
	struct deadline *deadline = container_of(timer, struct deadline, timer);

	__atomic_store_n(&deadline->has_passed, true, __ATOMIC_RELEASE);
	thread_wake(deadline->thread);
}

void deadline_start(struct deadline *deadline, uint64_t when_ns)
{
	*deadline = (struct deadline){ .thread = current_thread() };
	timer_init(&deadline->timer, passed);
	if (when_ns != UINT64_MAX)
		timer_arm(&deadline->timer, when_ns);
}

void deadline_stop(struct deadline *deadline)
{
	timer_cancel(&deadline->timer);
}
