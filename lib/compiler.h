/*
 * What everything here is written in: the language's own types and -errno, and what it lacks, attributes and array helpers.
 */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_SIZE(a)	  (sizeof(a) / sizeof((a)[0]))
#define UNUSED		  __attribute__((unused))
#define NOINLINE	  __attribute__((noinline)) /* so that who seldom calls it stays short */

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* @alignment is a power of two. The result wraps where value + alignment - 1 does. */
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return (value + alignment - 1) & ~(alignment - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Does [base, base + size) stay inside 64 bits? */
static inline int range_wraps(uint64_t base, uint64_t size)
{
	return base + size < base;
}
