/*
 * Byte-wide registers on a wider bus: an access of 2, 4 or 8 bytes becomes one per byte, lowest
 * address first, as the ISA bus's steering logic does it.
 */
#pragma once

#include <stdint.h>

static inline uint64_t byte_io_read(void *device, uint64_t offset, uint32_t size,
				    uint8_t (*read)(void *device, uint64_t offset))
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < size; i++)
		value |= (uint64_t)read(device, offset + i) << (8 * i);
	return value;
}

static inline void byte_io_write(void *device, uint64_t offset, uint64_t value, uint32_t size,
				 void (*write)(void *device, uint64_t offset, uint8_t value))
{
	for (uint32_t i = 0; i < size; i++)
		write(device, offset + i, (uint8_t)(value >> (8 * i)));
}
