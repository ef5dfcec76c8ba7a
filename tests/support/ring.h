/*
 * The driver's side of one split virtqueue: rings laid out in guest memory, good chains and bad ones.
 *
 * Functions that write descriptors check nothing: breaking the rules is what they are for.
 */
#pragma once

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/memory.h"

struct ring_buffer {
	uint64_t at; /* guest-physical */
	uint32_t bytes;
	bool is_in; /* device-writable */
};

struct ring {
	uint16_t size;
	uint64_t desc_at, avail_at, used_at; /* guest-physical */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_desc;  /* the next one to write, round and round */
	uint16_t next_avail; /* free-running */
	uint16_t last_used;  /* free-running */
};

enum { RING_AREA_BYTES = 20480 }; /* more than any ring of 512 entries needs */

/* Zeroes [at, at + RING_AREA_BYTES) and lays the rings out there; @at is page-aligned. */
void ring_init(struct ring *ring, const struct guest_memory *memory, uint64_t at, uint16_t size);

void ring_set_desc(struct ring *ring, uint16_t index, uint64_t at, uint32_t bytes, uint16_t flags,
		   uint16_t next);

/* Writes a chain into the next descriptors and returns its head. */
uint16_t ring_add(struct ring *ring, const struct ring_buffer *buffers, uint32_t count);

/* Makes the chain at @head available. */
void ring_offer(struct ring *ring, uint16_t head);

/* Says that @count more chains are available, whatever the ring holds there. */
void ring_advance(struct ring *ring, uint16_t count);

/* Takes the next used element, if there is one; or waits for it, and gives up after long. */
bool ring_take(struct ring *ring, struct vring_used_elem *out);
bool ring_wait(struct ring *ring, struct vring_used_elem *out);

/* The fields behind the rings. */
void ring_set_used_event(struct ring *ring, uint16_t value);
uint16_t ring_avail_event(const struct ring *ring);
