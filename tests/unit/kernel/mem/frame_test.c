/*
 * The frame allocator gives and takes pieces, keeps owners apart by blocks and loses nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/mem/frame.h"

enum { BLOCKS = 8, FRAMES = BLOCKS * 512, PIECES = 600, STEPS = 50000 };

static struct frame table[FRAMES];
static bool is_mapped[BLOCKS];

static void map_block(hpa_t block)
{
	assert_false(is_mapped[block.v / HUGE_BYTES]);
	is_mapped[block.v / HUGE_BYTES] = true;
}

static void unmap_block(hpa_t block)
{
	assert_true(is_mapped[block.v / HUGE_BYTES]);
	is_mapped[block.v / HUGE_BYTES] = false;
}

static const struct frame_ops ops = { .map_block = map_block, .unmap_block = unmap_block };

/* All but the first 5 frames, which are somebody's. */
static int setup(void **state)
{
	(void)state;
	memset(table, 0, sizeof(table));
	memset(is_mapped, 0, sizeof(is_mapped));
	frame_init(table, FRAMES, &ops);
	frame_release(hpa(5 * PAGE_BYTES), hpa(FRAMES * PAGE_BYTES), FRAME_USER);
	return 0;
}

static uint64_t free_frames(void)
{
	struct frame_counts counts;

	frame_count(&counts);
	return counts.free;
}

static void what_is_released_can_be_had(void **state)
{
	hpa_t frame;

	(void)state;
	assert_int_equal(free_frames(), FRAMES - 5);
	for (int i = 0; i < FRAMES - 5; i++)
		assert_int_equal(frame_alloc(FRAME_USER, 0, &frame), 0);
	assert_int_equal(frame_alloc(FRAME_USER, 0, &frame), -ENOMEM);
	assert_int_equal(free_frames(), 0);
}

static void huge_pieces_are_aligned_blocks(void **state)
{
	hpa_t frame;

	(void)state;
	/* The first block isn't whole. */
	for (int i = 0; i < BLOCKS - 1; i++) {
		assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &frame), 0);
		assert_int_equal(frame.v % HUGE_BYTES, 0);
	}
	assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &frame), -ENOMEM);
}

static void the_kernel_s_frames_lie_in_mapped_blocks(void **state)
{
	hpa_t kernels, users;

	(void)state;
	for (int i = 0; i < 700; i++) {
		assert_int_equal(frame_alloc(FRAME_KERNEL, 0, &kernels), 0);
		assert_true(is_mapped[kernels.v / HUGE_BYTES]);
		assert_int_equal(frame_alloc(FRAME_USER, 0, &users), 0);
		assert_false(is_mapped[users.v / HUGE_BYTES]);
	}
}

static void a_block_that_the_kernel_has_freed_goes_to_users_unmapped(void **state)
{
	hpa_t blocks[BLOCKS - 1], frame;

	(void)state;
	for (int i = 0; i < BLOCKS - 1; i++)
		assert_int_equal(frame_alloc(FRAME_KERNEL, FRAME_ORDER_HUGE, &blocks[i]), 0);
	for (int i = 0; i < BLOCKS - 1; i++)
		frame_put(blocks[i]);
	assert_true(is_mapped[blocks[0].v / HUGE_BYTES]);
	for (int i = 0; i < BLOCKS - 1; i++) {
		assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &frame), 0);
		assert_false(is_mapped[frame.v / HUGE_BYTES]);
	}
}

static void the_last_reference_frees(void **state)
{
	uint64_t before = free_frames();
	hpa_t frame;

	(void)state;
	assert_int_equal(frame_alloc(FRAME_USER, 3, &frame), 0);
	assert_int_equal(free_frames(), before - 8);
	frame_get(frame);
	frame_put(frame);
	assert_int_equal(free_frames(), before - 8);
	frame_put(frame);
	assert_int_equal(free_frames(), before);
}

static void a_split_piece_goes_frame_by_frame(void **state)
{
	uint64_t before = free_frames();
	hpa_t frame;

	(void)state;
	assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &frame), 0);
	frame_get(frame);
	frame_split(frame);
	for (uint64_t i = 0; i < HUGE_PAGES; i++) {
		hpa_t single = hpa(frame.v + i * PAGE_BYTES);

		assert_int_equal(frame_refs(single), 2);
		frame_put(single);
		frame_put(single);
	}
	assert_int_equal(free_frames(), before);
	assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &frame), 0);
}

