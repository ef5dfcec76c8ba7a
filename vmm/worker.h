/*
 * A thread that runs an event loop for one device, and can be held still.
 *
 *   - worker_park() returns once the thread is outside every callback; from then until worker_unpark()
 *     the caller may use the worker's loop and whatever its callbacks use.
 *   - A callback that works through something long looks at worker_should_yield() between steps and returns
 *     early; worker_unpark() callers give it another chance to go on.
 *   - Callbacks never take vm->lock: whoever parks a worker may hold it.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/loop.h"
#include "base/wakeup.h"

struct worker {
	struct loop loop;
	struct wakeup wake;
	pthread_t thread;
	char name[16];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t parks;	 /* [lock, a] worker_park() calls not yet undone */
	bool is_parked;	 /* [lock] */
	bool is_leaving; /* [lock] */
};

/* Starts parked, with one worker_unpark() owed. @name: seen in ps and top; its first 15 bytes. */
MUST_CHECK int worker_create(struct worker *worker, const char *name);
void worker_destroy(struct worker *worker);

void worker_park(struct worker *worker);
void worker_unpark(struct worker *worker);
bool worker_should_yield(const struct worker *worker);
