/*
 * A console's way out: delivered at once where that is possible, else kept and delivered by the loop.
 *
 * Bytes leave in the order in which console_output_write() took them.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "base/backlog.h"
#include "base/loop.h"
#include "base/wakeup.h"

/* Fields: [I] immutable after console_output_create()  [L] lock  [T] the loop's thread */
struct console_output {
	struct loop *loop;		/* [I] */
	void (*hung_up)(void *context); /* [I] called by the loop's thread: nobody reads any more */
	void *context;			/* [I] */
	struct wakeup wakeup;		/* [I] "look at the backlog" */
	pthread_mutex_t lock;
	struct loop_source sink; /* [L] fd: where bytes go, -1: nowhere. In the loop: [T] */
	bool is_sink_waited_for; /* [T] the sink is in the loop, until it takes more */
	bool has_hung_up;	 /* [L] */
	struct backlog backlog;	 /* [L] */
};

/* @hung_up may be NULL: then what a failing sink refuses is dropped. Returns 0 or -errno. */
MUST_CHECK int console_output_create(struct console_output *output, struct loop *loop,
				     void (*hung_up)(void *context), void *context);
void console_output_destroy(struct console_output *output);

/* From now on bytes go to @fd, which doesn't block; first those that are kept. Borrowed. [T] */
void console_output_attach(struct console_output *output, int fd);

/* From now on bytes are kept. [T] */
void console_output_detach(struct console_output *output);

/* Any thread. */
void console_output_write(struct console_output *output, const uint8_t *bytes, size_t n);
uint64_t console_output_dropped_bytes(struct console_output *output);

/* Delivers what is kept, or what the sink takes of it within @timeout_ms. [T] */
void console_output_drain(struct console_output *output, int timeout_ms);
