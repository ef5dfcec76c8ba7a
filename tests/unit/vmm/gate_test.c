/*
 * The gate that every vCPU thread passes.
 */
#include <sched.h>

#include "lib/compiler.h"
#include "tests/support/cmocka.h"
#include "vmm/gate.h"

enum { THREADS = 4 };

/* Passes the gate again and again until it is dismissed, or once. */
struct walker {
	struct gate *gate;
	pthread_t thread;
	unsigned long passed; /* atomic */
	bool is_leaving_early;
};

static void *walk(void *argument)
{
	struct walker *walker = argument;

	while (gate_pass(walker->gate)) {
		__atomic_fetch_add(&walker->passed, 1, __ATOMIC_RELAXED);
		if (walker->is_leaving_early)
			break;
	}
	gate_leave(walker->gate);
	return NULL;
}

static unsigned long passed(struct walker *walkers)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < THREADS; i++)
		sum += __atomic_load_n(&walkers[i].passed, __ATOMIC_RELAXED);
	return sum;
}

static void start(struct walker *walkers, struct gate *gate)
{
	gate_init(gate, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		walkers[i].gate = gate;
		walkers[i].passed = 0;
		assert_int_equal(pthread_create(&walkers[i].thread, NULL, walk, &walkers[i]), 0);
	}
}

static void join(struct walker *walkers)
{
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(walkers[i].thread, NULL);
}

static void a_new_gate_holds_everyone(void **state UNUSED)
{
	struct walker walkers[THREADS] = { 0 };
	struct gate gate;

	start(walkers, &gate);
	gate_wait_closed(&gate);
	assert_true(gate_is_closed(&gate));
	assert_int_equal(passed(walkers), 0);
	gate_dismiss(&gate);
	join(walkers);
	assert_int_equal(passed(walkers), 0);
}

static void nobody_passes_between_closing_and_opening(void **state UNUSED)
{
	struct walker walkers[THREADS] = { 0 };
	unsigned long before;
	struct gate gate;

	start(walkers, &gate);
	for (unsigned round = 0; round < 200; round++) {
		gate_open(&gate);
		gate_close(&gate);
		gate_wait_closed(&gate);
		before = passed(walkers);
		sched_yield();
		assert_int_equal(passed(walkers), before);
	}
	gate_dismiss(&gate);
	join(walkers);
	assert_int_equal(passed(walkers), before);
}

static void who_has_left_is_not_waited_for(void **state UNUSED)
{
	struct walker walkers[THREADS] = { 0 };
	struct gate gate;

	walkers[1].is_leaving_early = true;
	walkers[2].is_leaving_early = true;
	start(walkers, &gate);
	gate_open(&gate);
	pthread_join(walkers[1].thread, NULL);
	pthread_join(walkers[2].thread, NULL);
	gate_close(&gate);
	gate_wait_closed(&gate);
	assert_int_equal(walkers[1].passed, 1);
	gate_dismiss(&gate);
	pthread_join(walkers[0].thread, NULL);
	pthread_join(walkers[3].thread, NULL);
}

static void a_dismissed_gate_lets_nobody_in_again(void **state UNUSED)
{
	struct gate gate;

	gate_init(&gate, 1);
	gate_open(&gate);
	assert_true(gate_pass(&gate));
	gate_dismiss(&gate);
	assert_false(gate_pass(&gate));
	assert_false(gate_pass(&gate));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_gate_holds_everyone),
		cmocka_unit_test(nobody_passes_between_closing_and_opening),
		cmocka_unit_test(who_has_left_is_not_waited_for),
		cmocka_unit_test(a_dismissed_gate_lets_nobody_in_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
