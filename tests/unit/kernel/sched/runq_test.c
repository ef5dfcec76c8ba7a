/*
 * How a processor's time is divided among threads that compute, sleep, come and go.
 */
#include "kernel/cpu/clock.h"
#include "kernel/sched/runq.h"
#include "tests/support/cmocka.h"

enum { THREADS = 6 };

#define MS INT64_C(1000000)

static struct runq queue;
static struct thread idle, threads[THREADS];
static uint64_t now;

uint64_t clock_ns(void)
{
	return now;
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer))
{
	*timer = (struct timer){ .when_ns = TIMER_NEVER, .expired = expired };
}

static int setup(void **state UNUSED)
{
	now = 1000 * MS;
	queue = (struct runq){ 0 };
	idle = (struct thread){ .is_idle = true, .weight = THREAD_WEIGHT, .started_ns = now };
	runq_init(&queue, &idle, NULL);
	for (int i = 0; i < THREADS; i++)
		threads[i] = (struct thread){ .state = THREAD_BLOCKED, .weight = THREAD_WEIGHT };
	return 0;
}

static void wake(struct thread *thread)
{
	thread->state = THREAD_RUNNABLE;
	runq_join(&queue, thread);
}

/* As schedule() does. */
static void schedule(void)
{
	struct thread *previous = queue.current, *next;

	runq_charge(&queue);
	next = runq_pick(&queue);
	if (next == previous)
		return;
	if (!previous->is_idle) {
		if (previous->state == THREAD_RUNNABLE)
			runq_insert(&queue, previous);
		else
			runq_leave(&queue, previous);
	}
	if (!next->is_idle)
		runq_remove(&queue, next);
	next->started_ns = now;
	queue.current = next;
}

static void run(int64_t ns)
{
	for (uint64_t end = now + (uint64_t)ns; now < end; now += (uint64_t)SLICE_NS)
		schedule();
	schedule();
}

static void sleep_now(struct thread *thread)
{
	assert_ptr_equal(queue.current, thread);
	thread->state = THREAD_BLOCKED;
	schedule();
}

static void assert_near(uint64_t value, uint64_t expected, uint64_t tolerance)
{
	assert_in_range(value, expected - tolerance, expected + tolerance);
}

static void time_goes_by_weight(void **state UNUSED)
{
	static const uint64_t weights[] = { 512, 1024, 2048, 4608 };

	for (int i = 0; i < 4; i++) {
		threads[i].weight = weights[i];
		wake(&threads[i]);
	}
	schedule();
	run(8192 * MS);
	for (int i = 0; i < 4; i++)
		assert_near(threads[i].ran_ns, weights[i] * (uint64_t)MS, 3 * (uint64_t)SLICE_NS);
	assert_int_equal(idle.ran_ns, 0);
}

static void who_comes_waits_for_no_more_than_a_turn_of_the_others(void **state UNUSED)
{
	for (int i = 0; i < THREADS - 1; i++)
		wake(&threads[i]);
	schedule();
	run(1000 * MS);
	wake(&threads[THREADS - 1]);
	run((THREADS - 1) * SLICE_NS);
	assert_in_range(threads[THREADS - 1].ran_ns + (queue.current == &threads[THREADS - 1]), 1,
			(uint64_t)(2 * SLICE_NS));
}

static void sleep_earns_nothing(void **state UNUSED)
{
	wake(&threads[0]);
	wake(&threads[1]);
	schedule();
	run(100 * MS);
	while (queue.current != &threads[0])
		run(SLICE_NS);
	sleep_now(&threads[0]);
	run(10000 * MS);
	wake(&threads[0]);
	threads[0].ran_ns = threads[1].ran_ns = 0;
	run(300 * MS);
	assert_near(threads[0].ran_ns, 150 * (uint64_t)MS, 2 * (uint64_t)SLICE_NS);
}

/* From when @thread may run until it does. */
static int64_t latency(const struct thread *thread)
{
	uint64_t start = now;

	while (queue.current != thread) {
		if (!runq_comes_before_current(&queue, thread))
			now += (uint64_t)runq_slice_left(queue.current);
		schedule();
	}
	return (int64_t)(now - start);
}

