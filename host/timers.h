/*
 * Things to do later, for a loop that asks how long it may sleep. No timer of the operating system's is
 * used: the nearest deadline becomes the loop's time-out.
 *
 *   - A timer belongs to the caller and must stay put while it is set.
 *   - Time is milliseconds that only grow; whoever calls says what time it is, so tests can.
 *   - A callback may set and cancel timers, its own too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct timer {
	void (*expired)(void *context);
	void *context;
	bool is_set;
	uint64_t due_ms;
	struct timer *next;
};

/* Zero-initialised is empty. In order of their deadlines. */
struct timers {
	struct timer *first;
};

/* A timer that is set already is moved. */
void timer_set(struct timers *timers, struct timer *timer, uint64_t due_ms);
void timer_cancel(struct timers *timers, struct timer *timer);

/* 0: it is not set, or due. */
uint64_t timer_left_ms(const struct timer *timer, uint64_t now_ms);

/* How long until the first is due, for loop_turn(): -1 when none is set. */
int timers_timeout_ms(const struct timers *timers, uint64_t now_ms);

/* Calls those that are due. One that is set to @now_ms or earlier meanwhile waits for the next call. */
void timers_run(struct timers *timers, uint64_t now_ms);

/* Milliseconds since some moment before the program started. */
uint64_t clock_now_ms(void);
