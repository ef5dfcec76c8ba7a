/*
 * A receiver's queue is bounded, and fair to those who fill it.
 */
#include "tests/support/cmocka.h"
#include "tests/support/net_world.h"

enum { PLAIN = 1000, PLAIN_MAX = NET_QUEUE_BYTES / PAGE_BYTES };

static struct net_queue queue;

static int setup(void **state UNUSED)
{
	net_queue_init(&queue);
	return 0;
}

static int teardown(void **state UNUSED)
{
	net_queue_close(&queue);
	assert_int_equal(world_pages, 0);
	assert_int_equal(world_objects, 0);
	return 0;
}

static bool add(uint32_t source, uint32_t number, uint32_t size)
{
	struct packet *packet = world_frame(number, source, size);
	bool is_added = net_queue_add(&queue, source, packet);

	packet_put(packet);
	return is_added;
}

/* The sender of the next one; 0: there is none. */
static uint32_t take(uint32_t *number)
{
	struct packet *packet = net_queue_take(&queue);
	uint32_t source = 0;

	if (!packet)
		return 0;
	source = get_be32(packet->first + MAC_BYTES + 2);
	if (number)
		*number = get_be32(packet->first + 2);
	packet_put(packet);
	return source;
}

static void a_senders_frames_stay_in_order(void **state UNUSED)
{
	uint32_t number;

	for (uint32_t i = 0; i < 200; i++)
		add(1, i + 1000, i % 3 ? PLAIN : 40000);
	assert_int_equal(net_queue_is_empty(&queue), false);
	for (uint32_t i = queue.dropped ? (uint32_t)queue.dropped : 0; i < 200; i++) {
		assert_int_equal(take(&number), 1);
		assert_int_equal(number, i + 1000);
	}
	assert_int_equal(take(NULL), 0);
	assert_true(net_queue_is_empty(&queue));
}

static void what_waits_is_bounded(void **state UNUSED)
{
	for (uint32_t i = 0; i < 2 * PLAIN_MAX; i++) {
		add(1 + i % 3, i, i % 5 ? PLAIN : PACKET_BYTES_MAX);
		assert_true(world_pages <= PLAIN_MAX);
		assert_int_equal(queue.memory_bytes, world_pages * (long)PAGE_BYTES);
	}
	assert_true(queue.dropped > 0);
}

static void who_floods_is_the_one_who_loses(void **state UNUSED)
{
	uint32_t honest = 0;

	for (uint32_t i = 0; i < 2 * PLAIN_MAX; i++)
		add(1, i, PLAIN);
	for (uint32_t i = 0; i < PLAIN_MAX / 4; i++)
		assert_true(add(2, i, PLAIN));
	for (uint32_t i = 0; i < 2 * PLAIN_MAX; i++)
		add(1, i, PLAIN);
	for (uint32_t source; (source = take(NULL));)
		honest += source == 2;
	assert_int_equal(honest, PLAIN_MAX / 4);
}

/* Many flooders with small frames and one with large ones have the same memory each. */
static void flooders_share_equally(void **state UNUSED)
{
	uint64_t bytes[5] = { 0 };

	for (uint32_t i = 0; i < 20000; i++)
		for (uint32_t source = 1; source < 5; source++)
			add(source, i, source == 4 ? PACKET_BYTES_MAX : 60);
	for (uint32_t taken = 0; taken < NET_QUEUE_BYTES / 2;) {
		struct packet *packet = net_queue_take(&queue);

		bytes[get_be32(packet->first + MAC_BYTES + 2)] += packet_memory(packet);
		taken += packet_memory(packet);
		packet_put(packet);
	}
	for (uint32_t source = 1; source < 5; source++)
		assert_in_range(bytes[source], NET_QUEUE_BYTES / 8 - 2 * PACKET_MEMORY_BYTES,
				NET_QUEUE_BYTES / 8 + 2 * PACKET_MEMORY_BYTES);
}

static void who_sends_little_does_not_wait_for_a_flood(void **state UNUSED)
{
	uint32_t count = 1;

	for (uint32_t i = 0; i < PLAIN_MAX; i++)
		add(1, i, PLAIN);
	add(2, 0, PLAIN);
	while (take(NULL) != 2)
		count++;
	assert_true(count <= PACKET_PAGES_MAX + 1);
}

static void a_frame_may_wait_in_several_queues(void **state UNUSED)
{
	struct packet *packet = world_frame(1, 2, PLAIN);

	for (uint32_t i = 0; i < 3; i++)
		assert_true(net_queue_add(&queue, i, packet));
	packet_put(packet);
	assert_int_equal(world_pages, 1);
}

static void a_closed_queue_is_empty_and_stays_so(void **state UNUSED)
{
	add(1, 1, PLAIN);
	net_queue_close(&queue);
	assert_true(net_queue_is_empty(&queue));
	assert_false(add(1, 1, PLAIN));
	assert_int_equal(take(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_senders_frames_stay_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(what_waits_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(who_floods_is_the_one_who_loses, setup, teardown),
		cmocka_unit_test_setup_teardown(flooders_share_equally, setup, teardown),
		cmocka_unit_test_setup_teardown(who_sends_little_does_not_wait_for_a_flood, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_frame_may_wait_in_several_queues, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_closed_queue_is_empty_and_stays_so, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
