/*
 * A look, for a moment, at a frame that the kernel doesn't own: each CPU has a few addresses for that.
 *
 * The caller must not sleep between opening and closing, and closes before it returns to anything that isn't the kernel.
 * Context: threads; not from interrupts.
 */
#pragma once

#include "kernel/arch/paging.h"

enum window_slot {
	WINDOW_A, /* a caller that needs two frames at once uses both */
	WINDOW_B,
	WINDOW_SLOTS,
};

/* Once on each CPU. */
void window_init_cpu(void);

void *window_open(enum window_slot slot, hpa_t frame);
void window_close(enum window_slot slot);

/* As frame_alloc() for users, and zero. */
MUST_CHECK int window_alloc_zeroed(uint32_t order, hpa_t *out);

/* Zeroes (copies) a piece of users' frames of @order. */
void window_zero(hpa_t frame, uint32_t order);
void window_copy(hpa_t to, hpa_t from, uint32_t order);
