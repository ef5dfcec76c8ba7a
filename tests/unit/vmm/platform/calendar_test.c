/*
 * Dates beside the C library's, which knows the same calendar.
 */
#include <time.h>

#include "tests/support/cmocka.h"
#include "vmm/platform/calendar.h"

static void assert_same_as_libc(int64_t seconds)
{
	struct calendar date = calendar_from_seconds(seconds);
	time_t when = (time_t)seconds;
	struct tm tm;

	gmtime_r(&when, &tm);
	assert_int_equal(date.year, tm.tm_year + 1900);
	assert_int_equal(date.month, tm.tm_mon + 1);
	assert_int_equal(date.day, tm.tm_mday);
	assert_int_equal(date.weekday, tm.tm_wday);
	assert_int_equal(date.hour, tm.tm_hour);
	assert_int_equal(date.minute, tm.tm_min);
	assert_int_equal(date.second, tm.tm_sec);
	assert_int_equal(calendar_to_seconds(&date), seconds);
}

static void every_day_of_eight_centuries_is_the_c_librarys(void **state)
{
	(void)state;
	for (int64_t day = -400 * 366; day < 400 * 366; day++)
		assert_same_as_libc(day * SECONDS_PER_DAY + (day * 7919 % 86400 + 86400) % 86400);
}

static void far_centuries_are_the_c_librarys_too(void **state)
{
	(void)state;
	for (int64_t day = -719528; day < 9000000; day += 4801)
		assert_same_as_libc(day * SECONDS_PER_DAY);
}

static void fields_that_are_too_large_carry_over(void **state)
{
	struct calendar overfull = {
		.year = 2023, .month = 2, .day = 29, .hour = 24, .second = 60
	};
	struct calendar date;

	(void)state;
	date = calendar_from_seconds(calendar_to_seconds(&overfull));
	assert_int_equal(date.month, 3);
	assert_int_equal(date.day, 2);
	assert_int_equal(date.hour, 0);
	assert_int_equal(date.minute, 1);
}

static void a_month_out_of_range_is_taken_modulo_a_year(void **state)
{
	struct calendar odd = { .year = 2023, .month = 0, .day = 1 };

	(void)state;
	assert_int_equal(calendar_from_seconds(calendar_to_seconds(&odd)).month, 12);
	odd.month = 255;
	assert_int_equal(calendar_from_seconds(calendar_to_seconds(&odd)).month, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day_of_eight_centuries_is_the_c_librarys),
		cmocka_unit_test(far_centuries_are_the_c_librarys_too),
		cmocka_unit_test(fields_that_are_too_large_carry_over),
		cmocka_unit_test(a_month_out_of_range_is_taken_modulo_a_year),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
