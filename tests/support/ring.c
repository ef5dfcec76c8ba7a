/*
 * The driver's side of one split virtqueue: see ring.h.
 */
#include <sched.h>
#include <string.h>
#include <time.h>

#include "tests/support/ring.h"

enum {
	AVAIL_OFFSET = 8192,
	USED_OFFSET = 12288,
	GIVE_UP_S = 20,
};

void ring_init(struct ring *ring, const struct guest_memory *memory, uint64_t at, uint16_t size)
{
	char *area = memory_at(memory, gpa(at), RING_AREA_BYTES);

	assert(area && size <= 512);
	memset(area, 0, RING_AREA_BYTES);
	*ring = (struct ring){
		.size = size,
		.desc_at = at,
		.avail_at = at + AVAIL_OFFSET,
		.used_at = at + USED_OFFSET,
		.desc = (struct vring_desc *)area,
		.avail = (struct vring_avail *)(area + AVAIL_OFFSET),
		.used = (struct vring_used *)(area + USED_OFFSET),
	};
}

void ring_set_desc(struct ring *ring, uint16_t index, uint64_t at, uint32_t bytes, uint16_t flags,
		   uint16_t next)
{
	ring->desc[index] =
		(struct vring_desc){ .addr = at, .len = bytes, .flags = flags, .next = next };
}

uint16_t ring_add(struct ring *ring, const struct ring_buffer *buffers, uint32_t count)
{
	uint16_t head = ring->next_desc;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t index = ring->next_desc;
		uint16_t flags = buffers[i].is_in ? VRING_DESC_F_WRITE : 0;

		ring->next_desc = (uint16_t)((index + 1) % ring->size);
		if (i + 1 < count)
			flags |= VRING_DESC_F_NEXT;
		ring_set_desc(ring, index, buffers[i].at, buffers[i].bytes, flags, ring->next_desc);
	}
	return head;
}

void ring_advance(struct ring *ring, uint16_t count)
{
	ring->next_avail = (uint16_t)(ring->next_avail + count);
	__atomic_store_n(&ring->avail->idx, ring->next_avail, __ATOMIC_RELEASE);
}

void ring_offer(struct ring *ring, uint16_t head)
{
	ring->avail->ring[ring->next_avail % ring->size] = head;
	ring_advance(ring, 1);
}

bool ring_take(struct ring *ring, struct vring_used_elem *out)
{
	if (__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE) == ring->last_used)
		return false;
	*out = ring->used->ring[ring->last_used % ring->size];
	ring->last_used++;
	return true;
}

bool ring_wait(struct ring *ring, struct vring_used_elem *out)
{
	time_t deadline = time(NULL) + GIVE_UP_S;

	while (!ring_take(ring, out)) {
		if (time(NULL) > deadline)
			return false;
		sched_yield();
	}
	return true;
}

void ring_set_used_event(struct ring *ring, uint16_t value)
{
	__atomic_store_n(&ring->avail->ring[ring->size], value, __ATOMIC_RELAXED);
}

uint16_t ring_avail_event(const struct ring *ring)
{
	const uint16_t *event = (const uint16_t *)&ring->used->ring[ring->size];

	return __atomic_load_n(event, __ATOMIC_RELAXED);
}
