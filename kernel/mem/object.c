/*
 * Kernel objects: see object.h.
 *
 * A cache cuts pages into objects and keeps them: pages go back only as kmalloc()'s large pieces do. Every piece's frame knows
 * its cache, so kfree() needs no size.
 */
#include <string.h>

#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "lib/compiler.h"

enum {
	OBJECT_ALIGNMENT = 16,
	SLAB_ORDER_MAX = 3,
	OBJECTS_PER_SLAB_MIN = 4,
};

static struct spinlock caches_lock;
static struct object_cache *caches;

static uint32_t stride_of(const struct object_cache *cache)
{
	return (uint32_t)align_up(cache->size_bytes, OBJECT_ALIGNMENT);
}

/* The smallest piece that holds a few objects. */
static uint32_t slab_order(const struct object_cache *cache)
{
	uint32_t order = 0;

	while (order < SLAB_ORDER_MAX &&
	       (PAGE_BYTES << order) < (uint64_t)OBJECTS_PER_SLAB_MIN * stride_of(cache))
		order++;
	return order;
}

static void make_known(struct object_cache *cache)
{
	if (cache->is_known)
		return;
	spin_lock(&caches_lock);
	cache->is_known = true;
	cache->next = caches;
	caches = cache;
	spin_unlock(&caches_lock);
}

static bool cache_grow(struct object_cache *cache)
{
	uint32_t order = slab_order(cache), stride = stride_of(cache);
	uint64_t size = PAGE_BYTES << order;
	hpa_t frame;
	char *slab;

	if (frame_alloc(FRAME_KERNEL, order, &frame))
		return false;
	make_known(cache);
	frame_of(frame)->object = cache;
	slab = direct(frame);
	for (uint64_t at = 0; at + stride <= size; at += stride) {
		*(void **)(slab + at) = cache->free;
		cache->free = slab + at;
	}
	cache->pages += UINT64_C(1) << order;
	return true;
}

void *object_alloc(struct object_cache *cache)
{
	uint64_t flags = spin_lock_irqsave(&cache->lock);
	void *object = NULL;

	if (cache->free || cache_grow(cache)) {
		object = cache->free;
		cache->free = *(void **)object;
		cache->used++;
	}
	spin_unlock_irqrestore(&cache->lock, flags);
	return object ? memset(object, 0, cache->size_bytes) : NULL;
}

void object_free(struct object_cache *cache, void *object)
{
	uint64_t flags = spin_lock_irqsave(&cache->lock);

	assert(cache->used);
	*(void **)object = cache->free;
	cache->free = object;
	cache->used--;
	spin_unlock_irqrestore(&cache->lock, flags);
}

void object_caches(void (*visit)(const struct object_cache *cache, void *context), void *context)
{
	for (const struct object_cache *cache = caches; cache; cache = cache->next)
		visit(cache, context);
}

/* --- kmalloc --- */

static struct object_cache sizes[] = {
	{ .name = "kmalloc-32", .size_bytes = 32 },
	{ .name = "kmalloc-64", .size_bytes = 64 },
	{ .name = "kmalloc-128", .size_bytes = 128 },
	{ .name = "kmalloc-256", .size_bytes = 256 },
	{ .name = "kmalloc-512", .size_bytes = 512 },
	{ .name = "kmalloc-1024", .size_bytes = 1024 },
	{ .name = "kmalloc-2048", .size_bytes = 2048 },
};

static void *large_alloc(size_t size)
{
	uint32_t order = 0;
	hpa_t frame;

	while (order < FRAME_ORDERS && (PAGE_BYTES << order) < size)
		order++;
	if (order == FRAME_ORDERS || frame_alloc(FRAME_KERNEL, order, &frame))
		return NULL;
	return memset(direct(frame), 0, PAGE_BYTES << order);
}

void *kmalloc(size_t size)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (size <= sizes[i].size_bytes)
			return object_alloc(&sizes[i]);
	return large_alloc(size);
}

/* The frame that heads the piece which @memory is in: slabs are aligned to their size. */
static struct frame *head_of(const void *memory)
{
	uint64_t at = direct_hpa(memory).v;

	for (uint32_t order = 0;; order++) {
		struct frame *frame = frame_of(hpa(at & ~((PAGE_BYTES << order) - 1)));

		assert(order < FRAME_ORDERS);
		if (frame->state == FRAME_USED)
			return frame;
	}
}

void kfree(void *memory)
{
	struct frame *head;

	if (!memory)
		return;
	head = head_of(memory);
	if (head->object)
		object_free(head->object, memory);
	else
		frame_put(direct_hpa(memory));
}
