/*
 * One split virtqueue: what good drivers do, and everything that bad ones try.
 */
#include <errno.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "tests/support/ring.h"
#include "vmm/virtio/virtq.h"

enum {
	MIB = 1 << 20,
	SIZE = 16,
	RING_AT = 0x10000,
	BUFFER_AT = 0x40000,
	TABLE_AT = 0x80000,
};

struct bench {
	struct guest_memory memory;
	struct ring ring;
	struct virtq vq;
	struct virtq_chain chain;
};

static void point_at_ring(struct bench *bench)
{
	bench->vq.state.size = bench->ring.size;
	bench->vq.state.desc = bench->ring.desc_at;
	bench->vq.state.avail = bench->ring.avail_at;
	bench->vq.state.used = bench->ring.used_at;
}

static void prepare(struct bench *bench, uint16_t size)
{
	struct errmsg why = { 0 };

	assert_int_equal(memory_create(MIB, &bench->memory, &why), 0);
	ring_init(&bench->ring, &bench->memory, RING_AT, size);
	virtq_init(&bench->vq, &bench->memory, VIRTQ_SIZE_MAX);
	point_at_ring(bench);
}

static void start(struct bench *bench)
{
	prepare(bench, SIZE);
	assert_int_equal(virtq_enable(&bench->vq, false), 0);
}

static void start_with_events(struct bench *bench)
{
	prepare(bench, SIZE);
	assert_int_equal(virtq_enable(&bench->vq, true), 0);
}

static void stop(struct bench *bench)
{
	memory_destroy(&bench->memory);
}

static int pop(struct bench *bench)
{
	return virtq_pop(&bench->vq, &bench->chain);
}

/* Makes the chain at @head available and expects the queue to break on it. */
static void assert_breaks(struct bench *bench, uint16_t head)
{
	ring_offer(&bench->ring, head);
	assert_int_equal(pop(bench), -EPROTO);
	assert_true(bench->vq.state.is_broken);
	assert_int_equal(pop(bench), 0);
	assert_false(virtq_rearm(&bench->vq, 0));
	assert_false(virtq_wants_interrupt(&bench->vq));
	stop(bench);
}

static struct vring_desc *table_at(struct bench *bench, uint64_t at)
{
	return memory_at(&bench->memory, gpa(at), SIZE * sizeof(struct vring_desc));
}

/* --- enabling --- */

static void assert_not_enabled(struct bench *bench)
{
	assert_int_equal(virtq_enable(&bench->vq, false), -EINVAL);
	assert_false(bench->vq.state.is_enabled);
	assert_int_equal(pop(bench), 0);
	stop(bench);
}

static void every_power_of_two_up_to_the_maximum_is_a_size(void **state UNUSED)
{
	struct bench bench;

	for (uint16_t size = 1; size <= VIRTQ_SIZE_MAX; size = (uint16_t)(size * 2)) {
		prepare(&bench, size);
		assert_int_equal(virtq_enable(&bench.vq, false), 0);
		stop(&bench);
	}
}

static void other_sizes_are_refused(void **state UNUSED)
{
	static const uint16_t sizes[] = { 0, 3, 17, 255, 257, 2 * VIRTQ_SIZE_MAX, 0x8000, 0xffff };
	struct bench bench;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		prepare(&bench, SIZE);
		bench.vq.state.size = sizes[i];
		assert_not_enabled(&bench);
	}
}

static void misaligned_rings_are_refused(void **state UNUSED)
{
	struct bench bench;

	prepare(&bench, SIZE);
	bench.vq.state.desc += 8;
	assert_not_enabled(&bench);
	prepare(&bench, SIZE);
	bench.vq.state.avail += 1;
	assert_not_enabled(&bench);
	prepare(&bench, SIZE);
	bench.vq.state.used += 2;
	assert_not_enabled(&bench);
}

static void the_least_alignment_will_do(void **state UNUSED)
{
	struct bench bench;

	prepare(&bench, SIZE);
	bench.vq.state.desc += 16;
	bench.vq.state.avail += 2;
	bench.vq.state.used += 4;
	assert_int_equal(virtq_enable(&bench.vq, true), 0);
	stop(&bench);
}

