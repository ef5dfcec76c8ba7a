/*
 * Sets of files that tell which of them are ready: epoll(7).
 *
 * A set doesn't keep its files open: a file that is closed leaves the sets it is in. Sets may watch sets, five deep and not in
 * a ring. EPOLLEXCLUSIVE is taken and means nothing: all waiters wake up.
 * Context: threads.
 */
#pragma once

#include <linux/eventpoll.h>

#include "kernel/fs/file.h"

/* One reference; NULL for want of memory. */
struct file *epoll_create(void);

bool epoll_is(const struct file *file);

/* EPOLL_CTL_*: -EEXIST, -ENOENT, -ENOMEM, -EPERM (no such file is ever ready), -ELOOP, -EINVAL. @fd tells dup()ed ones apart. */
MUST_CHECK int epoll_change(struct file *set, uint32_t operation, struct file *file, uint32_t fd,
			    const struct epoll_event *event);

/* Up to @max events to ring 3's @events. @deadline_ns on the clock: 0 doesn't wait, UINT64_MAX waits for good. */
MUST_CHECK int64_t epoll_wait_events(struct file *set, uint64_t events, uint32_t max,
				     uint64_t deadline_ns);

/* Takes a file that nobody has open any more out of all sets. */
void epoll_forget(struct file *file);
