/*
 * The event loop, and how other threads wake it.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/wakeup.h"
#include "tests/support/cmocka.h"

enum { PATIENCE_MS = 20000 };

/* A readable descriptor that counts its calls, and may take another out of the loop when called. */
struct probe {
	struct loop_source source;
	struct loop *loop;
	unsigned calls;
	uint32_t events;
	struct probe *removes;
};

static void probe_ready(void *context, uint32_t events)
{
	struct probe *probe = context;

	probe->calls++;
	probe->events = events;
	if (probe->removes)
		loop_remove(probe->loop, &probe->removes->source);
}

static void probe_add(struct probe *probe, struct loop *loop, unsigned initial, uint32_t events)
{
	*probe = (struct probe){
		.source = { .fd = eventfd(initial, EFD_NONBLOCK | EFD_CLOEXEC),
			    .ready = probe_ready,
			    .context = probe },
		.loop = loop,
	};
	assert_int_equal(loop_add(loop, &probe->source, events), 0);
}

static void probe_close(struct probe *probe)
{
	loop_remove(probe->loop, &probe->source);
	close(probe->source.fd);
}

static void what_is_ready_is_called_and_nothing_else(void **state UNUSED)
{
	struct probe ready, quiet;
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	probe_add(&ready, &loop, 1, EPOLLIN);
	probe_add(&quiet, &loop, 0, EPOLLIN);
	assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
	assert_int_equal(ready.calls, 1);
	assert_int_equal(ready.events, EPOLLIN);
	assert_int_equal(quiet.calls, 0);
	probe_close(&ready);
	probe_close(&quiet);
	loop_destroy(&loop);
}

static void a_turn_without_events_ends_at_its_timeout(void **state UNUSED)
{
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	loop_destroy(&loop);
}

static void a_source_removed_by_an_earlier_callback_is_not_called(void **state UNUSED)
{
	struct probe first, second;
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	probe_add(&first, &loop, 1, EPOLLIN);
	probe_add(&second, &loop, 1, EPOLLIN);
	first.removes = &second;
	second.removes = &first;
	assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
	assert_int_equal(first.calls + second.calls, 1);
	probe_close(&first);
	probe_close(&second);
	loop_destroy(&loop);
}

static void a_source_may_remove_itself(void **state UNUSED)
{
	struct probe probe;
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	probe_add(&probe, &loop, 1, EPOLLIN);
	probe.removes = &probe;
	assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(probe.calls, 1);
	probe_close(&probe);
	loop_destroy(&loop);
}

static void events_that_were_switched_off_are_not_reported(void **state UNUSED)
{
	struct probe probe;
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	probe_add(&probe, &loop, 1, 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(probe.calls, 0);
	assert_int_equal(loop_modify(&loop, &probe.source, EPOLLIN), 0);
	assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
	assert_int_equal(probe.calls, 1);
	probe_close(&probe);
	loop_destroy(&loop);
}

static void more_sources_than_a_batch_all_get_their_turn(void **state UNUSED)
{
	struct probe probes[3 * LOOP_BATCH];
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(probes); i++)
		probe_add(&probes[i], &loop, 1, EPOLLIN);
	for (unsigned turn = 0; turn < 3; turn++)
		assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(probes); i++) {
		assert_int_equal(probes[i].calls, 1);
		probe_close(&probes[i]);
	}
	loop_destroy(&loop);
}

static void errors_come_back_as_numbers(void **state UNUSED)
{
	struct loop_source closed = { .fd = -1 };
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	assert_int_equal(loop_add(&loop, &closed, EPOLLIN), -EBADF);
	assert_int_equal(loop_modify(&loop, &closed, EPOLLIN), -EBADF);
	loop_remove(&loop, &closed);
	loop_destroy(&loop);
	loop_destroy(&loop);
	assert_int_equal(loop_turn(&loop, 0), -EBADF);
}

static void count_up(void *context)
{
	unsigned *count = context;

	(*count)++;
}

static void several_wakeups_before_a_turn_are_one_call(void **state UNUSED)
{
	struct wakeup wakeup;
	unsigned calls = 0;
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	assert_int_equal(wakeup_create(&wakeup, &loop, count_up, &calls), 0);
	wakeup_raise(&wakeup);
	wakeup_raise(&wakeup);
	assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(calls, 1);
	wakeup_destroy(&wakeup);
	loop_destroy(&loop);
}

static void *raise_it(void *wakeup)
{
	wakeup_raise(wakeup);
	return NULL;
}

static void another_thread_wakes_a_waiting_loop(void **state UNUSED)
{
	struct wakeup wakeup;
	unsigned calls = 0;
	pthread_t thread;
	struct loop loop;

	assert_int_equal(loop_create(&loop), 0);
	assert_int_equal(wakeup_create(&wakeup, &loop, count_up, &calls), 0);
	assert_int_equal(pthread_create(&thread, NULL, raise_it, &wakeup), 0);
	assert_int_equal(loop_turn(&loop, PATIENCE_MS), 0);
	assert_int_equal(calls, 1);
	pthread_join(thread, NULL);
	wakeup_destroy(&wakeup);
	loop_destroy(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_ready_is_called_and_nothing_else),
		cmocka_unit_test(a_turn_without_events_ends_at_its_timeout),
		cmocka_unit_test(a_source_removed_by_an_earlier_callback_is_not_called),
		cmocka_unit_test(a_source_may_remove_itself),
		cmocka_unit_test(events_that_were_switched_off_are_not_reported),
		cmocka_unit_test(more_sources_than_a_batch_all_get_their_turn),
		cmocka_unit_test(errors_come_back_as_numbers),
		cmocka_unit_test(several_wakeups_before_a_turn_are_one_call),
		cmocka_unit_test(another_thread_wakes_a_waiting_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
