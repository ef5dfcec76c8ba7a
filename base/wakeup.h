/*
 * How any thread gets the loop's thread to do something: an eventfd among the loop's sources.
 *
 * Raising it several times before the loop comes round calls the function once.
 */
#pragma once

#include "lib/compiler.h"
#include "base/loop.h"

struct wakeup {
	struct loop_source source;
	struct loop *loop;
	void (*woken)(void *context);
	void *context;
};

/* Borrows @loop and stays put until wakeup_destroy(). Returns 0 or -errno. */
MUST_CHECK int wakeup_create(struct wakeup *wakeup, struct loop *loop, void (*woken)(void *context),
			     void *context);
void wakeup_destroy(struct wakeup *wakeup);

/* Context: any thread. */
void wakeup_raise(struct wakeup *wakeup);
