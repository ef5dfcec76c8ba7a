/*
 * The memory map that a guest is told: see memmap.h.
 */
#include "vmm/boot/layout.h"
#include "vmm/boot/memmap.h"

static void add(struct memmap *map, uint64_t start, uint64_t end, enum memmap_type type)
{
	if (end <= start)
		return;
	assert(map->count < MEMMAP_MAX);
	map->entries[map->count++] =
		(struct memmap_entry){ .start = start, .size_bytes = end - start, .type = type };
}

void memmap_build(struct memmap *map, const struct guest_memory *memory)
{
	*map = (struct memmap){ 0 };
	add(map, 0, LOW_RAM_END, MEMMAP_RAM);
	add(map, LOW_RAM_END, HIGH_RAM_START, MEMMAP_RESERVED);
	add(map, HIGH_RAM_START, memory_low_end(memory), MEMMAP_RAM);
	add(map, PCI_ECAM_AT, PCI_ECAM_AT + PCI_ECAM_BYTES, MEMMAP_RESERVED);
	if (memory->nr_regions > 1)
		add(map, MMIO_HOLE_END, memory_high_end(memory), MEMMAP_RAM);
}