static void rings_outside_memory_are_refused(void **state UNUSED)
{
	struct bench bench;

	prepare(&bench, SIZE);
	bench.vq.state.desc = MIB;
	assert_not_enabled(&bench);
	prepare(&bench, SIZE);
	bench.vq.state.avail = UINT64_C(0xfffffffffffffffe);
	assert_not_enabled(&bench);
	prepare(&bench, SIZE);
	bench.vq.state.used = UINT64_C(0x8000000000000000);
	assert_not_enabled(&bench);
}

static void rings_must_fit_with_their_event_fields(void **state UNUSED)
{
	struct bench bench;
	uint64_t avail_bytes = 4 + 2 * SIZE + 2, used_bytes = 4 + 8 * SIZE + 2;

	prepare(&bench, SIZE);
	bench.vq.state.avail = MIB - avail_bytes;
	bench.vq.state.used = align_up(MIB - used_bytes, 4) - 4;
	bench.vq.state.desc = MIB - 16 * SIZE;
	assert_int_equal(virtq_enable(&bench.vq, false), 0);
	stop(&bench);
	prepare(&bench, SIZE);
	bench.vq.state.avail = MIB - avail_bytes + 2;
	assert_not_enabled(&bench);
	prepare(&bench, SIZE);
	bench.vq.state.used = align_up(MIB - used_bytes, 4);
	assert_not_enabled(&bench);
	prepare(&bench, SIZE);
	bench.vq.state.desc = MIB - 16 * SIZE + 16;
	assert_not_enabled(&bench);
}

static void a_reset_forgets_everything(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	ring_offer(&bench.ring, SIZE);
	assert_int_equal(pop(&bench), -EPROTO);
	virtq_reset(&bench.vq);
	assert_int_equal(bench.vq.state.size, VIRTQ_SIZE_MAX);
	assert_int_equal(bench.vq.state.msix_vector, UINT16_MAX);
	assert_false(bench.vq.state.is_enabled);
	assert_false(bench.vq.state.is_broken);
	assert_int_equal(bench.vq.state.next_avail, 0);
	assert_int_equal(pop(&bench), 0);
	assert_false(virtq_rearm(&bench.vq, 0));
	stop(&bench);
}

/* --- good chains --- */

static void an_empty_queue_has_nothing(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(pop(&bench), 0);
	stop(&bench);
}

static void a_chain_is_taken_apart_by_direction(void **state UNUSED)
{
	const struct ring_buffer buffers[] = {
		{ BUFFER_AT, 16, false },
		{ BUFFER_AT + 0x100, 32, false },
		{ BUFFER_AT + 0x200, 64, true },
		{ BUFFER_AT + 0x300, 1, true },
	};
	struct bench bench;
	uint16_t head;

	start(&bench);
	head = ring_add(&bench.ring, buffers, ARRAY_SIZE(buffers));
	ring_offer(&bench.ring, head);
	assert_int_equal(pop(&bench), 1);
	assert_int_equal(bench.chain.head, head);
	assert_int_equal(bench.chain.out.count, 2);
	assert_int_equal(bench.chain.in.count, 2);
	assert_int_equal(iov_bytes(&bench.chain.out), 48);
	assert_int_equal(iov_bytes(&bench.chain.in), 65);
	assert_ptr_equal(bench.chain.out.at[0].iov_base,
			 memory_at(&bench.memory, gpa(BUFFER_AT), 1));
	assert_ptr_equal(bench.chain.in.at[1].iov_base,
			 memory_at(&bench.memory, gpa(BUFFER_AT + 0x300), 1));
	assert_int_equal(pop(&bench), 0);
	stop(&bench);
}

static void neighbours_of_one_direction_become_one_buffer(void **state UNUSED)
{
	const struct ring_buffer buffers[] = {
		{ BUFFER_AT, 16, false },
		{ BUFFER_AT + 16, 16, false },
		{ BUFFER_AT + 32, 16, true },
		{ BUFFER_AT + 48, 16, true },
	};
	struct bench bench;

	start(&bench);
	ring_offer(&bench.ring, ring_add(&bench.ring, buffers, ARRAY_SIZE(buffers)));
	assert_int_equal(pop(&bench), 1);
	assert_int_equal(bench.chain.out.count, 1);
	assert_int_equal(bench.chain.in.count, 1);
	assert_int_equal(bench.chain.out.at[0].iov_len, 32);
	assert_int_equal(bench.chain.in.at[0].iov_len, 32);
	stop(&bench);
}

