/*
 * The clock that a guest's timers run on: nanoseconds that pass only while the VM runs.
 *
 * A pause, a snapshot or a migration freezes it, so that no timer has "missed" anything afterwards.
 * Context: any thread reads; only the thread that pauses and resumes the VM freezes and thaws.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vmclock {
	int64_t offset_ns; /* [a] what to add to CLOCK_MONOTONIC while running */
	int64_t frozen_ns; /* [a] the reading while frozen */
	bool is_frozen;	   /* [a] */
};

void vmclock_init(struct vmclock *clock, uint64_t start_ns); /* frozen at @start_ns */
void vmclock_freeze(struct vmclock *clock);
void vmclock_thaw(struct vmclock *clock);
uint64_t vmclock_now_ns(const struct vmclock *clock);

/* The CLOCK_MONOTONIC time at which a running clock will read @when_ns; 0 where that is before its epoch. */
uint64_t vmclock_to_monotonic_ns(const struct vmclock *clock, uint64_t when_ns);
