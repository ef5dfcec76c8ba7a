/*
 * Frames lie in pieces, and nobody who reads them notices.
 */
#include "tests/support/cmocka.h"
#include "tests/support/net_world.h"

static void a_frame_takes_no_more_pages_than_it_needs(void **state UNUSED)
{
	static const struct {
		uint32_t size, pages;
	} cases[] = {
		{ 0, 1 },
		{ PACKET_FIRST_BYTES, 1 },
		{ PACKET_FIRST_BYTES + 1, 2 },
		{ PACKET_FIRST_BYTES + PAGE_BYTES, 2 },
		{ PACKET_FIRST_BYTES + PAGE_BYTES + 1, 3 },
		{ PACKET_BYTES_MAX, PACKET_PAGES_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet *packet = packet_create(cases[i].size);

		assert_int_equal(world_pages, cases[i].pages);
		packet_put(packet);
		assert_int_equal(world_pages, 0);
	}
}

static void a_frame_that_memory_is_short_of_takes_none(void **state UNUSED)
{
	for (world_pages_max = 0; world_pages_max < PACKET_PAGES_MAX; world_pages_max++) {
		assert_null(packet_create(PACKET_BYTES_MAX));
		assert_int_equal(world_pages, 0);
	}
	world_pages_max = 1 << 20;
}

static uint16_t slow_sum(const struct packet *packet, uint32_t offset, uint32_t size)
{
	uint64_t sum = 0;
	uint32_t room;

	for (uint32_t i = 0; i < size; i++) {
		uint8_t byte = *packet_at(packet, offset + i, &room);

		sum += i % 2 ? byte : (uint32_t)byte << 8;
	}
	return checksum_fold(sum);
}

static void sums_are_right_wherever_they_begin_and_end(void **state UNUSED)
{
	struct packet *packet = world_frame(1, 2, 20000);

	for (uint32_t i = 0; i < 300; i++) {
		uint32_t offset = i * 61 % 9000, size = i < 20 ? i : i * 37 % 11000;

		assert_int_equal(packet_sum(packet, offset, size), slow_sum(packet, offset, size));
	}
	packet_put(packet);
}

static void copies_are_the_same_at_any_offsets(void **state UNUSED)
{
	struct packet *from = world_frame(1, 2, 30000), *to = packet_create(30000);
	uint32_t room;

	packet_copy(to, 77, from, 4001, 25000);
	for (uint32_t i = 0; i < 25000; i++)
		assert_int_equal(*packet_at(to, 77 + i, &room), *packet_at(from, 4001 + i, &room));
	packet_put(from);
	packet_put(to);
	assert_int_equal(world_pages, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_takes_no_more_pages_than_it_needs),
		cmocka_unit_test(a_frame_that_memory_is_short_of_takes_none),
		cmocka_unit_test(sums_are_right_wherever_they_begin_and_end),
		cmocka_unit_test(copies_are_the_same_at_any_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