static void a_chain_may_use_every_descriptor(void **state UNUSED)
{
	struct ring_buffer buffers[SIZE];
	struct bench bench;

	for (uint32_t i = 0; i < SIZE; i++)
		buffers[i] = (struct ring_buffer){ BUFFER_AT + i * 0x100, 8, i >= SIZE / 2 };
	start(&bench);
	ring_offer(&bench.ring, ring_add(&bench.ring, buffers, SIZE));
	assert_int_equal(pop(&bench), 1);
	assert_int_equal(bench.chain.out.count + bench.chain.in.count, SIZE);
	stop(&bench);
}

static void rings_go_round_and_round(void **state UNUSED)
{
	const struct ring_buffer buffer = { BUFFER_AT, 8, true };
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	for (uint32_t i = 0; i < 3 * 65536; i++) {
		uint16_t head = ring_add(&bench.ring, &buffer, 1);

		ring_offer(&bench.ring, head);
		assert_int_equal(pop(&bench), 1);
		virtq_push(&bench.vq, bench.chain.head, i);
		assert_true(ring_take(&bench.ring, &used));
		assert_int_equal(used.id, head);
		assert_int_equal(used.len, i);
	}
	assert_false(ring_take(&bench.ring, &used));
	stop(&bench);
}

static void a_full_ring_is_taken_whole(void **state UNUSED)
{
	const struct ring_buffer buffer = { BUFFER_AT, 8, true };
	struct bench bench;

	start(&bench);
	for (uint16_t i = 0; i < SIZE; i++)
		ring_offer(&bench.ring, ring_add(&bench.ring, &buffer, 1));
	for (uint16_t i = 0; i < SIZE; i++) {
		assert_int_equal(pop(&bench), 1);
		assert_int_equal(bench.chain.head, i);
	}
	assert_int_equal(pop(&bench), 0);
	stop(&bench);
}

static void what_is_put_back_comes_again(void **state UNUSED)
{
	const struct ring_buffer buffer = { BUFFER_AT, 8, true };
	struct bench bench;

	start(&bench);
	for (uint16_t i = 0; i < 3; i++)
		ring_offer(&bench.ring, ring_add(&bench.ring, &buffer, 1));
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(pop(&bench), 1);
	virtq_unpop(&bench.vq, 2);
	assert_int_equal(pop(&bench), 1);
	assert_int_equal(bench.chain.head, 1);
	stop(&bench);
}

static void filled_elements_are_seen_once_published(void **state UNUSED)
{
	struct vring_used_elem used;
	struct bench bench;

	start(&bench);
	virtq_fill(&bench.vq, 0, 3, 10);
	virtq_fill(&bench.vq, 1, 5, 20);
	assert_false(ring_take(&bench.ring, &used));
	virtq_publish(&bench.vq, 2);
	assert_true(ring_take(&bench.ring, &used));
	assert_int_equal(used.id, 3);
	assert_int_equal(used.len, 10);
	assert_true(ring_take(&bench.ring, &used));
	assert_int_equal(used.id, 5);
	stop(&bench);
}

/* --- indirect descriptors --- */

/* Offers one link to a table of @bytes at @at. */
static uint16_t add_indirect(struct bench *bench, uint64_t at, uint32_t bytes, uint16_t more_flags)
{
	ring_set_desc(&bench->ring, 0, at, bytes, (uint16_t)(VRING_DESC_F_INDIRECT | more_flags),
		      1);
	return 0;
}

/* One readable and one writable buffer. */
static void fill_table(struct vring_desc *table)
{
	const struct vring_desc good[] = {
		{ .addr = BUFFER_AT, .len = 8, .flags = VRING_DESC_F_NEXT, .next = 1 },
		{ .addr = BUFFER_AT + 0x100, .len = 16, .flags = VRING_DESC_F_WRITE },
	};

	memcpy(table, good, sizeof(good));
}

static void assert_pops_the_table(struct bench *bench)
{
	assert_int_equal(pop(bench), 1);
	assert_int_equal(iov_bytes(&bench->chain.out), 8);
	assert_int_equal(iov_bytes(&bench->chain.in), 16);
	stop(bench);
}

static void an_indirect_table_is_followed(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	fill_table(table_at(&bench, TABLE_AT));
	ring_offer(&bench.ring, add_indirect(&bench, TABLE_AT, 32, 0));
	assert_pops_the_table(&bench);
}

