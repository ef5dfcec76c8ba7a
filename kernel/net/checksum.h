/*
 * The Internet's checksum: sums of 16-bit words, in one's complement (RFC 1071). Pure.
 */
#pragma once

#include "lib/compiler.h"

/* Any sum of 16-bit words as one such word. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The sum of big-endian words, a last odd byte being a high one. Not complemented. */
uint16_t checksum_sum(const uint8_t *bytes, size_t size);
