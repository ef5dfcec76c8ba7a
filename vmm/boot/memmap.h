/*
 * The memory map that a guest is told, in the form of e820: which both boot protocols use.
 */
#pragma once

#include "vmm/memory.h"

enum memmap_type {
	MEMMAP_RAM = 1,
	MEMMAP_RESERVED = 2,
};

struct memmap_entry {
	uint64_t start, size_bytes;
	enum memmap_type type;
};

enum { MEMMAP_MAX = 8 };

struct memmap {
	uint32_t count;
	struct memmap_entry entries[MEMMAP_MAX]; /* ascending, without overlap */
};

void memmap_build(struct memmap *map, const struct guest_memory *memory);
