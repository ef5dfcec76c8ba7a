/*
 * Timers as files: timerfd(2). Times are on the kernel's clock (cpu/clock.h).
 */
#pragma once

#include "kernel/fs/file.h"

struct timerfd_setting {
	uint64_t first_ns;    /* when it expires first, or next; 0: it is not armed */
	uint64_t interval_ns; /* 0: once */
};

/* One reference; NULL for want of memory. @clock: CLOCK_*, for whoever asks. @flags: TFD_NONBLOCK. */
struct file *timerfd_create(uint32_t clock, uint32_t flags);

bool timerfd_is(const struct file *file);
uint32_t timerfd_clock(const struct file *file);

/* Sets it anew and forgets what has expired so far. */
void timerfd_set(struct file *file, const struct timerfd_setting *setting);
struct timerfd_setting timerfd_get(struct file *file);
