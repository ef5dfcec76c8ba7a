/*
 * Address spaces as distinct types, so that a swapped argument is a compile error.
 */
#pragma once

#include <stdint.h>

typedef struct {
	uint64_t v;
} gpa_t; /* guest-physical, bytes */

typedef struct {
	uint64_t v;
} hpa_t; /* host-physical, bytes */

static inline gpa_t gpa(uint64_t v)
{
	return (gpa_t){ v };
}
