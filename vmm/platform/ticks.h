/*
 * A device's own clock, derived from nanoseconds without ever counting: tick n of a clock of
 * @hz begins at n / hz seconds. Exact for any time and any @hz below 2^32; nothing accumulates.
 */
#pragma once

#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* How many ticks have begun by @ns. */
static inline uint64_t ticks_at_ns(uint64_t ns, uint64_t hz)
{
	return ns / NS_PER_SECOND * hz + ns % NS_PER_SECOND * hz / NS_PER_SECOND;
}

/* The first nanosecond at which ticks_at_ns() is @ticks. */
static inline uint64_t ticks_to_ns(uint64_t ticks, uint64_t hz)
{
	return ticks / hz * NS_PER_SECOND + (ticks % hz * NS_PER_SECOND + hz - 1) / hz;
}
