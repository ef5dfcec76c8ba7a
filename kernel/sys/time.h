/*
 * Times as ring 3 says them.
 */
#pragma once

#include "lib/compiler.h"

/* A struct timespec of ring 3's in nanoseconds; what doesn't fit is the end of time. -EFAULT, -EINVAL. */
MUST_CHECK int time_from_user(uint64_t address, uint64_t *ns);
MUST_CHECK int time_to_user(uint64_t address, uint64_t ns);

/* When a wait of @timeout_ms ends, on the clock: 0 at once, below 0 (UINT64_MAX) never. */
uint64_t time_deadline_ms(int32_t timeout_ms);

/* CLOCK_REALTIME is the kernel's clock and a constant. */
uint64_t time_real_ns(void);
uint64_t time_real_to_clock(uint64_t real_ns);
