/*
 * Event counters: eventfd(2), and the same for other parts of the kernel (irqfd, ioeventfd).
 */
#pragma once

#include <asm/fcntl.h>

#include "kernel/fs/fdtable.h"

/* As eventfd(2) says them: there is no header of the kernel's that does. */
enum { EFD_SEMAPHORE = 1, EFD_NONBLOCK = O_NONBLOCK, EFD_CLOEXEC = O_CLOEXEC };

/* One reference; NULL for want of memory. @flags: EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC. */
struct file *eventfd_create(uint32_t count, uint32_t flags);

/*
 * The counter behind a file, for those who use it without a descriptor. It outlives its file for as long as it is counted; when the
 * last descriptor has gone its waiters are told EPOLLHUP, once.
 */
struct eventfd;

/* The one behind descriptor @fd, counted. -EBADF; -EINVAL: it is something else. */
MUST_CHECK int eventfd_get(struct fdtable *fds, uint64_t fd, struct eventfd **out);
void eventfd_put(struct eventfd *eventfd);

/* Woken at every change. Its waiters may call eventfd_take(). */
struct waitq *eventfd_ready(struct eventfd *eventfd);

/* Any context, no sleeping. The one adds, or returns false where there is no room; the other takes what is there (0: nothing). */
bool eventfd_signal(struct eventfd *eventfd, uint64_t count);
uint64_t eventfd_take(struct eventfd *eventfd);
