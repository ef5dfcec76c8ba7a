/*
 * The clock that a guest's timers run on: see vmclock.h.
 */
#include <time.h>

#include "vmm/vmclock.h"

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void vmclock_init(struct vmclock *clock, uint64_t start_ns)
{
	*clock = (struct vmclock){ .frozen_ns = (int64_t)start_ns, .is_frozen = true };
}

void vmclock_freeze(struct vmclock *clock)
{
	if (clock->is_frozen)
		return;
	__atomic_store_n(&clock->frozen_ns, (int64_t)vmclock_now_ns(clock), __ATOMIC_RELAXED);
	__atomic_store_n(&clock->is_frozen, true, __ATOMIC_RELEASE);
}

void vmclock_thaw(struct vmclock *clock)
{
	if (!clock->is_frozen)
		return;
	__atomic_store_n(&clock->offset_ns, clock->frozen_ns - monotonic_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&clock->is_frozen, false, __ATOMIC_RELEASE);
}

uint64_t vmclock_now_ns(const struct vmclock *clock)
{
	if (__atomic_load_n(&clock->is_frozen, __ATOMIC_ACQUIRE))
		return (uint64_t)__atomic_load_n(&clock->frozen_ns, __ATOMIC_RELAXED);
	return (uint64_t)(monotonic_ns() + __atomic_load_n(&clock->offset_ns, __ATOMIC_RELAXED));
}

uint64_t vmclock_to_monotonic_ns(const struct vmclock *clock, uint64_t when_ns)
{
	int64_t monotonic = (int64_t)when_ns - __atomic_load_n(&clock->offset_ns, __ATOMIC_RELAXED);

	return monotonic > 0 ? (uint64_t)monotonic : 0;
}
