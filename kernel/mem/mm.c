/*
 * The address space of a process: see mm.h. This file changes mappings; fault.c fills them.
 */
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/tlb.h"
#include "kernel/mem/area.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/init.h"
#include "kernel/mem/mm.h"
#include "kernel/mem/object.h"
#include "kernel/mem/pages.h"
#include "kernel/mem/table.h"

enum { USER_TOP_ENTRIES = PTES_PER_TABLE / 2 };

#define BRK_MAX_BYTES (UINT64_C(64) << 30)

static struct object_cache mm_cache = OBJECT_CACHE("mm", struct mm);

struct mm *mm_create(void)
{
	struct mm *mm = object_alloc(&mm_cache);

	if (!mm)
		return NULL;
	mm->top = page_alloc();
	if (!mm->top) {
		object_free(&mm_cache, mm);
		return NULL;
	}
	memcpy(mm->top + USER_TOP_ENTRIES, kernel_top + USER_TOP_ENTRIES,
	       USER_TOP_ENTRIES * sizeof(pte_t));
	mm->users = 1;
	mutex_init(&mm->lock);
	list_init(&mm->mirrors);
	return mm;
}

struct mm *mm_get(struct mm *mm)
{
	if (mm)
		__atomic_fetch_add(&mm->users, 1, __ATOMIC_RELAXED);
	return mm;
}

void mm_put(struct mm *mm)
{
	struct area *area;

	if (!mm || __atomic_sub_fetch(&mm->users, 1, __ATOMIC_ACQ_REL))
		return;
	while ((area = area_first_ending_after(mm, 0))) {
		pages_unmap(mm, area->start, area->end);
		area_remove(mm, area);
	}
	table_free_below(mm->top, LEVEL_TOP, 0, USER_TOP_ENTRIES);
	page_free(mm->top);
	object_free(&mm_cache, mm);
}

static bool range_is_valid(uint64_t start, uint64_t size)
{
	return start % PAGE_BYTES == 0 && size && !range_wraps(start, size) &&
	       start + size <= USER_END;
}

/* Takes everything out of [start, end), whose borders are cut already. */
static void unmap_areas(struct mm *mm, uint64_t start, uint64_t end)
{
	struct area *area = area_first_ending_after(mm, start);

	pages_unmap(mm, start, end);
	while (area && area->start < end) {
		struct area *next = area_next(area);

		area_remove(mm, area);
		area = next;
	}
}

static int cut_range(struct mm *mm, uint64_t start, uint64_t end)
{
	int err = area_cut(mm, start);

	return err ? err : area_cut(mm, end);
}

/* Large private mappings lie so that huge pages fit. */
static uint64_t alignment_for(const struct mm_request *request)
{
	return request->size_bytes >= HUGE_BYTES ? HUGE_BYTES : PAGE_BYTES;
}

static int choose_place(struct mm *mm, const struct mm_request *request, uint64_t size,
			uint64_t *out)
{
	uint64_t at = request->address;
	int err;

	if (request->is_fixed) {
		if (!range_is_valid(at, size))
			return at % PAGE_BYTES ? -EINVAL : -ENOMEM;
		if (request->is_exclusive && !area_is_free(mm, at, at + size))
			return -EEXIST;
		err = cut_range(mm, at, at + size);
		if (err)
			return err;
		unmap_areas(mm, at, at + size);
	} else if (!at || !range_is_valid(at, size) || !area_is_free(mm, at, at + size)) {
		at = area_find_gap(mm, size, alignment_for(request));
		if (!at)
			return -ENOMEM;
	}
	*out = at;
	return 0;
}

static int map_locked(struct mm *mm, const struct mm_request *request, uint64_t *out)
{
	uint64_t size = align_up(request->size_bytes, PAGE_BYTES), at;
	int err;

	if (!request->size_bytes || request->offset % PAGE_BYTES)
		return -EINVAL;
	if (!size || size > USER_END)
		return -ENOMEM;
	err = choose_place(mm, request, size, &at);
	if (err)
		return err;
	if (!area_add(mm, &(struct area){ .start = at,
					  .end = at + size,
					  .flags = request->flags,
					  .object = request->object,
					  .offset = request->offset,
					  .ops = request->ops,
					  .owner = request->owner }))
		return -ENOMEM;
	*out = at;
	return 0;
}

int mm_map(struct mm *mm, const struct mm_request *request, uint64_t *out)
{
	int err;

	mutex_lock(&mm->lock);
	err = map_locked(mm, request, out);
	mutex_unlock(&mm->lock);
	return err;
}

int mm_unmap(struct mm *mm, uint64_t start, uint64_t size_bytes)
{
	uint64_t size = align_up(size_bytes, PAGE_BYTES);
	int err;

	if (!range_is_valid(start, size))
		return -EINVAL;
	mutex_lock(&mm->lock);
	err = cut_range(mm, start, start + size);
	if (!err)
		unmap_areas(mm, start, start + size);
	mutex_unlock(&mm->lock);
	return err;
}

static bool is_wholly_mapped(const struct mm *mm, uint64_t start, uint64_t end)
{
	const struct area *area = area_first_ending_after(mm, start);

	while (area && area->start <= start && area->end < end) {
		start = area->end;
		area = area_next(area);
	}
	return area && area->start <= start;
}

/* All of [start, end) has those of @mask as in @flags from now on. */
static int change_flags(struct mm *mm, uint64_t start, uint64_t end, uint32_t mask, uint32_t flags)
{
	int err;

	if (!is_wholly_mapped(mm, start, end))
		return -ENOMEM;
	err = cut_range(mm, start, end);
	if (err)
		return err;
	for (struct area *area = area_find(mm, start); area && area->start < end;
	     area = area_next(area))
		area->flags = (area->flags & ~mask) | (flags & mask);
	return 0;
}

