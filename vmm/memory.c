/*
 * The guest's memory: see memory.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/memory.h"

static const uint64_t HUGE_PAGE_BYTES = 2ull << 20;

/* What a PC keeps below 1 MiB and a kernel's first pages: a few of these are used, by every guest. */
static const uint64_t SPARSE_BYTES = 2ull << 20;

/* Maps @size_bytes at a 2 MiB boundary, so that the host can back every aligned 2 MiB by one huge page. */
static void *map_aligned(uint64_t size_bytes)
{
	uint64_t padded = size_bytes + HUGE_PAGE_BYTES;
	uintptr_t start, aligned;
	void *raw;

	raw = mmap(NULL, padded, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	start = (uintptr_t)raw;
	aligned = align_up(start, HUGE_PAGE_BYTES);
	if (aligned > start)
		munmap(raw, aligned - start);
	if (start + padded > aligned + size_bytes)
		munmap((void *)(aligned + size_bytes), start + padded - aligned - size_bytes);
	return (void *)aligned;
}

int memory_create(uint64_t size_bytes, struct guest_memory *out, struct errmsg *why)
{
	uint64_t low = min_u64(size_bytes, MMIO_HOLE_START);
	uint8_t *mapping;

	if (!size_bytes || size_bytes % (1u << 20))
		return errmsg_user(why, -EINVAL,
				   "memory: expected a multiple of 1 MiB, found %llu bytes",
				   (unsigned long long)size_bytes);
	mapping = map_aligned(size_bytes);
	if (!mapping)
		return errmsg_system(why, -ENOMEM, "memory: cannot map %llu MiB: %s",
				     (unsigned long long)(size_bytes >> 20), strerror(errno));

	/*
	 * Best effort: a host without huge pages runs the guest all the same, slower. The boot data alone would
	 * have the host clear the first 2 MiB whole, which takes longer than all else before the guest's start.
	 */
	(void)madvise(mapping, size_bytes, MADV_HUGEPAGE);
	(void)madvise(mapping, min_u64(size_bytes, SPARSE_BYTES), MADV_NOHUGEPAGE);
	/* A crash dump of the monitor must not carry the guest's secrets. */
	(void)madvise(mapping, size_bytes, MADV_DONTDUMP);

	*out = (struct guest_memory){ .size_bytes = size_bytes, .mapping = mapping };
	out->regions[out->nr_regions++] =
		(struct memory_region){ .base = gpa(0), .size_bytes = low, .hva = mapping };
	if (size_bytes > low)
		out->regions[out->nr_regions++] =
			(struct memory_region){ .base = gpa(MMIO_HOLE_END),
						.size_bytes = size_bytes - low,
						.hva = mapping + low };
	return 0;
}

void memory_destroy(struct guest_memory *memory)
{
	if (memory->mapping)
		munmap(memory->mapping, memory->size_bytes);
	*memory = (struct guest_memory){ 0 };
}

int memory_read(const struct guest_memory *memory, gpa_t base, void *buffer, uint64_t size)
{
	const void *from = memory_at(memory, base, size);

	if (!from)
		return -EFAULT;
	memcpy(buffer, from, size);
	return 0;
}

int memory_write(const struct guest_memory *memory, gpa_t base, const void *buffer, uint64_t size)
{
	void *to = memory_at(memory, base, size);

	if (!to)
		return -EFAULT;
	memcpy(to, buffer, size);
	return 0;
}

uint64_t memory_low_end(const struct guest_memory *memory)
{
	return memory->regions[0].size_bytes;
}

uint64_t memory_high_end(const struct guest_memory *memory)
{
	const struct memory_region *last = &memory->regions[memory->nr_regions - 1];

	return last->base.v + last->size_bytes;
}
