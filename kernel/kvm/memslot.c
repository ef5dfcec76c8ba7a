/*
 * A VM's memory slots: see memslot.h.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/arch/paging.h"
#include "kernel/kvm/memslot.h"
#include "kernel/mem/object.h"

enum { FLAGS_KNOWN = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY };

#define PAGES_MAX ((UINT64_C(1) << 31) - 1)

struct memslot *memslots_find(struct memslots *slots, gpa_t at)
{
	uint32_t low = 0, high = slots ? slots->count : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (slots->slots[middle].end <= at.v)
			low = middle + 1;
		else
			high = middle;
	}
	return slots && low < slots->count && slots->slots[low].start <= at.v ? &slots->slots[low]
									      : NULL;
}

struct memslot *memslots_find_id(struct memslots *slots, uint32_t id)
{
	for (uint32_t i = 0; slots && i < slots->count; i++)
		if (slots->slots[i].id == id)
			return &slots->slots[i];
	return NULL;
}

static int check_region(const struct kvm_userspace_memory_region *region)
{
	if ((region->flags & ~(uint32_t)FLAGS_KNOWN) || region->slot >= MEMSLOTS_MAX)
		return -EINVAL;
	if ((region->memory_size | region->guest_phys_addr | region->userspace_addr) % PAGE_BYTES)
		return -EINVAL;
	if (region->memory_size / PAGE_BYTES > PAGES_MAX ||
	    range_wraps(region->guest_phys_addr, region->memory_size))
		return -EINVAL;
	if (region->userspace_addr > USER_END ||
	    region->memory_size > USER_END - region->userspace_addr)
		return -EINVAL;
	return 0;
}

static bool overlaps_another(const struct memslots *slots, const struct memslot *wanted)
{
	for (uint32_t i = 0; slots && i < slots->count; i++) {
		const struct memslot *slot = &slots->slots[i];

		if (slot->id != wanted->id && slot->start < wanted->end &&
		    wanted->start < slot->end)
			return true;
	}
	return false;
}

/* An existing slot may be moved or change its flags; its size, its memory and whether it is read-only stay. */
static int check_change(const struct memslot *old, const struct memslot *wanted)
{
	if (old->end - old->start != wanted->end - wanted->start || old->hva != wanted->hva ||
	    ((old->flags ^ wanted->flags) & KVM_MEM_READONLY))
		return -EINVAL;
	return 0;
}

/* The old slots but @leave_out, and @add in its place by address. */
static struct memslots *rebuild(const struct memslots *slots, uint32_t leave_out,
				const struct memslot *add)
{
	uint32_t old_count = slots ? slots->count : 0;
	struct memslots *new = kmalloc(sizeof(*new) + (old_count + 1) * sizeof(struct memslot));
	bool is_added = !add;

	if (!new)
		return NULL;
	for (uint32_t i = 0; i < old_count; i++) {
		if (slots->slots[i].id == leave_out)
			continue;
		if (!is_added && add->start < slots->slots[i].start) {
			new->slots[new->count++] = *add;
			is_added = true;
		}
		new->slots[new->count++] = slots->slots[i];
	}
	if (!is_added)
		new->slots[new->count++] = *add;
	return new;
}

int memslots_change(const struct memslots *slots, const struct kvm_userspace_memory_region *region,
		    struct memslots **out)
{
	struct memslot *old = memslots_find_id((struct memslots *)(uintptr_t)slots, region->slot);
	struct memslot wanted = {
		.start = region->guest_phys_addr,
		.end = region->guest_phys_addr + region->memory_size,
		.hva = region->userspace_addr,
		.id = region->slot,
		.flags = region->flags,
		.dirty = old ? old->dirty : NULL,
	};
	int err = check_region(region);

	if (err)
		return err;
	if (!region->memory_size && !old)
		return -EINVAL;
	if (region->memory_size && old) {
		err = check_change(old, &wanted);
		if (err)
			return err;
	}
	if (overlaps_another(slots, &wanted))
		return -EEXIST;
	*out = rebuild(slots, region->slot, region->memory_size ? &wanted : NULL);
	return *out ? 0 : -ENOMEM;
}
