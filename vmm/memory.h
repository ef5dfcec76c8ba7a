/*
 * The guest's memory: where it lies in the guest's physical address space and in ours.
 *
 *   - memory_at() is the one way from a guest-physical address to a pointer, and it checks the whole range.
 *   - What lies behind the pointer is hostile and changes while it is read: copy each field once, check the copy.
 *   - The layout is fixed at creation: RAM up to MMIO_HOLE_START, a hole up to 4 GiB, the rest above.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/compiler.h"
#include "lib/errmsg.h"

enum {
	MEMORY_REGION_MAX = 2,
	MEMORY_MIN_MIB = 1,
};

#define MMIO_HOLE_START UINT64_C(0xc0000000)
#define MMIO_HOLE_END	UINT64_C(0x100000000)

struct memory_region {
	gpa_t base;
	uint64_t size_bytes;
	uint8_t *hva;
};

/* Immutable after memory_create(): no lock. */
struct guest_memory {
	uint64_t size_bytes;
	uint32_t nr_regions;
	struct memory_region regions[MEMORY_REGION_MAX];
	void *mapping; /* one anonymous mapping holds all regions, 2 MiB aligned */
};

/**
 * memory_create() - reserve a guest's memory; frames come with first touch
 * @size_bytes: a multiple of 1 MiB, not 0
 *
 * Returns 0; -EINVAL bad size; -ENOMEM the host won't give that much address space.
 */
MUST_CHECK int memory_create(uint64_t size_bytes, struct guest_memory *out, struct errmsg *why);
void memory_destroy(struct guest_memory *memory);

/**
 * memory_at() - a guest-physical range as a pointer
 *
 * Context: any thread. Returns NULL unless all of [base, base + size) is RAM in one region; size 0 is
 * valid inside one. The pointer stays valid until memory_destroy(). Inline: once for each segment of all I/O.
 */
static inline void *memory_at(const struct guest_memory *memory, gpa_t base, uint64_t size)
{
	for (uint32_t i = 0; i < memory->nr_regions; i++) {
		const struct memory_region *region = &memory->regions[i];
		uint64_t offset = base.v - region->base.v; /* wraps to huge when below */

		if (offset < region->size_bytes && size <= region->size_bytes - offset)
			return region->hva + offset;
	}
	return NULL;
}

/* Copies between RAM and @buffer. Return 0, or -EFAULT where the range isn't RAM, with nothing copied. */
MUST_CHECK int memory_read(const struct guest_memory *memory, gpa_t base, void *buffer,
			   uint64_t size);
MUST_CHECK int memory_write(const struct guest_memory *memory, gpa_t base, const void *buffer,
			    uint64_t size);

/* The end of RAM below the hole, exclusive; and of all RAM (4 GiB at least when there is any above). */
uint64_t memory_low_end(const struct guest_memory *memory);
uint64_t memory_high_end(const struct guest_memory *memory);
