/*
 * Frames: all of RAM, 4 KiB at a time and up to 2 MiB in one piece.
 *
 * Every frame is owned by the kernel (then the direct map has it) or by users (then nothing of the kernel's maps it:
 * mem/window.h). Ownership changes by whole free blocks of 2 MiB, inside this file.
 *
 *   - frame_alloc() gives a piece with one reference; frame_get() adds one, frame_put() drops one, and with the last the
 *     piece is free again. A piece is named by its first frame; its order stays with it.
 *   - frame_split() makes single frames of a larger piece, each with the references that the piece had.
 *   - What a piece held before is still in it, unless is_clean says otherwise: users' pieces must be zeroed before they are
 *     mapped (mem/window.h has both in one). Free blocks are zeroed ahead of use when there is nothing else to do (mem/scrub.h).
 *
 * Context: any, interrupts on or off, except where a user allocation has to take a block from the kernel, which
 * interrupts the other CPUs: so users' pieces are allocated with interrupts on. Never sleeps.
 */
#pragma once

#include "kernel/arch/paging.h"
#include "lib/compiler.h"

enum frame_owner {
	FRAME_KERNEL,
	FRAME_USER,
	FRAME_OWNERS,
};

enum {
	FRAME_ORDER_HUGE = 9,
	FRAME_ORDERS = FRAME_ORDER_HUGE + 1,
};

enum frame_state {
	FRAME_RESERVED, /* not RAM; or inside a piece, and never used on its own */
	FRAME_FREE,
	FRAME_USED,
	FRAME_TAIL, /* inside a piece, free or used, that another frame heads */
};

struct frame {
	uint32_t refs; /* [a] of a used piece's head */
	uint8_t order; /* of the piece that it heads */
	uint8_t state; /* enum frame_state [frame lock] */
	uint8_t owner; /* enum frame_owner, of a head [frame lock] */
	/* All of the piece that this heads was zero when it was last free [frame lock; its user] */
	uint8_t is_clean;
	union {
		struct {
			uint32_t previous, next; /* while free: its list, by frame number */
		};
		void *object; /* while used: whatever its user likes */
	};
};
static_assert(sizeof(struct frame) == 16, "one per 4 KiB: size matters");

struct frame_counts {
	uint64_t total, free;	      /* frames */
	uint64_t owned[FRAME_OWNERS]; /* used or free in split blocks */
};

/* Called with a block's address when it joins or leaves the kernel's: maps and unmaps it. */
struct frame_ops {
	void (*map_block)(hpa_t block);
	void (*unmap_block)(hpa_t block); /* and no CPU may remember it afterwards */
};

/* @table: an entry per frame number below @nr_frames, all reserved (zero). */
void frame_init(struct frame *table, uint64_t nr_frames, const struct frame_ops *ops);

/* RAM for the allocator: [start, end), of frames that were reserved so far. The kernel's: in blocks that the direct map has. */
void frame_release(hpa_t start, hpa_t end, enum frame_owner owner);

MUST_CHECK int frame_alloc(enum frame_owner owner, uint32_t order, hpa_t *out);
void frame_get(hpa_t frame);
void frame_put(hpa_t frame);
void frame_split(hpa_t frame);

/* Drops a reference that was taken on a piece of @order, which may have been split since: then on each of its frames. */
void frame_put_piece(hpa_t frame, uint32_t order);

/* A free block for its taker to zero, if there aren't enough clean ones; still counted as free. frame_give_back() ends that. */
bool frame_take_dirty(hpa_t *out);
void frame_give_back(hpa_t block, bool is_clean);

struct frame *frame_of(hpa_t frame);
uint32_t frame_refs(hpa_t frame);

void frame_count(struct frame_counts *out);

/* A zeroed page of the kernel's, by its address; NULL for want of memory. Undone by page_free(). */
void *page_alloc(void);
void *page_alloc_dirty(void); /* what it held before is still in it */
void page_free(void *page);
