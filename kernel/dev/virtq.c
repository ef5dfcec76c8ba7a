/*
 * A virtqueue, the driver's side: see virtq.h.
 */
#include <string.h>

#include "kernel/dev/virtq.h"
#include "kernel/mem/frame.h"

/* Where the parts are in the page, for any size up to the maximum. */
enum {
	AVAIL_AT = VIRTQ_SIZE_MAX * sizeof(struct vring_desc),
	USED_AT = AVAIL_AT + 512,
};
static_assert(sizeof(struct vring_avail) + 2 * VIRTQ_SIZE_MAX + 2 <= 512,
	      "the available ring fits");
static_assert(USED_AT + sizeof(struct vring_used) + 8 * VIRTQ_SIZE_MAX + 2 <= PAGE_BYTES,
	      "the used ring fits");

/* Stores before it are seen before what is loaded after it is read. */
static void full_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

int virtq_create(struct virtq *queue)
{
	uint8_t *page = page_alloc();

	if (!page)
		return -ENOMEM;
	queue->page = page;
	queue->descriptors = (void *)page;
	queue->avail = (void *)(page + AVAIL_AT);
	queue->used = (void *)(page + USED_AT);
	return 0;
}

void virtq_reset(struct virtq *queue, uint16_t size, bool has_event_idx)
{
	memset(queue->page, 0, PAGE_BYTES);
	queue->size = size;
	queue->has_event_idx = has_event_idx;
	queue->is_broken = false;
	queue->nr_free = size;
	queue->first_free = 0;
	queue->added = queue->kicked = queue->taken = 0;
	for (uint16_t i = 0; i < size; i++) {
		queue->next[i] = (uint16_t)(i + 1);
		queue->counts[i] = 0;
	}
}

/* The last words of the rings: 2.7.7.1 "Driver Requirements: Used Buffer Notification Suppression". */
static uint16_t *used_event(struct virtq *queue)
{
	return &queue->avail->ring[queue->size];
}

static uint16_t avail_event(const struct virtq *queue)
{
	return __atomic_load_n((const uint16_t *)&queue->used->ring[queue->size], __ATOMIC_RELAXED);
}

int virtq_add(struct virtq *queue, const struct vring_desc *chain, uint16_t count)
{
	uint16_t first = queue->first_free, at = first;

	if (count > queue->nr_free || queue->is_broken)
		return queue->is_broken ? -EIO : -EBUSY;
	for (uint16_t i = 0; i < count; i++) {
		bool is_last = i + 1 == count;

		queue->descriptors[at] = (struct vring_desc){
			.addr = chain[i].addr,
			.len = chain[i].len,
			.flags = (uint16_t)(chain[i].flags | (is_last ? 0 : VRING_DESC_F_NEXT)),
			.next = is_last ? 0 : queue->next[at],
		};
		if (!is_last)
			at = queue->next[at];
	}
	queue->first_free = queue->next[at];
	queue->nr_free = (uint16_t)(queue->nr_free - count);
	queue->counts[first] = count;
	queue->avail->ring[queue->added % queue->size] = first;
	queue->added++;
	__atomic_store_n(&queue->avail->idx, queue->added, __ATOMIC_RELEASE);
	return 0;
}

static bool wants_kick(const struct virtq *queue)
{
	if (queue->has_event_idx)
		return vring_need_event(avail_event(queue), queue->added, queue->kicked);
	return !(__atomic_load_n(&queue->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

void virtq_kick(struct virtq *queue)
{
	if (queue->added == queue->kicked)
		return;
	full_barrier();
	if (wants_kick(queue))
		*queue->notify = queue->index;
	queue->kicked = queue->added;
}

static void free_chain(struct virtq *queue, uint16_t first)
{
	uint16_t last = first;

	for (uint16_t i = 1; i < queue->counts[first]; i++)
		last = queue->next[last];
	queue->next[last] = queue->first_free;
	queue->first_free = first;
	queue->nr_free = (uint16_t)(queue->nr_free + queue->counts[first]);
	queue->counts[first] = 0;
}

static bool is_empty(struct virtq *queue)
{
	return __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) == queue->taken;
}

/* Asks for an interrupt for the next one. One that came meanwhile is seen by the second look. */
static bool is_empty_for_good(struct virtq *queue)
{
	if (!is_empty(queue))
		return false;
	__atomic_store_n(used_event(queue), queue->taken, __ATOMIC_RELAXED);
	full_barrier();
	return is_empty(queue);
}

bool virtq_take(struct virtq *queue, uint16_t *number, uint32_t *written)
{
	struct vring_used_elem *element;
	uint32_t first;

	if (queue->is_broken || is_empty_for_good(queue))
		return false;
	element = &queue->used->ring[queue->taken % queue->size];
	first = __atomic_load_n(&element->id, __ATOMIC_RELAXED);
	if (first >= queue->size || !queue->counts[first]) {
		queue->is_broken = true;
		return false;
	}
	*number = (uint16_t)first;
	*written = __atomic_load_n(&element->len, __ATOMIC_RELAXED);
	queue->taken++;
	free_chain(queue, (uint16_t)first);
	return true;
}

bool virtq_has_used(const struct virtq *queue)
{
	return __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(&queue->taken, __ATOMIC_RELAXED);
}
