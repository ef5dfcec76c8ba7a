/*
 * Numbers that follow from a seed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t next(struct random *random)
{
	uint64_t value = random->state += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

/* Below @bound. */
static inline uint64_t pick(struct random *random, uint64_t bound)
{
	return next(random) % bound;
}

static inline bool one_in(struct random *random, uint64_t n)
{
	return pick(random, n) == 0;
}
