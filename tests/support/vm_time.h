/*
 * A VM's clock that a test moves: frozen, so that it reads what it is told to, with timers that go off
 * when the test gets past their deadlines instead of when the host's time does.
 *
 * Watch every timer of the device under test; then vm_time_advance() takes the clock to each deadline
 * in turn and calls what is due there.
 */
#pragma once

#include <pthread.h>
#include <stdlib.h>

#include "base/loop.h"
#include "vmm/vmclock.h"
#include "vmm/vtimer.h"

struct vm_time {
	struct loop loop;
	struct vmclock clock;
	pthread_mutex_t lock;
	struct vtimer *timer; /* watched; NULL */
	unsigned long fired;
};

static inline void vm_time_start(struct vm_time *time, uint64_t start_ns)
{
	*time = (struct vm_time){ .lock = PTHREAD_MUTEX_INITIALIZER };
	if (loop_create(&time->loop))
		abort();
	vmclock_init(&time->clock, start_ns);
}

static inline void vm_time_stop(struct vm_time *time)
{
	loop_destroy(&time->loop);
	pthread_mutex_destroy(&time->lock);
}

static inline uint64_t vm_time_now_ns(const struct vm_time *time)
{
	return (uint64_t)time->clock.frozen_ns;
}

/* Moves the clock only: what comes due stays due, as on a host that is late. */
static inline void vm_time_set(struct vm_time *time, uint64_t now_ns)
{
	time->clock.frozen_ns = (int64_t)now_ns;
}

/* Calls the timer's function if it is due. */
static inline void vm_time_fire(struct vm_time *time)
{
	struct vtimer *timer = time->timer;

	if (!timer || timer->deadline_ns > vm_time_now_ns(time))
		return;
	time->fired++;
	timer->deadline_ns = VTIMER_NEVER; /* one shot */
	timer->expired(timer->context);
}

static inline void vm_time_advance_to(struct vm_time *time, uint64_t end_ns)
{
	while (time->timer && time->timer->deadline_ns <= end_ns) {
		if (time->timer->deadline_ns > vm_time_now_ns(time))
			vm_time_set(time, time->timer->deadline_ns);
		vm_time_fire(time);
	}
	vm_time_set(time, end_ns);
}

static inline void vm_time_advance(struct vm_time *time, uint64_t ns)
{
	vm_time_advance_to(time, vm_time_now_ns(time) + ns);
}
