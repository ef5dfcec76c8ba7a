/*
 * An address space of emulated registers: port I/O or memory-mapped I/O.
 *
 * A region is a range and the device behind it. Accesses arrive with an offset into the region and a
 * size of 1, 2, 4 or 8 bytes that lies wholly inside it; one that touches no region, or hangs over an
 * edge, reads as all ones and writes nowhere, as on a real bus.
 *
 * Context: the holder of vm->lock. Regions don't overlap.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

struct bus_ops {
	/* Bits above @size are ignored. */
	uint64_t (*read)(void *device, uint64_t offset, uint32_t size);
	/* Bits of @value above @size are 0. */
	void (*write)(void *device, uint64_t offset, uint64_t value, uint32_t size);
};

struct bus_region {
	uint64_t base, size;
	const char *name; /* borrowed; in traces and errors */
	const struct bus_ops *ops;
	void *device; /* borrowed */
};

enum { BUS_REGION_MAX = 256 };

struct bus {
	uint64_t limit; /* addresses are below it; 0 means 2^64 */
	uint32_t nr_regions;
	struct bus_region regions[BUS_REGION_MAX]; /* ascending */
	uint32_t recent;			   /* the region that answered last; may be stale */
	uint64_t unclaimed;			   /* accesses that nothing answered */
};

/* Returns 0; -EINVAL empty, wrapping or beyond the limit; -EEXIST overlap; -ENOSPC too many regions. */
MUST_CHECK int bus_add(struct bus *bus, const struct bus_region *region);

/* Removes the region that starts at @base and belongs to @device; none such is fine. */
void bus_remove(struct bus *bus, uint64_t base, const void *device);

uint64_t bus_read(struct bus *bus, uint64_t address, uint32_t size);
void bus_write(struct bus *bus, uint64_t address, uint64_t value, uint32_t size);
