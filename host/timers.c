/*
 * Things to do later: see timers.h.
 */
#include <limits.h>
#include <stddef.h>
#include <time.h>

#include "host/timers.h"

void timer_set(struct timers *timers, struct timer *timer, uint64_t due_ms)
{
	struct timer **link = &timers->first;

	timer_cancel(timers, timer);
	while (*link && (*link)->due_ms <= due_ms)
		link = &(*link)->next;
	timer->due_ms = due_ms;
	timer->is_set = true;
	timer->next = *link;
	*link = timer;
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
	struct timer **link = &timers->first;

	if (!timer->is_set)
		return;
	while (*link != timer)
		link = &(*link)->next;
	*link = timer->next;
	timer->is_set = false;
}

uint64_t timer_left_ms(const struct timer *timer, uint64_t now_ms)
{
	return timer->is_set && timer->due_ms > now_ms ? timer->due_ms - now_ms : 0;
}

int timers_timeout_ms(const struct timers *timers, uint64_t now_ms)
{
	uint64_t left_ms;

	if (!timers->first)
		return -1;
	if (timers->first->due_ms <= now_ms)
		return 0;
	left_ms = timers->first->due_ms - now_ms;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static unsigned count_due(const struct timers *timers, uint64_t now_ms)
{
	unsigned nr_due = 0;

	for (const struct timer *timer = timers->first; timer && timer->due_ms <= now_ms;
	     timer = timer->next)
		nr_due++;
	return nr_due;
}

/* Counted before, so that a callback that always sets its timer to now can't keep the loop from turning. */
void timers_run(struct timers *timers, uint64_t now_ms)
{
	unsigned nr_due = count_due(timers, now_ms);

	while (nr_due-- && timers->first && timers->first->due_ms <= now_ms) {
		struct timer *timer = timers->first;

		timer_cancel(timers, timer);
		timer->expired(timer->context);
	}
}

uint64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
