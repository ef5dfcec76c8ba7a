/*
 * Event counters: eventfd(2), and the same for other parts of the kernel (irqfd, ioeventfd).
 */
#pragma once

#include <asm/fcntl.h>
#include <stdbool.h>

#include "kernel/fs/file.h"

/* As eventfd(2) says them: there is no header of the kernel's that does. */
enum { EFD_SEMAPHORE = 1, EFD_NONBLOCK = O_NONBLOCK, EFD_CLOEXEC = O_CLOEXEC };

/* One reference; NULL for want of memory. @flags: EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC. */
struct file *eventfd_create(uint32_t count, uint32_t flags);

bool eventfd_is(const struct file *file);

/*
 * For files that eventfd_is() knows. Any context, no sleeping: file->ready's waiters may call eventfd_take().
 * eventfd_signal() adds, as far as there is room; eventfd_take() takes what is there (0: nothing).
 */
void eventfd_signal(struct file *file, uint64_t count);
uint64_t eventfd_take(struct file *file);
