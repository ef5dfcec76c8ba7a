/*
 * Frames: see frame.h. A buddy allocator with one set of free lists per owner. The users' list of whole blocks is where
 * all memory starts; blocks that the kernel has used and freed wait, still mapped, in its own list of whole blocks. Whole
 * blocks that aren't known to be zero have a list behind the others: they are split, or given, last.
 */
#include <string.h>

#include "kernel/arch/spinlock.h"
#include "kernel/mem/frame.h"

#define NO_FRAME UINT32_MAX

enum {
	LIST_DIRTY = FRAME_ORDERS,
	LISTS,
	CLEAN_SHARE = 4, /* of all memory a quarter, at most, is zeroed ahead of use */
};

struct frame_list {
	uint32_t first;
	uint64_t count; /* pieces */
};

static struct frame *frames;
static uint64_t nr_frames;
static const struct frame_ops *frame_ops;
static struct frame_list lists[FRAME_OWNERS][LISTS];
static struct frame_counts counts;
static struct spinlock lock;

static uint32_t number_of(hpa_t address)
{
	return (uint32_t)(address.v >> PAGE_SHIFT);
}

static hpa_t address_of(uint32_t number)
{
	return hpa((uint64_t)number << PAGE_SHIFT);
}

struct frame *frame_of(hpa_t address)
{
	assert(number_of(address) < nr_frames);
	return &frames[number_of(address)];
}

uint32_t frame_refs(hpa_t address)
{
	return __atomic_load_n(&frame_of(address)->refs, __ATOMIC_ACQUIRE);
}

/* --- lists of free pieces --- */

static struct frame_list *list_of(const struct frame *frame)
{
	bool is_dirty = frame->order == FRAME_ORDER_HUGE && !frame->is_clean;

	return &lists[frame->owner][is_dirty ? LIST_DIRTY : frame->order];
}

static void list_push(enum frame_owner owner, uint32_t number, uint32_t order)
{
	struct frame *frame = &frames[number];
	struct frame_list *list;

	frame->state = FRAME_FREE;
	frame->order = (uint8_t)order;
	frame->owner = (uint8_t)owner;
	list = list_of(frame);
	frame->previous = NO_FRAME;
	frame->next = list->first;
	if (list->first != NO_FRAME)
		frames[list->first].previous = number;
	list->first = number;
	__atomic_store_n(&list->count, list->count + 1, __ATOMIC_RELAXED);
}

static void list_remove(uint32_t number)
{
	struct frame *frame = &frames[number];
	struct frame_list *list = list_of(frame);

	if (frame->previous == NO_FRAME)
		list->first = frame->next;
	else
		frames[frame->previous].next = frame->next;
	if (frame->next != NO_FRAME)
		frames[frame->next].previous = frame->previous;
	__atomic_store_n(&list->count, list->count - 1, __ATOMIC_RELAXED);
	frame->state = FRAME_TAIL;
}

/* --- the buddies --- */

/* Frees a piece and joins it with its buddy as long as that is free too. */
static void piece_free(uint32_t number, uint32_t order, enum frame_owner owner)
{
	counts.free += UINT64_C(1) << order;
	frames[number].is_clean = false;
	while (order < FRAME_ORDER_HUGE) {
		uint32_t buddy = number ^ (1u << order);
		const struct frame *other = &frames[buddy];

		if (buddy >= nr_frames || other->state != FRAME_FREE || other->order != order ||
		    other->owner != owner)
			break;
		list_remove(buddy);
		frames[number].state = FRAME_TAIL;
		number &= buddy;
		frames[number].is_clean = false;
		order++;
	}
	list_push(owner, number, order);
}

/* Takes a piece of @order off a free one that is as large or larger; the rest goes back. */
static bool piece_take(enum frame_owner owner, uint32_t order, uint32_t *out)
{
	uint32_t number, have = order;

	while (have < LISTS && lists[owner][have].first == NO_FRAME)
		have++;
	if (have == LISTS)
		return false;
	number = lists[owner][have].first;
	list_remove(number);
	for (have = frames[number].order; have > order;) {
		have--;
		frames[number + (1u << have)].is_clean = frames[number].is_clean;
		list_push(owner, number + (1u << have), have);
	}
	counts.free -= UINT64_C(1) << order;
	*out = number;
	return true;
}

/* --- blocks change hands --- */

/* One free block more for @to. Mapping is cheap and done under the lock; unmapping interrupts the other CPUs. */
static bool block_move(enum frame_owner to, uint64_t *flags)
{
	enum frame_owner from = to == FRAME_KERNEL ? FRAME_USER : FRAME_KERNEL;
	uint32_t number = lists[from][LIST_DIRTY].first;

	if (number == NO_FRAME)
		number = lists[from][FRAME_ORDER_HUGE].first;
	if (number == NO_FRAME)
		return false;
	list_remove(number);
	if (to == FRAME_KERNEL) {
		frame_ops->map_block(address_of(number));
	} else {
		spin_unlock_irqrestore(&lock, *flags);
		frame_ops->unmap_block(address_of(number));
		*flags = spin_lock_irqsave(&lock);
	}
	counts.owned[to] += HUGE_PAGES;
	counts.owned[from] -= HUGE_PAGES;
	list_push(to, number, FRAME_ORDER_HUGE);
	return true;
}

/* --- the interface --- */