static void as_many_blocks_are_cleaned_as_are_wanted(void **state)
{
	hpa_t block, all[BLOCKS];
	uint32_t nr_clean = 0;

	(void)state;
	while (frame_take_dirty(&block)) {
		assert_int_equal(free_frames(), FRAMES - 5);
		frame_give_back(block, true);
		assert_in_range(++nr_clean, 1, BLOCKS / 4);
	}
	assert_int_equal(nr_clean, (FRAMES - 5) / 512 / 4);
	/* The clean ones are given first. */
	for (uint32_t i = 0; i < BLOCKS - 1; i++) {
		assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &all[i]), 0);
		assert_int_equal(frame_of(all[i])->is_clean, i < nr_clean);
	}
	/* Who has had it may have written to it. */
	for (uint32_t i = 0; i < BLOCKS - 1; i++)
		frame_put(all[i]);
	assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &block), 0);
	assert_false(frame_of(block)->is_clean);
}

static void a_block_that_nobody_finished_is_as_it_was(void **state)
{
	hpa_t block, again;

	(void)state;
	assert_true(frame_take_dirty(&block));
	frame_give_back(block, false);
	assert_true(frame_take_dirty(&again));
	assert_int_equal(again.v, block.v);
	frame_give_back(again, false);
	for (int i = 0; i < BLOCKS - 1; i++)
		assert_int_equal(frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &block), 0);
}

/* What was written to since it was last zeroed. */
static bool is_written[FRAMES];

static void write_piece(hpa_t frame, uint32_t order)
{
	bool *at = &is_written[frame.v / PAGE_BYTES];

	for (uint32_t i = 0; i < 1u << order; i++) {
		assert_false(frame_of(frame)->is_clean && at[i]);
		at[i] = true;
	}
}

static void clean_one(void)
{
	hpa_t block;

	if (!frame_take_dirty(&block))
		return;
	memset(&is_written[block.v / PAGE_BYTES], 0, HUGE_PAGES);
	frame_give_back(block, true);
}

struct piece {
	hpa_t frame;
	uint32_t order;
	bool is_used;
};

static void assert_apart(const struct piece *pieces)
{
	static uint8_t taken[FRAMES];

	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < PIECES; i++)
		for (uint64_t page = 0; pieces[i].is_used && page < UINT64_C(1) << pieces[i].order;
		     page++)
			assert_int_equal(taken[pieces[i].frame.v / PAGE_BYTES + page]++, 0);
}

static void pieces_never_overlap_and_nothing_is_lost(void **state)
{
	static struct piece pieces[PIECES];
	uint64_t before = free_frames();

	(void)state;
	srand(7);
	memset(pieces, 0, sizeof(pieces));
	memset(is_written, true, sizeof(is_written));
	for (int step = 0; step < STEPS; step++) {
		struct piece *piece = &pieces[rand() % PIECES];

		if (piece->is_used) {
			frame_put(piece->frame);
			piece->is_used = false;
		} else {
			piece->order = (uint32_t)rand() % 4;
			piece->is_used = !frame_alloc(rand() % 2 ? FRAME_USER : FRAME_KERNEL,
						      piece->order, &piece->frame);
			if (piece->is_used)
				write_piece(piece->frame, piece->order);
		}
		clean_one();
		if (step % 1000 == 0)
			assert_apart(pieces);
	}
	for (int i = 0; i < PIECES; i++)
		if (pieces[i].is_used)
			frame_put(pieces[i].frame);
	assert_int_equal(free_frames(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_released_can_be_had, setup),
		cmocka_unit_test_setup(huge_pieces_are_aligned_blocks, setup),
		cmocka_unit_test_setup(the_kernel_s_frames_lie_in_mapped_blocks, setup),
		cmocka_unit_test_setup(a_block_that_the_kernel_has_freed_goes_to_users_unmapped,
				       setup),
		cmocka_unit_test_setup(the_last_reference_frees, setup),
		cmocka_unit_test_setup(a_split_piece_goes_frame_by_frame, setup),
		cmocka_unit_test_setup(as_many_blocks_are_cleaned_as_are_wanted, setup),
		cmocka_unit_test_setup(a_block_that_nobody_finished_is_as_it_was, setup),
		cmocka_unit_test_setup(pieces_never_overlap_and_nothing_is_lost, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
