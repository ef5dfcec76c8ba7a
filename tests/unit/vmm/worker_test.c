/*
 * A thread for one device, which can be held still.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/barrier.h"
#include "tests/support/cmocka.h"
#include "vmm/worker.h"

struct bench {
	struct worker worker;
	struct barrier barrier;
	struct loop_source source;
	unsigned long calls; /* the worker's, or whose who parked it */
	bool works_until_asked_to_yield;
	sem_t is_working;
};

static void work(void *context, uint32_t events UNUSED)
{
	struct bench *bench = context;

	bench->calls++;
	if (!bench->works_until_asked_to_yield)
		return;
	sem_post(&bench->is_working);
	while (!worker_should_yield(&bench->worker))
		;
}

static void start(struct bench *bench)
{
	*bench = (struct bench){ 0 };
	sem_init(&bench->is_working, 0, 0);
	assert_int_equal(worker_create(&bench->worker, "test"), 0);
	barrier_add(&bench->barrier, &bench->worker);
	bench->source = (struct loop_source){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
					      .ready = work,
					      .context = bench };
	assert_int_equal(loop_add(&bench->worker.loop, &bench->source, EPOLLIN | EPOLLET), 0);
}

static void stop(struct bench *bench)
{
	barrier_remove(&bench->barrier);
	worker_destroy(&bench->worker);
	close(bench->source.fd);
	sem_destroy(&bench->is_working);
}

static void signal_work(struct bench *bench)
{
	uint64_t one = 1;

	assert_int_equal(write(bench->source.fd, &one, sizeof(one)), sizeof(one));
}

static void it_starts_parked(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	signal_work(&bench);
	assert_true(worker_should_yield(&bench.worker));
	assert_int_equal(bench.calls, 0);
	worker_unpark(&bench.worker);
	barrier_wait(&bench.barrier);
	worker_park(&bench.worker);
	assert_int_equal(bench.calls, 1);
	stop(&bench);
}

static void each_signal_after_a_look_is_a_call(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	worker_unpark(&bench.worker);
	for (unsigned i = 0; i < 100; i++) {
		signal_work(&bench);
		barrier_wait(&bench.barrier);
	}
	worker_park(&bench.worker);
	assert_int_equal(bench.calls, 100);
	stop(&bench);
}

static void a_parked_worker_stands_still(void **state UNUSED)
{
	struct bench bench;
	unsigned long before;

	start(&bench);
	worker_unpark(&bench.worker);
	for (unsigned round = 0; round < 500; round++) {
		signal_work(&bench);
		worker_park(&bench.worker);
		before = bench.calls;
		signal_work(&bench);
		bench.calls = before + 1; /* ours alone to touch: TSan would tell */
		assert_int_equal(bench.calls, before + 1);
		worker_unpark(&bench.worker);
	}
	stop(&bench);
}

static void long_work_is_asked_to_yield(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.works_until_asked_to_yield = true;
	worker_unpark(&bench.worker);
	signal_work(&bench);
	sem_wait(&bench.is_working);
	worker_park(&bench.worker);
	assert_int_equal(bench.calls, 1);
	stop(&bench);
}

static void parks_add_up(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	worker_park(&bench.worker);
	worker_unpark(&bench.worker);
	signal_work(&bench);
	assert_true(worker_should_yield(&bench.worker));
	assert_int_equal(bench.calls, 0);
	worker_unpark(&bench.worker);
	assert_false(worker_should_yield(&bench.worker));
	barrier_wait(&bench.barrier);
	stop(&bench);
}

static void a_running_worker_can_be_destroyed(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	worker_unpark(&bench.worker);
	signal_work(&bench);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_starts_parked),
		cmocka_unit_test(each_signal_after_a_look_is_a_call),
		cmocka_unit_test(a_parked_worker_stands_still),
		cmocka_unit_test(long_work_is_asked_to_yield),
		cmocka_unit_test(parks_add_up),
		cmocka_unit_test(a_running_worker_can_be_destroyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
