/*
 * An address space of emulated registers: see bus.h. A sorted array and a binary search.
 */
#include <errno.h>
#include <string.h>

#include "vmm/bus.h"

/* The index of the first region that ends above @address. */
static uint32_t bus_search(const struct bus *bus, uint64_t address)
{
	uint32_t low = 0, high = bus->nr_regions;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct bus_region *region = &bus->regions[middle];

		if (region->base + (region->size - 1) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int bus_add(struct bus *bus, const struct bus_region *region)
{
	uint64_t last = region->base + (region->size - 1);
	uint32_t at;

	if (!region->size || last < region->base || (bus->limit && last >= bus->limit))
		return -EINVAL;
	if (bus->nr_regions == BUS_REGION_MAX)
		return -ENOSPC;
	at = bus_search(bus, region->base);
	if (at < bus->nr_regions && bus->regions[at].base <= last)
		return -EEXIST;

	memmove(&bus->regions[at + 1], &bus->regions[at],
		(bus->nr_regions - at) * sizeof(bus->regions[0]));
	bus->regions[at] = *region;
	bus->nr_regions++;
	return 0;
}

void bus_remove(struct bus *bus, uint64_t base, const void *device)
{
	uint32_t at = bus_search(bus, base);

	if (at == bus->nr_regions || bus->regions[at].base != base ||
	    bus->regions[at].device != device)
		return;
	bus->nr_regions--;
	memmove(&bus->regions[at], &bus->regions[at + 1],
		(bus->nr_regions - at) * sizeof(bus->regions[0]));
}

static bool region_has(const struct bus_region *region, uint64_t address)
{
	return address - region->base < region->size;
}

/* A guest that has touched a device mostly goes on with it. */
static struct bus_region *bus_find(struct bus *bus, uint64_t address, uint32_t size)
{
	struct bus_region *region = &bus->regions[bus->recent];

	if (bus->recent >= bus->nr_regions || !region_has(region, address)) {
		uint32_t at = bus_search(bus, address);

		region = &bus->regions[at];
		if (at == bus->nr_regions || !region_has(region, address))
			return NULL;
		bus->recent = at;
	}
	return size <= region->size - (address - region->base) ? region : NULL;
}

static uint64_t size_mask(uint32_t size)
{
	return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

uint64_t bus_read(struct bus *bus, uint64_t address, uint32_t size)
{
	struct bus_region *region = bus_find(bus, address, size);

	if (!region) {
		bus->unclaimed++;
		return size_mask(size);
	}
	return region->ops->read(region->device, address - region->base, size) & size_mask(size);
}

void bus_write(struct bus *bus, uint64_t address, uint64_t value, uint32_t size)
{
	struct bus_region *region = bus_find(bus, address, size);

	if (!region) {
		bus->unclaimed++;
		return;
	}
	region->ops->write(region->device, address - region->base, value & size_mask(size), size);
}
