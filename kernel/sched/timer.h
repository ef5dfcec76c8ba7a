/*
 * Timers: call a function at a time. Each CPU has its own, in a tree by time; the hardware is set for the first.
 *
 *   - A timer is armed on the CPU that arms it and expires there, with interrupts off, outside its lock: the function may
 *     arm it again. It must be short.
 *   - timer_cancel() returns once the function isn't running any more, wherever that is: so not from the function itself, nor
 *     while holding a lock that it takes.
 *   - Arming an armed timer moves it.
 *
 * Context: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/rbtree.h"

#define TIMER_NEVER UINT64_MAX

struct timer {
	struct rb_node node;
	uint64_t when_ns; /* on the clock; TIMER_NEVER: not armed */
	void (*expired)(struct timer *timer);
	uint32_t cpu; /* where it is or was armed */
};

void timer_init(struct timer *timer, void (*expired)(struct timer *timer));
void timer_arm(struct timer *timer, uint64_t when_ns);
void timer_cancel(struct timer *timer);

/* Before other CPUs start; and on each. */
void timers_init(void);
void timers_init_cpu(void);
