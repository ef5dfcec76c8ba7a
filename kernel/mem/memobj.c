/*
 * Memory that can be mapped by several address spaces: see memobj.h.
 */
#include <string.h>

#include "kernel/mem/frame.h"
#include "kernel/mem/memobj.h"
#include "kernel/mem/object.h"
#include "kernel/mem/window.h"

enum { FANOUT_SHIFT = 9, FANOUT = 1 << FANOUT_SHIFT };

static struct object_cache memobj_cache = OBJECT_CACHE("memobj", struct memobj);

struct memobj *memobj_create(uint64_t size_bytes)
{
	struct memobj *object = object_alloc(&memobj_cache);

	if (!object)
		return NULL;
	object->refs = 1;
	object->size_bytes = size_bytes;
	mutex_init(&object->lock);
	return object;
}

struct memobj *memobj_get(struct memobj *object)
{
	if (object)
		__atomic_fetch_add(&object->refs, 1, __ATOMIC_RELAXED);
	return object;
}

/* Frees the pages from number @first on below @node, whose own first page is number @base. Returns whether any is left. */
static bool prune(struct memobj *object, uint64_t *node, uint32_t height, uint64_t base,
		  uint64_t first)
{
	uint64_t span = UINT64_C(1) << (FANOUT_SHIFT * height);
	bool has_some = false;

	for (uint64_t i = 0; i < FANOUT; i++) {
		uint64_t start = base + i * span;

		if (!node[i])
			continue;
		if (start + span <= first) {
			has_some = true;
		} else if (height) {
			if (prune(object, (uint64_t *)node[i], height - 1, start, first)) {
				has_some = true;
			} else {
				page_free((void *)node[i]);
				node[i] = 0;
			}
		} else {
			frame_put(hpa(node[i]));
			node[i] = 0;
			object->nr_pages--;
		}
	}
	return has_some;
}

static void prune_all(struct memobj *object, uint64_t first)
{
	if (!object->root || prune(object, object->root, object->height, 0, first))
		return;
	page_free(object->root);
	object->root = NULL;
	object->height = 0;
}

void memobj_put(struct memobj *object)
{
	if (!object || __atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL))
		return;
	prune_all(object, 0);
	object_free(&memobj_cache, object);
}

/* Grows upwards until page @index has a place. */
static bool grow(struct memobj *object, uint64_t index)
{
	while (!object->root || index >> (FANOUT_SHIFT * (object->height + 1))) {
		uint64_t *root = page_alloc();

		if (!root)
			return false;
		if (object->root) {
			root[0] = (uint64_t)object->root;
			object->height++;
		}
		object->root = root;
	}
	return true;
}

/* The leaf slot of page @index, made if need be. NULL for want of memory. */
static uint64_t *slot_of(struct memobj *object, uint64_t index)
{
	uint64_t *node;

	if (!grow(object, index))
		return NULL;
	node = object->root;
	for (uint32_t height = object->height; height; height--) {
		uint64_t *entry = &node[index >> (FANOUT_SHIFT * height) & (FANOUT - 1)];

		if (!*entry)
			*entry = (uint64_t)page_alloc();
		if (!*entry)
			return NULL;
		node = (uint64_t *)*entry;
	}
	return &node[index & (FANOUT - 1)];
}

static int page_locked(struct memobj *object, uint64_t index, hpa_t *out)
{
	uint64_t *slot;
	hpa_t frame;

	if (index >= (object->size_bytes + PAGE_BYTES - 1) / PAGE_BYTES)
		return -EINVAL;
	slot = slot_of(object, index);
	if (!slot)
		return -ENOMEM;
	if (!*slot) {
		if (window_alloc_zeroed(0, &frame))
			return -ENOMEM;
		*slot = frame.v;
		object->nr_pages++;
	}
	*out = hpa(*slot);
	frame_get(*out);
	return 0;
}

int memobj_page(struct memobj *object, uint64_t index, hpa_t *out)
{
	int err;

	mutex_lock(&object->lock);
	err = page_locked(object, index, out);
	mutex_unlock(&object->lock);
	return err;
}

/* What lies behind the end in the last page must not come back when the object grows. */
static void zero_tail(struct memobj *object, uint64_t size_bytes)
{
	uint64_t within = size_bytes % PAGE_BYTES, *slot;
	char *page;

	slot = within && object->root ? slot_of(object, size_bytes / PAGE_BYTES) : NULL;
	if (!slot || !*slot)
		return;
	page = window_open(WINDOW_A, hpa(*slot));
	memset(page + within, 0, PAGE_BYTES - within);
	window_close(WINDOW_A);
}

void memobj_resize(struct memobj *object, uint64_t size_bytes)
{
	mutex_lock(&object->lock);
	if (size_bytes < object->size_bytes) {
		prune_all(object, (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
		zero_tail(object, size_bytes);
	}
	object->size_bytes = size_bytes;
	mutex_unlock(&object->lock);
}

enum direction { READ, WRITE };

static int transfer(struct memobj *object, uint64_t offset, char *buffer, uint64_t size,
		    enum direction direction)
{
	while (size) {
		uint64_t within = offset % PAGE_BYTES, step = min_u64(size, PAGE_BYTES - within);
		hpa_t frame;
		char *page;
		int err = memobj_page(object, offset / PAGE_BYTES, &frame);

		if (err)
			return err;
		page = window_open(WINDOW_A, frame);
		if (direction == READ)
			memcpy(buffer, page + within, step);
		else
			memcpy(page + within, buffer, step);
		window_close(WINDOW_A);
		frame_put(frame);
		buffer += step;
		offset += step;
		size -= step;
	}
	return 0;
}

int memobj_read(struct memobj *object, uint64_t offset, void *buffer, uint64_t size)
{
	return transfer(object, offset, buffer, size, READ);
}

int memobj_write(struct memobj *object, uint64_t offset, const void *buffer, uint64_t size)
{
	return transfer(object, offset, (char *)(uintptr_t)buffer, size, WRITE);
}