static void the_write_flag_of_an_indirect_link_means_nothing(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	fill_table(table_at(&bench, TABLE_AT));
	ring_offer(&bench.ring, add_indirect(&bench, TABLE_AT, 32, VRING_DESC_F_WRITE));
	assert_pops_the_table(&bench);
}

/* The specification asks for no alignment of these tables. */
static void an_indirect_table_may_lie_at_any_address(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	fill_table(table_at(&bench, TABLE_AT));
	memmove((char *)table_at(&bench, TABLE_AT) + 3, table_at(&bench, TABLE_AT), 32);
	ring_offer(&bench.ring, add_indirect(&bench, TABLE_AT + 3, 32, 0));
	assert_pops_the_table(&bench);
}

static void an_indirect_table_may_end_a_chain(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	fill_table(table_at(&bench, TABLE_AT));
	ring_set_desc(&bench.ring, 4, BUFFER_AT + 0x800, 100, VRING_DESC_F_NEXT, 0);
	add_indirect(&bench, TABLE_AT, 32, 0);
	ring_offer(&bench.ring, 4);
	assert_int_equal(pop(&bench), 1);
	assert_int_equal(iov_bytes(&bench.chain.out), 108);
	stop(&bench);
}

static void an_indirect_table_inside_another_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	table_at(&bench, TABLE_AT)[0] =
		(struct vring_desc){ .addr = TABLE_AT, .len = 16, .flags = VRING_DESC_F_INDIRECT };
	assert_breaks(&bench, add_indirect(&bench, TABLE_AT, 16, 0));
}

static void an_indirect_link_with_a_successor_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	fill_table(table_at(&bench, TABLE_AT));
	assert_breaks(&bench, add_indirect(&bench, TABLE_AT, 32, VRING_DESC_F_NEXT));
}

static void an_indirect_table_of_part_descriptors_breaks(void **state UNUSED)
{
	static const uint32_t sizes[] = { 0, 1, 15, 17, 31, UINT32_MAX };
	struct bench bench;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		start(&bench);
		fill_table(table_at(&bench, TABLE_AT));
		assert_breaks(&bench, add_indirect(&bench, TABLE_AT, sizes[i], 0));
	}
}

static void an_indirect_table_outside_memory_breaks(void **state UNUSED)
{
	static const uint64_t places[] = { MIB, MIB - 16, UINT64_MAX - 15, UINT64_C(1) << 63 };
	struct bench bench;

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		start(&bench);
		assert_breaks(&bench, add_indirect(&bench, places[i], 32, 0));
	}
}

static void a_successor_outside_its_indirect_table_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	fill_table(table_at(&bench, TABLE_AT));
	assert_breaks(&bench, add_indirect(&bench, TABLE_AT, 16, 0));
}

static void a_loop_in_an_indirect_table_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	fill_table(table_at(&bench, TABLE_AT));
	table_at(&bench, TABLE_AT)[0].next = 0;
	assert_breaks(&bench, add_indirect(&bench, TABLE_AT, 32, 0));
}

static void a_table_longer_than_the_queue_breaks(void **state UNUSED)
{
	struct vring_desc *table;
	struct bench bench;

	start(&bench);
	table = memory_at(&bench.memory, gpa(TABLE_AT), (SIZE + 1) * sizeof(*table));
	for (uint16_t i = 0; i <= SIZE; i++)
		table[i] = (struct vring_desc){ .addr = BUFFER_AT,
						.len = 1,
						.flags = i < SIZE ? VRING_DESC_F_NEXT : 0,
						.next = (uint16_t)(i + 1) };
	assert_breaks(&bench, add_indirect(&bench, TABLE_AT, (SIZE + 1) * 16, 0));
}

/* --- bad chains --- */

static void a_chain_that_loops_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	ring_set_desc(&bench.ring, 0, BUFFER_AT, 8, VRING_DESC_F_NEXT, 1);
	ring_set_desc(&bench.ring, 1, BUFFER_AT, 8, VRING_DESC_F_NEXT, 0);
	assert_breaks(&bench, 0);
}

static void a_descriptor_that_is_its_own_successor_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	ring_set_desc(&bench.ring, 3, BUFFER_AT, 8, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 3);
	assert_breaks(&bench, 3);
}

