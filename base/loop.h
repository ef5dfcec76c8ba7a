/*
 * An event loop over epoll: a set of descriptors, each with a function to call when it is ready.
 *
 *   - A source belongs to the caller and must stay put while it is in the loop.
 *   - All functions are for the thread that runs the loop, or for anyone while no thread runs it.
 *   - A callback may add and remove sources, its own too: a removed source is not called again.
 */
#pragma once

#include <stdint.h>
#include <sys/epoll.h>

#include "lib/compiler.h"

struct loop_source {
	int fd; /* borrowed */
	void (*ready)(void *context, uint32_t events);
	void *context;
};

enum { LOOP_BATCH = 16 };

struct loop {
	int epoll_fd;
	int nr_pending; /* events of the batch being dispatched */
	struct epoll_event batch[LOOP_BATCH];
};

MUST_CHECK int loop_create(struct loop *loop);
void loop_destroy(struct loop *loop);

/* @events: EPOLLIN, EPOLLOUT, EPOLLET. Returns 0 or -errno (-EPERM: a regular file, always ready). */
MUST_CHECK int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
MUST_CHECK int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events);

/* Call before closing source->fd. A source that isn't in the loop is fine. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* Waits at most @timeout_ms (-1: for ever), then calls what is ready. Returns 0 or -errno, never -EINTR. */
MUST_CHECK int loop_turn(struct loop *loop, int timeout_ms);
