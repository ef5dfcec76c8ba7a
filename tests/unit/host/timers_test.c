/*
 * Deadlines in order, by a clock that the test turns.
 */
#include "host/timers.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

struct bench {
	struct timers timers;
	struct timer timer[3];
	char order[16]; /* '0', '1', ...: which expired */
	size_t nr_expired;
};

struct numbered {
	struct bench *bench;
	char number;
};

static void note(void *context)
{
	struct numbered *numbered = context;

	numbered->bench->order[numbered->bench->nr_expired++] = numbered->number;
}

static void bench_start(struct bench *bench, struct numbered numbered[3])
{
	*bench = (struct bench){ 0 };
	for (int i = 0; i < 3; i++) {
		numbered[i] = (struct numbered){ bench, (char)('0' + i) };
		bench->timer[i] = (struct timer){ note, &numbered[i] };
	}
}

static void they_expire_in_the_order_of_their_deadlines(void **state UNUSED)
{
	struct numbered numbered[3];
	struct bench bench;

	bench_start(&bench, numbered);
	timer_set(&bench.timers, &bench.timer[0], 30);
	timer_set(&bench.timers, &bench.timer[1], 10);
	timer_set(&bench.timers, &bench.timer[2], 20);
	timers_run(&bench.timers, 9);
	assert_string_equal(bench.order, "");
	timers_run(&bench.timers, 20);
	assert_string_equal(bench.order, "12");
	timers_run(&bench.timers, 100);
	assert_string_equal(bench.order, "120");
}

static void one_that_is_set_again_is_moved(void **state UNUSED)
{
	struct numbered numbered[3];
	struct bench bench;

	bench_start(&bench, numbered);
	timer_set(&bench.timers, &bench.timer[0], 10);
	timer_set(&bench.timers, &bench.timer[1], 20);
	timer_set(&bench.timers, &bench.timer[0], 30);
	timers_run(&bench.timers, 30);
	assert_string_equal(bench.order, "10");
}

static void one_that_is_cancelled_does_not_expire(void **state UNUSED)
{
	struct numbered numbered[3];
	struct bench bench;

	bench_start(&bench, numbered);
	timer_set(&bench.timers, &bench.timer[0], 10);
	timer_set(&bench.timers, &bench.timer[1], 10);
	timer_cancel(&bench.timers, &bench.timer[0]);
	timer_cancel(&bench.timers, &bench.timer[2]);
	timers_run(&bench.timers, 10);
	assert_string_equal(bench.order, "1");
}

static void the_loop_sleeps_until_the_first_deadline(void **state UNUSED)
{
	struct numbered numbered[3];
	struct bench bench;

	bench_start(&bench, numbered);
	assert_int_equal(timers_timeout_ms(&bench.timers, 5), -1);
	timer_set(&bench.timers, &bench.timer[0], 30);
	timer_set(&bench.timers, &bench.timer[1], 12);
	assert_int_equal(timers_timeout_ms(&bench.timers, 5), 7);
	assert_int_equal(timers_timeout_ms(&bench.timers, 13), 0);
	assert_int_equal(timer_left_ms(&bench.timer[0], 13), 17);
	assert_int_equal(timer_left_ms(&bench.timer[2], 13), 0);
}

struct again {
	struct timers timers;
	struct timer timer;
	unsigned nr_expired;
};

static void set_again(void *context)
{
	struct again *again = context;

	again->nr_expired++;
	timer_set(&again->timers, &again->timer, 0);
}

static void one_that_sets_itself_to_now_lets_the_loop_turn(void **state UNUSED)
{
	struct again again = { 0 };

	again.timer = (struct timer){ set_again, &again };
	timer_set(&again.timers, &again.timer, 0);
	timers_run(&again.timers, 10);
	assert_int_equal(again.nr_expired, 1);
	timers_run(&again.timers, 10);
	assert_int_equal(again.nr_expired, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_expire_in_the_order_of_their_deadlines),
		cmocka_unit_test(one_that_is_set_again_is_moved),
		cmocka_unit_test(one_that_is_cancelled_does_not_expire),
		cmocka_unit_test(the_loop_sleeps_until_the_first_deadline),
		cmocka_unit_test(one_that_sets_itself_to_now_lets_the_loop_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
