/*
 * From ticks to nanoseconds, with the multiplier and shift that guests are given.
 */
#include "kernel/kvm/pvclock.h"
#include "tests/support/cmocka.h"

static const uint64_t rates_hz[] = { 1000000,	 32768000,   999999999,	 1000000000, 1000000001,
				     2596136000, 4294967296, 5300000000, 10000000000 };

static void a_second_of_ticks_is_a_second(void **state UNUSED)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(rates_hz); i++) {
		struct pvclock_scale scale = pvclock_scale_of(rates_hz[i]);
		uint64_t ns = pvclock_scale_ticks(scale, rates_hz[i]);

		/* 32 bits of precision; above 1 GHz the lowest bits of the count are shifted out. */
		assert_in_range(ns, 1000000000 - 16, 1000000000);
		assert_true(scale.multiplier >> 31);
	}
}

static void a_year_is_out_by_less_than_a_tenth_of_a_second(void **state UNUSED)
{
	const uint64_t year_s = 31536000;

	for (uint32_t i = 0; i < ARRAY_SIZE(rates_hz); i++) {
		struct pvclock_scale scale = pvclock_scale_of(rates_hz[i]);
		uint64_t ns = pvclock_scale_ticks(scale, rates_hz[i] * year_s);

		assert_in_range(ns, year_s * 1000000000 - 100000000, year_s * 1000000000);
	}
}

static void time_never_runs_back(void **state UNUSED)
{
	struct pvclock_scale scale = pvclock_scale_of(2596136000);
	uint64_t before = 0;

	for (uint64_t ticks = 0; ticks < 100000; ticks++) {
		uint64_t now = pvclock_scale_ticks(scale, ticks);

		assert_true(now >= before);
		before = now;
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_of_ticks_is_a_second),
		cmocka_unit_test(a_year_is_out_by_less_than_a_tenth_of_a_second),
		cmocka_unit_test(time_never_runs_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