static void a_head_out_of_range_breaks(void **state UNUSED)
{
	static const uint16_t heads[] = { SIZE, SIZE + 1, 0x8000, 0xffff };
	struct bench bench;

	for (unsigned i = 0; i < ARRAY_SIZE(heads); i++) {
		start(&bench);
		assert_breaks(&bench, heads[i]);
	}
}

static void a_successor_out_of_range_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	ring_set_desc(&bench.ring, 0, BUFFER_AT, 8, VRING_DESC_F_NEXT, SIZE);
	assert_breaks(&bench, 0);
}

static void an_empty_buffer_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	ring_set_desc(&bench.ring, 0, BUFFER_AT, 0, 0, 0);
	assert_breaks(&bench, 0);
}

static void a_buffer_outside_memory_breaks(void **state UNUSED)
{
	static const struct ring_buffer bad[] = {
		{ MIB, 1, false },
		{ MIB - 1, 2, true },
		{ 0, MIB + 1, false },
		{ BUFFER_AT, UINT32_MAX, true },
		{ UINT64_MAX, 1, true },
		{ UINT64_MAX, 2, false },
		{ UINT64_MAX - 0xfff, UINT32_MAX, false },
		{ UINT64_C(0xc0000000), 8, true },
	};
	struct bench bench;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		start(&bench);
		assert_breaks(&bench, ring_add(&bench.ring, &bad[i], 1));
	}
}

static void a_readable_buffer_after_a_writable_one_breaks(void **state UNUSED)
{
	const struct ring_buffer buffers[] = {
		{ BUFFER_AT, 8, true },
		{ BUFFER_AT + 0x100, 8, false },
	};
	struct bench bench;

	start(&bench);
	assert_breaks(&bench, ring_add(&bench.ring, buffers, ARRAY_SIZE(buffers)));
}

static void more_available_than_the_queue_holds_breaks(void **state UNUSED)
{
	const struct ring_buffer buffer = { BUFFER_AT, 8, true };
	struct bench bench;

	start(&bench);
	ring_add(&bench.ring, &buffer, 1);
	ring_advance(&bench.ring, SIZE);
	assert_breaks(&bench, 0);
}

static void an_available_index_that_goes_back_breaks(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	ring_advance(&bench.ring, (uint16_t)-2);
	assert_breaks(&bench, 0);
}

/* --- notifications, either way --- */

static void push_one(struct bench *bench)
{
	virtq_push(&bench->vq, 0, 0);
}

static void an_interrupt_is_wanted_once_for_what_was_pushed(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_false(virtq_wants_interrupt(&bench.vq));
	push_one(&bench);
	push_one(&bench);
	assert_true(virtq_wants_interrupt(&bench.vq));
	assert_false(virtq_wants_interrupt(&bench.vq));
	stop(&bench);
}

static void the_drivers_flag_suppresses_interrupts(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	push_one(&bench);
	assert_false(virtq_wants_interrupt(&bench.vq));
	bench.ring.avail->flags = 0;
	push_one(&bench);
	assert_true(virtq_wants_interrupt(&bench.vq));
	stop(&bench);
}

static void the_used_event_says_when_an_interrupt_is_wanted(void **state UNUSED)
{
	struct bench bench;

	start_with_events(&bench);
	bench.ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT; /* not looked at */
	ring_set_used_event(&bench.ring, 2);
	push_one(&bench);
	assert_false(virtq_wants_interrupt(&bench.vq));
	push_one(&bench);
	assert_false(virtq_wants_interrupt(&bench.vq));
	push_one(&bench);
	assert_true(virtq_wants_interrupt(&bench.vq));
	push_one(&bench);
	assert_false(virtq_wants_interrupt(&bench.vq));
	stop(&bench);
}

static void a_batch_that_passes_the_used_event_interrupts(void **state UNUSED)
{
	struct bench bench;

	start_with_events(&bench);
	ring_set_used_event(&bench.ring, 3);
	for (unsigned i = 0; i < 10; i++)
		push_one(&bench);
	assert_true(virtq_wants_interrupt(&bench.vq));
	stop(&bench);
}

static void kicks_are_switched_off_and_on_by_flag(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	virtq_disarm(&bench.vq);
	assert_int_equal(bench.ring.used->flags, VRING_USED_F_NO_NOTIFY);
	assert_false(virtq_rearm(&bench.vq, 0));
	assert_int_equal(bench.ring.used->flags, 0);
	stop(&bench);
}

