/*
 * The battery clock's date, in each of its forms.
 */
#include "kernel/dev/cmos.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static void bcd_with_a_century(void **state UNUSED)
{
	const struct cmos_time time = { .second = 0x59,
					.minute = 0x58,
					.hour = 0x23,
					.day = 0x29,
					.month = 0x02,
					.year = 0x24,
					.century = 0x20,
					.is_24_hours = true };

	assert_int_equal(cmos_time_to_s(&time), 1709251139);
}

static void binary_without_a_century(void **state UNUSED)
{
	const struct cmos_time time = {
		.day = 1, .month = 1, .year = 70, .is_binary = true, .is_24_hours = true
	};

	assert_int_equal(cmos_time_to_s(&time), 0);
}

static void twelve_hours_begin_at_twelve(void **state UNUSED)
{
	struct cmos_time time = { .hour = 0x12, .day = 0x01, .month = 0x03, .year = 0x00 };

	assert_int_equal(cmos_time_to_s(&time), 951868800);
	time.hour |= 0x80;
	assert_int_equal(cmos_time_to_s(&time), 951868800 + 12 * 3600);
	time.hour = 0x91; /* 11 in the evening */
	assert_int_equal(cmos_time_to_s(&time), 951868800 + 23 * 3600);
}

static void nonsense_is_no_date(void **state UNUSED)
{
	const struct cmos_time time = { .second = 0xff,
					.minute = 0xff,
					.hour = 0xff,
					.day = 0xff,
					.month = 0xff,
					.year = 0xff,
					.is_24_hours = true };

	assert_int_equal(cmos_time_to_s(&time), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bcd_with_a_century),
		cmocka_unit_test(binary_without_a_century),
		cmocka_unit_test(twelve_hours_begin_at_twelve),
		cmocka_unit_test(nonsense_is_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
