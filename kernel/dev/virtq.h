/*
 * A virtqueue, the driver's side: a split ring in one page.
 *
 *   - virtq_add() gives the device a chain of buffers, whose number is that of its first descriptor, as virtq_next() said;
 *     virtq_kick() tells it once several were added, virtq_take() gets numbers back. The caller has a lock around all of them.
 *   - The device isn't trusted: an id that it doesn't have makes the queue broken, and it gives nothing any more.
 *
 * Fields: [I] immutable while the device runs  [L] the caller's lock
 * Source: virtio 1.2, 2.7 "Split Virtqueues".
 */
#pragma once

#include <linux/virtio_ring.h>

#include "kernel/arch/paging.h"
#include "lib/compiler.h"

enum {
	VIRTQ_SIZE_MAX = 128, /* descriptors: with its rings it fits in a page */
};

struct virtq {
	uint16_t size;			/* [I] a power of two */
	bool has_event_idx;		/* [I] */
	bool is_broken;			/* [L] */
	void *page;			/* [I] */
	struct vring_desc *descriptors; /* [I] in the page */
	struct vring_avail *avail;	/* [I] */
	struct vring_used *used;	/* [I] */
	volatile uint16_t *notify;	/* [I] the device's register */
	uint16_t index;			/* [I] what is written there */
	uint16_t nr_free, first_free;	/* [L] */
	uint16_t added, kicked, taken;	/* [L] counts that wrap, as the rings' */
	/* [L] Free descriptors, and chains: the device can't change it. */
	uint16_t next[VIRTQ_SIZE_MAX];
	uint16_t counts[VIRTQ_SIZE_MAX]; /* [L] of the chain that begins there; 0: none */
};

/* -ENOMEM. The page is kept over virtq_reset(). */
MUST_CHECK int virtq_create(struct virtq *queue);

/* Empty, for a device that was reset. @size: at most VIRTQ_SIZE_MAX. */
void virtq_reset(struct virtq *queue, uint16_t size, bool has_event_idx);

/* The number of the chain that is added next, below VIRTQ_SIZE_MAX; free as long as queue->nr_free isn't 0. */
static inline uint16_t virtq_next(const struct virtq *queue)
{
	return queue->first_free;
}

/* What a chain is made of: memory of the direct map. @flags: VRING_DESC_F_*. */
static inline struct vring_desc virtq_describe(const void *at, uint32_t size, uint16_t flags)
{
	return (struct vring_desc){ .addr = direct_hpa(at).v, .len = size, .flags = flags };
}

/* @chain: address, length and VRING_DESC_F_WRITE or _INDIRECT of each; the rest is filled in. -EBUSY: no room now. */
MUST_CHECK int virtq_add(struct virtq *queue, const struct vring_desc *chain, uint16_t count);
void virtq_kick(struct virtq *queue);

/* False: nothing, and the device will interrupt when there is. @written: bytes, as the device claims. */
bool virtq_take(struct virtq *queue, uint16_t *number, uint32_t *written);

/* Is there something to take, at this moment? Without the caller's lock: for interrupts. */
bool virtq_has_used(const struct virtq *queue);
