/*
 * A VM's memory slots: which of its owner's memory is where in the guest.
 *
 * Slots don't overlap. The table is replaced as a whole on a change, so that a vCPU that looks something up sees either the
 * old one or the new one.
 *
 * Source: KVM API, "KVM_SET_USER_MEMORY_REGION".
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/compiler.h"

enum { MEMSLOTS_MAX = 512 };

struct memslot {
	uint64_t start, end; /* guest-physical; half-open */
	uint64_t hva;	     /* of start */
	uint32_t id;
	uint32_t flags;	 /* KVM_MEM_* */
	uint64_t *dirty; /* a bit per page, with KVM_MEM_LOG_DIRTY_PAGES; owned */
};

struct memslots {
	uint32_t count;
	struct memslot slots[]; /* ascending by start */
};

/* Both are pure. @slots may be NULL: none. The one that holds @at, or that has @id, or NULL. */
struct memslot *memslots_find(struct memslots *slots, gpa_t at);
struct memslot *memslots_find_id(struct memslots *slots, uint32_t id);

/* Of a slot's bitmap: whole words. */
static inline uint64_t memslot_dirty_bytes(const struct memslot *slot)
{
	return ((slot->end - slot->start) / 4096 + 63) / 64 * 8;
}

/* Notes a write to the page at @at, inside @slot, which has a bitmap. The caller locks. */
static inline void memslot_mark(struct memslot *slot, uint64_t at)
{
	uint64_t page = (at - slot->start) / 4096;

	slot->dirty[page / 64] |= UINT64_C(1) << page % 64;
}

/**
 * memslots_change() - the table as it is after KVM_SET_USER_MEMORY_REGION
 * @out: a new table (its slots' bitmaps are the old ones'); the caller puts it in place and frees the old one
 *
 * Returns 0; -EINVAL, -EEXIST, -ENOMEM as documented.
 */
MUST_CHECK int memslots_change(const struct memslots *slots,
			       const struct kvm_userspace_memory_region *region,
			       struct memslots **out);
