/*
 * An address space's areas: see area.h.
 */
#include "kernel/mem/area.h"
#include "kernel/mem/object.h"

/* Mappings end below the stack's room; page 0 and its surroundings stay free. */
#define MMAP_TOP    UINT64_C(0x00007fff00000000)
#define MMAP_BOTTOM UINT64_C(0x10000)

static struct object_cache area_cache = OBJECT_CACHE("area", struct area);

static struct area *area_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct area, node) : NULL;
}

struct area *area_first_ending_after(const struct mm *mm, uint64_t address)
{
	struct rb_node *node = mm->areas.root;
	struct area *best = NULL;

	while (node) {
		struct area *area = area_of(node);

		if (area->end > address) {
			best = area;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}

struct area *area_find(const struct mm *mm, uint64_t address)
{
	struct area *area = area_first_ending_after(mm, address);

	return area && area->start <= address ? area : NULL;
}

struct area *area_next(const struct area *area)
{
	return area_of(rb_next(&area->node));
}

static void get_owners(const struct area *area)
{
	memobj_get(area->object);
	if (area->ops)
		area->ops->get(area->owner);
}

static void put_owners(const struct area *area)
{
	memobj_put(area->object);
	if (area->ops)
		area->ops->put(area->owner);
}

struct area *area_add(struct mm *mm, const struct area *template)
{
	struct rb_node **link = &mm->areas.root, *parent = NULL;
	struct area *area = object_alloc(&area_cache);

	if (!area)
		return NULL;
	*area = *template;
	get_owners(area);
	while (*link) {
		parent = *link;
		link = area->start < area_of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert(&mm->areas, &area->node, parent, link);
	return area;
}

void area_remove(struct mm *mm, struct area *area)
{
	rb_remove(&mm->areas, &area->node);
	put_owners(area);
	object_free(&area_cache, area);
}

int area_cut(struct mm *mm, uint64_t address)
{
	struct area *area = area_find(mm, address);
	struct area upper;

	if (!area || area->start == address)
		return 0;
	upper = *area;
	upper.start = address;
	upper.offset += address - area->start;
	area->end = address;
	if (!area_add(mm, &upper)) {
		area->end = upper.end;
		return -ENOMEM;
	}
	return 0;
}

bool area_is_free(const struct mm *mm, uint64_t start, uint64_t end)
{
	const struct area *area = area_first_ending_after(mm, start);

	return !area || area->start >= end;
}

uint64_t area_find_gap(const struct mm *mm, uint64_t size, uint64_t alignment)
{
	uint64_t end = MMAP_TOP;
	struct rb_node *node = rb_last(&mm->areas);

	for (;;) {
		const struct area *below = area_of(node);
		uint64_t floor = below ? below->end : MMAP_BOTTOM;
		uint64_t start = end >= size ? (end - size) & ~(alignment - 1) : 0;

		if (start >= floor && start >= MMAP_BOTTOM)
			return start;
		if (!below)
			return 0;
		if (below->start < end)
			end = below->start;
		node = rb_previous(node);
	}
}