static int protect_locked(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags)
{
	int err = change_flags(mm, start, end, AREA_READ | AREA_WRITE | AREA_EXEC, flags);

	/* What is present is looked at anew: faults bring it back with the new rights. */
	if (!err)
		pages_reprotect(mm, start, end, flags);
	return err;
}

int mm_protect(struct mm *mm, uint64_t start, uint64_t size_bytes, uint32_t flags)
{
	uint64_t size = align_up(size_bytes, PAGE_BYTES);
	int err;

	if (!size)
		return start % PAGE_BYTES ? -EINVAL : 0;
	if (!range_is_valid(start, size))
		return start % PAGE_BYTES ? -EINVAL : -ENOMEM;
	mutex_lock(&mm->lock);
	err = protect_locked(mm, start, start + size, flags);
	mutex_unlock(&mm->lock);
	return err;
}

/* Where a range ends that advice is about: at its start, if it has no pages. */
static int find_end(uint64_t start, uint64_t size_bytes, uint64_t *end)
{
	uint64_t size = align_up(size_bytes, PAGE_BYTES);

	if (start % PAGE_BYTES || (size && !range_is_valid(start, size)))
		return -EINVAL;
	*end = start + size;
	return 0;
}

/* Is all of it mapped? And if so or not, what is mapped is forgotten where @discards. */
static int check_mapped(struct mm *mm, uint64_t start, uint64_t size_bytes, bool discards)
{
	uint64_t end;
	int err = find_end(start, size_bytes, &end);

	if (err || end == start)
		return err;
	mutex_lock(&mm->lock);
	err = is_wholly_mapped(mm, start, end) ? 0 : -ENOMEM;
	if (discards)
		pages_unmap(mm, start, end);
	mutex_unlock(&mm->lock);
	return err;
}

int mm_allow_huge(struct mm *mm, uint64_t start, uint64_t size_bytes, bool is_allowed)
{
	uint64_t end;
	int err = find_end(start, size_bytes, &end);

	if (err || end == start)
		return err;
	mutex_lock(&mm->lock);
	err = change_flags(mm, start, end, AREA_NO_HUGE, is_allowed ? 0 : AREA_NO_HUGE);
	mutex_unlock(&mm->lock);
	return err;
}

int mm_check_mapped(struct mm *mm, uint64_t start, uint64_t size_bytes)
{
	return check_mapped(mm, start, size_bytes, false);
}

int mm_discard(struct mm *mm, uint64_t start, uint64_t size_bytes)
{
	return check_mapped(mm, start, size_bytes, true);
}

struct memobj *mm_shared_object(struct mm *mm, uint64_t address, uint64_t *offset)
{
	struct memobj *object = NULL;
	const struct area *area;

	mutex_lock(&mm->lock);
	area = area_find(mm, address);
	if (area && (area->flags & AREA_SHARED) && area->object) {
		object = memobj_get(area->object);
		*offset = address - area->start + area->offset;
	}
	mutex_unlock(&mm->lock);
	return object;
}

static int set_brk_locked(struct mm *mm, uint64_t brk)
{
	uint64_t old_end = align_up(mm->brk, PAGE_BYTES), end = align_up(brk, PAGE_BYTES);
	const struct mm_request request = {
		.address = old_end,
		.size_bytes = end - old_end,
		.flags = AREA_READ | AREA_WRITE,
		.is_fixed = true,
		.is_exclusive = true,
	};
	uint64_t at;
	int err;

	if (brk < mm->brk_start || brk - mm->brk_start > BRK_MAX_BYTES)
		return -ENOMEM;
	if (end > old_end)
		return map_locked(mm, &request, &at);
	if (end < old_end) {
		err = cut_range(mm, end, old_end);
		if (err)
			return err;
		unmap_areas(mm, end, old_end);
	}
	return 0;
}

/* As Linux: a brk that can't be is answered with the old one. */
uint64_t mm_set_brk(struct mm *mm, uint64_t brk)
{
	uint64_t now;

	mutex_lock(&mm->lock);
	if (brk && !set_brk_locked(mm, brk))
		mm->brk = brk;
	now = mm->brk;
	mutex_unlock(&mm->lock);
	return now;
}

static bool copy_areas(struct mm *from, struct mm *to)
{
	for (struct area *area = area_first_ending_after(from, 0); area; area = area_next(area)) {
		if (!area_add(to, area))
			return false;
		if (!pages_share(from, to, area))
			return false;
	}
	return true;
}

struct mm *mm_fork(struct mm *mm)
{
	struct mm *child = mm_create();

	if (!child)
		return NULL;
	mutex_lock(&mm->lock);
	child->brk_start = mm->brk_start;
	child->brk = mm->brk;
	if (!copy_areas(mm, child)) {
		mutex_unlock(&mm->lock);
		mm_put(child);
		return NULL;
	}
	mutex_unlock(&mm->lock);
	return child;
}

void mm_add_mirror(struct mm *mm, struct mm_mirror *mirror)
{
	mutex_lock(&mm->lock);
	list_append(&mm->mirrors, &mirror->node);
	mutex_unlock(&mm->lock);
}

void mm_remove_mirror(struct mm *mm, struct mm_mirror *mirror)
{
	mutex_lock(&mm->lock);
	list_remove(&mirror->node);
	mutex_unlock(&mm->lock);
}

void mm_activate(struct mm *mm)
{
	uint64_t top = direct_hpa(mm ? mm->top : kernel_top).v;

	if (read_cr3() != top)
		write_cr3(top);
}