static void kicks_are_asked_for_by_event_index(void **state UNUSED)
{
	const struct ring_buffer buffer = { BUFFER_AT, 8, true };
	struct bench bench;

	start_with_events(&bench);
	for (unsigned i = 0; i < 3; i++)
		ring_offer(&bench.ring, ring_add(&bench.ring, &buffer, 1));
	assert_int_equal(pop(&bench), 1);
	virtq_disarm(&bench.vq);
	assert_int_equal(bench.ring.used->flags, 0);
	assert_true(virtq_rearm(&bench.vq, 0));
	assert_int_equal(ring_avail_event(&bench.ring), 1);
	assert_false(virtq_rearm(&bench.vq, 2));
	assert_int_equal(ring_avail_event(&bench.ring), 3);
	stop(&bench);
}

static void what_came_while_disarmed_is_seen_when_rearming(void **state UNUSED)
{
	const struct ring_buffer buffer = { BUFFER_AT, 8, true };
	struct bench bench;

	start(&bench);
	virtq_disarm(&bench.vq);
	ring_offer(&bench.ring, ring_add(&bench.ring, &buffer, 1));
	assert_true(virtq_rearm(&bench.vq, 0));
	assert_false(virtq_rearm(&bench.vq, 1));
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_power_of_two_up_to_the_maximum_is_a_size),
		cmocka_unit_test(other_sizes_are_refused),
		cmocka_unit_test(misaligned_rings_are_refused),
		cmocka_unit_test(the_least_alignment_will_do),
		cmocka_unit_test(rings_outside_memory_are_refused),
		cmocka_unit_test(rings_must_fit_with_their_event_fields),
		cmocka_unit_test(a_reset_forgets_everything),
		cmocka_unit_test(an_empty_queue_has_nothing),
		cmocka_unit_test(a_chain_is_taken_apart_by_direction),
		cmocka_unit_test(neighbours_of_one_direction_become_one_buffer),
		cmocka_unit_test(a_chain_may_use_every_descriptor),
		cmocka_unit_test(rings_go_round_and_round),
		cmocka_unit_test(a_full_ring_is_taken_whole),
		cmocka_unit_test(what_is_put_back_comes_again),
		cmocka_unit_test(filled_elements_are_seen_once_published),
		cmocka_unit_test(an_indirect_table_is_followed),
		cmocka_unit_test(the_write_flag_of_an_indirect_link_means_nothing),
		cmocka_unit_test(an_indirect_table_may_lie_at_any_address),
		cmocka_unit_test(an_indirect_table_may_end_a_chain),
		cmocka_unit_test(an_indirect_table_inside_another_breaks),
		cmocka_unit_test(an_indirect_link_with_a_successor_breaks),
		cmocka_unit_test(an_indirect_table_of_part_descriptors_breaks),
		cmocka_unit_test(an_indirect_table_outside_memory_breaks),
		cmocka_unit_test(a_successor_outside_its_indirect_table_breaks),
		cmocka_unit_test(a_loop_in_an_indirect_table_breaks),
		cmocka_unit_test(a_table_longer_than_the_queue_breaks),
		cmocka_unit_test(a_chain_that_loops_breaks),
		cmocka_unit_test(a_descriptor_that_is_its_own_successor_breaks),
		cmocka_unit_test(a_head_out_of_range_breaks),
		cmocka_unit_test(a_successor_out_of_range_breaks),
		cmocka_unit_test(an_empty_buffer_breaks),
		cmocka_unit_test(a_buffer_outside_memory_breaks),
		cmocka_unit_test(a_readable_buffer_after_a_writable_one_breaks),
		cmocka_unit_test(more_available_than_the_queue_holds_breaks),
		cmocka_unit_test(an_available_index_that_goes_back_breaks),
		cmocka_unit_test(an_interrupt_is_wanted_once_for_what_was_pushed),
		cmocka_unit_test(the_drivers_flag_suppresses_interrupts),
		cmocka_unit_test(the_used_event_says_when_an_interrupt_is_wanted),
		cmocka_unit_test(a_batch_that_passes_the_used_event_interrupts),
		cmocka_unit_test(kicks_are_switched_off_and_on_by_flag),
		cmocka_unit_test(kicks_are_asked_for_by_event_index),
		cmocka_unit_test(what_came_while_disarmed_is_seen_when_rearming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
