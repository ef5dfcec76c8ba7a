/*
 * What a bridge learns, for how long, and who loses a place when there are none left.
 */
#include "kernel/net/fdb.h"
#include "tests/support/cmocka.h"

enum { UNKNOWN = 0xffff, PLACES = FDB_SETS * FDB_WAYS };

static struct fdb fdb;

static int setup(void **state UNUSED)
{
	fdb_init(&fdb, UINT64_C(0x9e3779b97f4a7c15));
	return 0;
}

static void make_mac(uint8_t mac[MAC_BYTES], uint32_t number)
{
	mac[0] = 2;
	mac[1] = 0;
	for (int i = 0; i < 4; i++)
		mac[2 + i] = (uint8_t)(number >> (8 * i));
}

static void learn(uint32_t number, uint16_t port, uint32_t now_s)
{
	uint8_t mac[MAC_BYTES];

	make_mac(mac, number);
	fdb_learn(&fdb, mac, port, now_s);
}

static uint16_t find(uint32_t number, uint32_t now_s)
{
	uint8_t mac[MAC_BYTES];
	uint16_t port;

	make_mac(mac, number);
	return fdb_find(&fdb, mac, now_s, &port) ? port : (uint16_t)UNKNOWN;
}

static uint32_t count_learned(uint16_t port)
{
	uint32_t count = 0;

	for (uint32_t set = 0; set < FDB_SETS; set++)
		for (uint32_t way = 0; way < FDB_WAYS; way++)
			count += fdb.sets[set].entries[way].seen_s &&
				 fdb.sets[set].entries[way].port == port;
	assert_int_equal(fdb.learned[port], count);
	return count;
}

static void what_was_seen_is_found_where_it_was_seen_last(void **state UNUSED)
{
	assert_int_equal(find(1, 1), UNKNOWN);
	learn(1, 3, 1);
	learn(2, 4, 1);
	assert_int_equal(find(1, 1), 3);
	assert_int_equal(find(2, 1), 4);
	learn(1, 5, 2);
	assert_int_equal(find(1, 2), 5);
	assert_int_equal(count_learned(3), 0);
	assert_int_equal(count_learned(5), 1);
}

static void what_was_not_seen_for_long_is_forgotten(void **state UNUSED)
{
	learn(1, 3, 10);
	assert_int_equal(find(1, 10 + FDB_AGE_S), 3);
	learn(1, 3, 10 + FDB_AGE_S);
	assert_int_equal(find(1, 10 + 2 * FDB_AGE_S), 3);
	assert_int_equal(find(1, 11 + 2 * FDB_AGE_S), UNKNOWN);
}

static void a_port_that_goes_is_forgotten(void **state UNUSED)
{
	for (uint32_t i = 0; i < 500; i++)
		learn(i, (uint16_t)(i % 2), 1);
	fdb_forget(&fdb, 0);
	assert_int_equal(count_learned(0), 0);
	for (uint32_t i = 0; i < 500; i++)
		assert_true(find(i, 1) == (i % 2 ? 1 : UNKNOWN) || find(i, 1) == UNKNOWN);
	assert_true(count_learned(1) > 200);
}

static void a_port_that_claims_all_addresses_pushes_nobody_out(void **state UNUSED)
{
	for (uint32_t i = 0; i < 32; i++)
		learn(i, (uint16_t)(2 + i), 1);
	for (uint32_t i = 0; i < 20 * PLACES; i++)
		learn(1000 + i, 1, 2);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(find(i, 2), 2 + i);
	assert_true(count_learned(1) <= PLACES - 32);
}

static void who_comes_after_the_flood_finds_a_place(void **state UNUSED)
{
	for (uint32_t i = 0; i < 20 * PLACES; i++)
		learn(1000 + i, 1, 1);
	for (uint32_t i = 0; i < 32; i++)
		learn(i, (uint16_t)(2 + i), 1);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(find(i, 1), 2 + i);
	(void)count_learned(1);
}

static void sets_are_filled_evenly_whatever_the_addresses(void **state UNUSED)
{
	for (uint32_t step = 1; step; step <<= 1) {
		uint32_t used = 0;

		setup(NULL);
		for (uint32_t i = 0; i < FDB_SETS; i++)
			learn(i * step, 1, 1);
		for (uint32_t set = 0; set < FDB_SETS; set++)
			used += fdb.sets[set].entries[0].seen_s != 0;
		/* By chance it would be 63 %; steps above 2^22 come round and are fewer. */
		if (step <= 1u << 22)
			assert_true(used > FDB_SETS / 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_seen_is_found_where_it_was_seen_last, setup),
		cmocka_unit_test_setup(what_was_not_seen_for_long_is_forgotten, setup),
		cmocka_unit_test_setup(a_port_that_goes_is_forgotten, setup),
		cmocka_unit_test_setup(a_port_that_claims_all_addresses_pushes_nobody_out, setup),
		cmocka_unit_test_setup(who_comes_after_the_flood_finds_a_place, setup),
		cmocka_unit_test_setup(sets_are_filled_evenly_whatever_the_addresses, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