void frame_init(struct frame *table, uint64_t count, const struct frame_ops *ops)
{
	frames = table;
	nr_frames = count;
	frame_ops = ops;
	counts = (struct frame_counts){ 0 };
	for (uint32_t owner = 0; owner < FRAME_OWNERS; owner++)
		for (uint32_t list = 0; list < LISTS; list++)
			lists[owner][list] = (struct frame_list){ .first = NO_FRAME };
}

/* The largest order of a piece that begins at @number and ends by @end. */
static uint32_t order_that_fits(uint32_t number, uint32_t end)
{
	uint32_t order = FRAME_ORDER_HUGE;

	while ((number & ((1u << order) - 1)) || number + (1u << order) > end)
		order--;
	return order;
}

void frame_release(hpa_t start, hpa_t end, enum frame_owner owner)
{
	uint32_t number = (uint32_t)((start.v + PAGE_BYTES - 1) >> PAGE_SHIFT);
	uint32_t last = (uint32_t)(end.v >> PAGE_SHIFT);
	uint64_t flags = spin_lock_irqsave(&lock);

	assert(last <= nr_frames);
	while (number < last) {
		uint32_t order = order_that_fits(number, last), pages = 1u << order;

		/* Only the head is touched: a boot's length must not grow with the machine's memory. */
		assert(frames[number].state == FRAME_RESERVED);
		counts.total += pages;
		counts.owned[owner] += pages;
		piece_free(number, order, owner);
		number += pages;
	}
	spin_unlock_irqrestore(&lock, flags);
}

int frame_alloc(enum frame_owner owner, uint32_t order, hpa_t *out)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	uint32_t number;

	while (!piece_take(owner, order, &number)) {
		if (!block_move(owner, &flags)) {
			spin_unlock_irqrestore(&lock, flags);
			return -ENOMEM;
		}
	}
	frames[number].state = FRAME_USED;
	frames[number].order = (uint8_t)order;
	frames[number].object = NULL;
	__atomic_store_n(&frames[number].refs, 1, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&lock, flags);
	*out = address_of(number);
	return 0;
}

void frame_get(hpa_t address)
{
	__atomic_fetch_add(&frame_of(address)->refs, 1, __ATOMIC_RELAXED);
}

void frame_put(hpa_t address)
{
	struct frame *frame = frame_of(address);
	uint64_t flags;

	assert(frame->state == FRAME_USED);
	if (__atomic_sub_fetch(&frame->refs, 1, __ATOMIC_ACQ_REL))
		return;
	flags = spin_lock_irqsave(&lock);
	piece_free(number_of(address), frame->order, frame->owner);
	spin_unlock_irqrestore(&lock, flags);
}

void frame_split(hpa_t address)
{
	uint32_t number = number_of(address), pages = 1u << frames[number].order;
	uint64_t flags = spin_lock_irqsave(&lock);
	uint32_t refs = frame_refs(address);

	for (uint32_t i = 0; i < pages; i++) {
		frames[number + i].state = FRAME_USED;
		frames[number + i].order = 0;
		frames[number + i].owner = frames[number].owner;
		frames[number + i].object = NULL;
		__atomic_store_n(&frames[number + i].refs, refs, __ATOMIC_RELAXED);
	}
	spin_unlock_irqrestore(&lock, flags);
}

void frame_put_piece(hpa_t address, uint32_t order)
{
	uint32_t number = number_of(address), step = 1u << order;
	uint64_t flags = spin_lock_irqsave(&lock);

	if (frames[number].order < order)
		step = 1u << frames[number].order;
	for (uint32_t i = 0; i < 1u << order; i += step) {
		struct frame *frame = &frames[number + i];

		assert(frame->state == FRAME_USED);
		if (!__atomic_sub_fetch(&frame->refs, 1, __ATOMIC_ACQ_REL))
			piece_free(number + i, frame->order, frame->owner);
	}
	spin_unlock_irqrestore(&lock, flags);
}

/* Without the lock, a hint. */
static bool wants_clean(void)
{
	const struct frame_list *blocks = lists[FRAME_USER];

	return __atomic_load_n(&blocks[LIST_DIRTY].count, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&blocks[FRAME_ORDER_HUGE].count, __ATOMIC_RELAXED) <
		       counts.total / HUGE_PAGES / CLEAN_SHARE;
}

bool frame_take_dirty(hpa_t *out)
{
	uint32_t number = NO_FRAME;
	uint64_t flags;

	if (!wants_clean())
		return false;
	flags = spin_lock_irqsave(&lock);
	number = lists[FRAME_USER][LIST_DIRTY].first;
	if (number != NO_FRAME)
		list_remove(number);
	spin_unlock_irqrestore(&lock, flags);
	*out = address_of(number);
	return number != NO_FRAME;
}

void frame_give_back(hpa_t block, bool is_clean)
{
	uint64_t flags = spin_lock_irqsave(&lock);

	frame_of(block)->is_clean = is_clean;
	list_push(FRAME_USER, number_of(block), FRAME_ORDER_HUGE);
	spin_unlock_irqrestore(&lock, flags);
}

void frame_count(struct frame_counts *out)
{
	uint64_t flags = spin_lock_irqsave(&lock);

	*out = counts;
	spin_unlock_irqrestore(&lock, flags);
}

void *page_alloc_dirty(void)
{
	hpa_t frame;

	return frame_alloc(FRAME_KERNEL, 0, &frame) ? NULL : direct(frame);
}

void *page_alloc(void)
{
	void *page = page_alloc_dirty();

	return page ? memset(page, 0, PAGE_BYTES) : NULL;
}

void page_free(void *page)
{
	frame_put(direct_hpa(page));
}