static void who_slept_long_has_the_cpu_soon(void **state UNUSED)
{
	wake(&threads[0]);
	schedule();
	for (int64_t busy_ns = 2 * FIRST_SLICE_NS; busy_ns < 8 * MS; busy_ns += MS / 16) {
		now += (uint64_t)busy_ns;
		wake(&threads[1]);
		assert_in_range(latency(&threads[1]), 0, FIRST_SLICE_NS);
		now += (uint64_t)MS / 8;
		sleep_now(&threads[1]);
		assert_ptr_equal(queue.current, &threads[0]);
	}
}

static void who_sleeps_often_gets_no_more_than_its_share(void **state UNUSED)
{
	wake(&threads[0]);
	schedule();
	for (int i = 0; i < 1000; i++) {
		wake(&threads[1]);
		latency(&threads[1]);
		now += 9 * MS / 10;
		sleep_now(&threads[1]);
		now += MS / 10;
	}
	assert_in_range(threads[1].ran_ns, 400 * MS, threads[0].ran_ns + 2 * (uint64_t)SLICE_NS);
}

static void who_ran_alone_owes_nothing_for_it(void **state UNUSED)
{
	wake(&threads[0]);
	schedule();
	now += 10000 * MS; /* nobody waits, so nobody charges it meanwhile */
	wake(&threads[1]);
	schedule();
	threads[0].ran_ns = threads[1].ran_ns = 0;
	run(300 * MS);
	assert_near(threads[0].ran_ns, 150 * (uint64_t)MS, 2 * (uint64_t)SLICE_NS);
}

static void who_yields_is_passed_by_those_who_wait(void **state UNUSED)
{
	struct thread *first;

	wake(&threads[0]);
	wake(&threads[1]);
	schedule();
	first = queue.current;
	runq_yield(&queue);
	now += 1000;
	schedule();
	assert_ptr_not_equal(queue.current, first);
}

static void alone_it_is_never_preempted(void **state UNUSED)
{
	wake(&threads[0]);
	schedule();
	runq_yield(&queue);
	for (int i = 0; i < 100; i++) {
		run(SLICE_NS);
		assert_ptr_equal(queue.current, &threads[0]);
	}
	sleep_now(&threads[0]);
	assert_ptr_equal(queue.current, &idle);
	assert_true(runq_is_idle(&queue));
	assert_int_equal(queue.weight, 0);
}

static void the_oldest_is_who_has_been_there_longest(void **state UNUSED)
{
	for (int i = 0; i < 4; i++) {
		threads[i].weight = i == 1 ? 4096 : THREAD_WEIGHT;
		now += (uint64_t)MS;
		wake(&threads[i]);
	}
	schedule();
	while (queue.current != &threads[0])
		run(SLICE_NS);
	/* The one that runs can't be had. */
	assert_ptr_equal(runq_oldest(&queue, UINT64_MAX), &threads[1]);
	assert_ptr_equal(runq_oldest(&queue, THREAD_WEIGHT), &threads[2]);
	assert_null(runq_oldest(&queue, THREAD_WEIGHT - 1));
	runq_remove(&queue, &threads[1]);
	runq_leave(&queue, &threads[1]);
	assert_ptr_equal(runq_oldest(&queue, UINT64_MAX), &threads[2]);
	assert_int_equal(queue.weight, 3 * THREAD_WEIGHT);
	assert_int_equal(queue.nr_queued, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(time_goes_by_weight, setup),
		cmocka_unit_test_setup(who_comes_waits_for_no_more_than_a_turn_of_the_others,
				       setup),
		cmocka_unit_test_setup(sleep_earns_nothing, setup),
		cmocka_unit_test_setup(who_slept_long_has_the_cpu_soon, setup),
		cmocka_unit_test_setup(who_sleeps_often_gets_no_more_than_its_share, setup),
		cmocka_unit_test_setup(who_ran_alone_owes_nothing_for_it, setup),
		cmocka_unit_test_setup(who_yields_is_passed_by_those_who_wait, setup),
		cmocka_unit_test_setup(alone_it_is_never_preempted, setup),
		cmocka_unit_test_setup(the_oldest_is_who_has_been_there_longest, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
