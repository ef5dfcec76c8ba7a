/*
 * When a VM that ended is started again, and when not.
 */
#include "host/restart.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static const struct ending powered_off = { .code = BHVM_POWERED_OFF };
static const struct ending failed = { .code = BHVM_FAILED };
static const struct ending mistake = { .code = BHVM_USER_MISTAKE };
static const struct ending killed = { .by_signal = true, .code = 9 };

static bool restarts(enum restart_policy policy, const struct ending *ending)
{
	struct restart restart = { 0 };
	uint32_t delay_ms;

	return restart_decide(&restart, policy, ending, 0, &delay_ms);
}

static void never_means_never(void **state UNUSED)
{
	assert_false(restarts(RESTART_NEVER, &powered_off));
	assert_false(restarts(RESTART_NEVER, &failed));
	assert_false(restarts(RESTART_NEVER, &killed));
}

static void on_failure_leaves_a_guest_that_powered_off(void **state UNUSED)
{
	assert_false(restarts(RESTART_ON_FAILURE, &powered_off));
	assert_true(restarts(RESTART_ON_FAILURE, &failed));
	assert_true(restarts(RESTART_ON_FAILURE, &killed));
}

static void always_starts_a_guest_that_powered_off_too(void **state UNUSED)
{
	assert_true(restarts(RESTART_ALWAYS, &powered_off));
	assert_true(restarts(RESTART_ALWAYS, &failed));
}

static void what_a_person_must_put_right_is_not_tried_again(void **state UNUSED)
{
	assert_false(restarts(RESTART_ON_FAILURE, &mistake));
	assert_false(restarts(RESTART_ALWAYS, &mistake));
}

static void each_restart_waits_twice_as_long_up_to_a_minute(void **state UNUSED)
{
	static const uint32_t expected_ms[] = {
		1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000
	};
	struct restart restart = { 0 };
	uint32_t delay_ms;

	for (size_t i = 0; i < ARRAY_SIZE(expected_ms); i++) {
		assert_true(restart_decide(&restart, RESTART_ALWAYS, &failed, 100, &delay_ms));
		assert_int_equal(delay_ms, expected_ms[i]);
	}
	assert_int_equal(restart.nr_restarts, ARRAY_SIZE(expected_ms));
}

static void a_minute_up_forgets_the_failures_before(void **state UNUSED)
{
	struct restart restart = { 0 };
	uint32_t delay_ms;

	for (int i = 0; i < 5; i++)
		assert_true(restart_decide(&restart, RESTART_ALWAYS, &failed, 0, &delay_ms));
	assert_true(restart_decide(&restart, RESTART_ALWAYS, &failed, RESTART_SETTLED_MS - 1,
				   &delay_ms));
	assert_int_equal(delay_ms, 32000);
	assert_true(
		restart_decide(&restart, RESTART_ALWAYS, &failed, RESTART_SETTLED_MS, &delay_ms));
	assert_int_equal(delay_ms, RESTART_DELAY_MIN_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_means_never),
		cmocka_unit_test(on_failure_leaves_a_guest_that_powered_off),
		cmocka_unit_test(always_starts_a_guest_that_powered_off_too),
		cmocka_unit_test(what_a_person_must_put_right_is_not_tried_again),
		cmocka_unit_test(each_restart_waits_twice_as_long_up_to_a_minute),
		cmocka_unit_test(a_minute_up_forgets_the_failures_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
