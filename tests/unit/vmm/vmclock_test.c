/*
 * The clock that a guest's timers run on.
 */
#include <time.h>

#include "lib/compiler.h"
#include "tests/support/cmocka.h"
#include "vmm/vmclock.h"

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void a_new_clock_stands_at_its_start(void **state UNUSED)
{
	struct vmclock clock;

	vmclock_init(&clock, 12345);
	assert_true(clock.is_frozen);
	assert_int_equal(vmclock_now_ns(&clock), 12345);
}

static void a_thawed_clock_runs_from_where_it_stood(void **state UNUSED)
{
	uint64_t before = monotonic_ns(), first, second, after;
	struct vmclock clock;

	vmclock_init(&clock, 1000);
	vmclock_thaw(&clock);
	first = vmclock_now_ns(&clock);
	second = vmclock_now_ns(&clock);
	after = monotonic_ns();
	assert_true(first >= 1000);
	assert_true(second >= first);
	assert_true(second - 1000 <= after - before);
}

static void a_frozen_clock_stands_still_and_loses_no_time(void **state UNUSED)
{
	struct vmclock clock;
	uint64_t before, frozen;

	vmclock_init(&clock, 0);
	vmclock_thaw(&clock);
	before = vmclock_now_ns(&clock);
	vmclock_freeze(&clock);
	frozen = vmclock_now_ns(&clock);
	assert_true(frozen >= before);
	assert_int_equal(vmclock_now_ns(&clock), frozen);
	vmclock_freeze(&clock);
	assert_int_equal(vmclock_now_ns(&clock), frozen);
	vmclock_thaw(&clock);
	assert_true(vmclock_now_ns(&clock) >= frozen);
}

static void thawing_twice_changes_nothing(void **state UNUSED)
{
	struct vmclock clock;
	int64_t offset;

	vmclock_init(&clock, 5);
	vmclock_thaw(&clock);
	offset = clock.offset_ns;
	vmclock_thaw(&clock);
	assert_int_equal(clock.offset_ns, offset);
}

static void a_deadline_translates_to_the_systems_clock(void **state UNUSED)
{
	struct vmclock clock = { .offset_ns = -1000 };

	assert_int_equal(vmclock_to_monotonic_ns(&clock, 500), 1500);
	clock.offset_ns = 1000;
	assert_int_equal(vmclock_to_monotonic_ns(&clock, 1500), 500);
	assert_int_equal(vmclock_to_monotonic_ns(&clock, 900), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_clock_stands_at_its_start),
		cmocka_unit_test(a_thawed_clock_runs_from_where_it_stood),
		cmocka_unit_test(a_frozen_clock_stands_still_and_loses_no_time),
		cmocka_unit_test(thawing_twice_changes_nothing),
		cmocka_unit_test(a_deadline_translates_to_the_systems_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
