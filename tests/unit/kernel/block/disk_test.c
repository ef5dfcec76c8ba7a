/*
 * Requests on their way through a disk that works, fails, falls silent and comes back. One thread: interrupts, timers and the keeper
 * run when the test says so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/block/disk.h"
#include "kernel/block/partition.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"
#include "tests/support/cmocka.h"

enum { DEPTH = 4, REQUESTS = 12, DISKS = 16 };
#define SECOND_NS UINT64_C(1000000000)

/* --- what it stands on --- */

static struct disk disks[DISKS];
static uint32_t nr_disks;
static uint64_t now_ns;
static void (*keeper)(void *argument);
static jmp_buf keeper_blocked;

uint64_t clock_ns(void)
{
	return now_ns;
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer))
{
	*timer = (struct timer){ .expired = expired, .when_ns = TIMER_NEVER };
}

void timer_arm(struct timer *timer, uint64_t when_ns)
{
	timer->when_ns = when_ns;
}

struct thread *thread_create(void (*function)(void *argument), void *argument UNUSED,
			     const char *name UNUSED)
{
	static int thread;

	keeper = function;
	return (struct thread *)&thread;
}

void thread_wake(struct thread *thread UNUSED)
{
}

void waiter_init_thread(struct waiter *waiter UNUSED)
{
}

void waiter_add(struct waitq *queue UNUSED, struct waiter *waiter UNUSED)
{
}

void waiter_remove(struct waiter *waiter UNUSED)
{
}

void waitq_wake(struct waitq *queue UNUSED)
{
}

void thread_will_block(void)
{
}

void thread_will_run(void)
{
}

void thread_block(void)
{
	longjmp(keeper_blocked, 1);
}

void mutex_init(struct mutex *mutex UNUSED)
{
}

void mutex_wait(struct mutex *mutex UNUSED)
{
}

void waitq_wake_one(struct waitq *queue UNUSED)
{
}

void print(const char *format UNUSED, ...)
{
}

void panic(const char *format UNUSED, ...)
{
	abort();
}

void partitions_add(struct disk *disk UNUSED)
{
}

int disk_transfer(struct disk *disk UNUSED, enum disk_op op UNUSED, uint64_t offset_bytes UNUSED,
		  void *buffer UNUSED, uint32_t size_bytes UNUSED)
{
	return 0;
}

/* Until it has nothing to do. */
static void run_keeper(void)
{
	if (!setjmp(keeper_blocked))
		keeper(NULL);
}

static void pass(uint64_t seconds)
{
	now_ns += seconds * SECOND_NS;
	for (uint32_t i = 0; i < nr_disks; i++) {
		struct timer *timer = &disks[i].timer;

		if (timer->when_ns > now_ns)
			continue;
		timer->when_ns = TIMER_NEVER;
		timer->expired(timer);
	}
}

/* --- the device --- */

static struct {
	struct disk_request *queue[DEPTH];
	uint32_t nr_queued, nr_finished; /* the first are finished */
	int result;			 /* of the next that finishes */
	int refusal;			 /* of submit() */
	int start_result;
	uint32_t nr_stops;
} device;

static int submit(struct disk *disk UNUSED, struct disk_request *request)
{
	if (device.refusal)
		return device.refusal;
	if (device.nr_queued == DEPTH)
		return -EBUSY;
	device.queue[device.nr_queued++] = request;
	return 0;
}

static struct disk_request *reap(struct disk *disk UNUSED, int *err)
{
	struct disk_request *request = device.queue[0];

	if (!device.nr_finished)
		return NULL;
	device.nr_finished--;
	device.nr_queued--;
	memmove(device.queue, device.queue + 1, sizeof(device.queue) - sizeof(device.queue[0]));
	*err = device.result;
	return request;
}

static void stop(struct disk *disk UNUSED)
{
	device.nr_stops++;
	device.nr_queued = device.nr_finished = 0;
}

static int start(struct disk *disk UNUSED)
{
	return device.start_result;
}

static const struct disk_ops ops = { submit, reap, stop, start };

/* --- the tests --- */

static struct disk *disk;
static struct disk_request requests[REQUESTS];
static uint32_t nr_done[REQUESTS];
static int results[REQUESTS];
static struct disk_request *then; /* submitted by the end of the next one */

static void done(struct disk_request *request, int err)
{
	struct disk_request *next = then;

	nr_done[request - requests]++;
	results[request - requests] = err;
	then = NULL;
	if (next)
		disk_submit(disk, next);
}

/* Disks stay for good: each test has its own. */
static void add_disk(void)
{
	assert_true(nr_disks < DISKS);
	disk = &disks[nr_disks++];
	disk_init(disk);
	disk->ops = &ops;
	disk->has_cache = true;
	disk_add(disk);
}

static int prepare(void **state UNUSED)
{
	for (uint32_t i = 0; i < nr_disks; i++)
		disks[i].timer.when_ns = TIMER_NEVER; /* whatever an earlier test left open */
	add_disk();
	memset(&device, 0, sizeof(device));
	memset(nr_done, 0, sizeof(nr_done));
	for (uint32_t i = 0; i < REQUESTS; i++)
		requests[i] = (struct disk_request){ .op = DISK_READ, .done = done };
	then = NULL;
	return 0;
}

static void submit_all(void)
{
	for (uint32_t i = 0; i < REQUESTS; i++)
		disk_submit(disk, &requests[i]);
}

static void finish(uint32_t count, int result)
{
	device.nr_finished = count;
	device.result = result;
	assert_true(disk_interrupt(disk));
}

/* [from, to) have ended so, each once. */
static void assert_ended(uint32_t from, uint32_t to, int result)
{
	for (uint32_t i = from; i < to; i++) {
		assert_int_equal(nr_done[i], 1);
		assert_int_equal(results[i], result);
	}
}

static void assert_open(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		assert_int_equal(nr_done[i], 0);
}

static void what_does_not_fit_waits(void **state UNUSED)
{
	submit_all();
	assert_int_equal(device.nr_queued, DEPTH);
	finish(1, 0);
	assert_ended(0, 1, 0);
	assert_int_equal(device.nr_queued, DEPTH);
	for (uint32_t i = 1; i < REQUESTS; i++)
		finish(1, 0);
	assert_ended(0, REQUESTS, 0);
	assert_false(disk_interrupt(disk));
}

static void a_failure_is_of_one_request(void **state UNUSED)
{
	submit_all();
	finish(1, 0);
	finish(1, -EIO);
	finish(2, 0);
	assert_ended(0, 1, 0);
	assert_ended(1, 2, -EIO);
	assert_ended(2, 4, 0);
	assert_open(4, REQUESTS);
}

static void a_refusal_ends_the_request(void **state UNUSED)
{
	device.refusal = -EIO;
	disk_submit(disk, &requests[0]);
	assert_ended(0, 1, -EIO);
	device.refusal = 0;
	disk_submit(disk, &requests[1]);
	finish(1, 0);
	assert_ended(1, 2, 0);
}

static void a_flush_of_nothing_is_done_at_once(void **state UNUSED)
{
	disk->has_cache = false;
	requests[0].op = DISK_FLUSH;
	disk_submit(disk, &requests[0]);
	assert_ended(0, 1, 0);
	assert_int_equal(device.nr_queued, 0);
}

static void a_silent_disk_is_reset_and_goes_on(void **state UNUSED)
{
	submit_all();
	pass(9);
	run_keeper();
	assert_open(0, REQUESTS);
	pass(2);
	assert_open(
		0,
		REQUESTS); /* the keeper stops the device first: until then it may write to memory */
	run_keeper();
	assert_int_equal(device.nr_stops, 1);
	assert_ended(0, DEPTH, -EIO);
	assert_open(DEPTH, REQUESTS); /* these it had not been given */
	for (uint32_t i = DEPTH; i < REQUESTS; i++)
		finish(1, 0);
	assert_ended(DEPTH, REQUESTS, 0);
	run_keeper();
	assert_int_equal(device.nr_stops, 1);
}

static void the_second_silence_is_noticed_too(void **state UNUSED)
{
	for (uint32_t round = 0; round < 3; round++) {
		disk_submit(disk, &requests[round]);
		pass(11);
		run_keeper();
		assert_int_equal(device.nr_stops, round + 1);
		assert_ended(round, round + 1, -EIO);
	}
}

static void each_request_has_its_own_time(void **state UNUSED)
{
	disk_submit(disk, &requests[0]);
	pass(6);
	disk_submit(disk, &requests[1]);
	finish(1, 0); /* the first */
	pass(5);      /* its time has passed, the second's hasn't */
	run_keeper();
	assert_int_equal(device.nr_stops, 0);
	pass(6);
	run_keeper();
	assert_int_equal(device.nr_stops, 1);
	assert_ended(1, 2, -EIO);
}

static void one_that_cannot_be_started_again_fails_at_once(void **state UNUSED)
{
	submit_all();
	device.start_result = -ETIMEDOUT;
	pass(11);
	run_keeper();
	assert_ended(0, REQUESTS, -EIO);
	nr_done[0] = 0;
	disk_submit(disk, &requests[0]);
	assert_ended(0, 1, -EIO);
	assert_int_equal(device.nr_queued, 0);
}

static void an_end_may_submit_the_next_one(void **state UNUSED)
{
	disk_submit(disk, &requests[0]);
	then = &requests[1];
	finish(1, 0);
	assert_ended(0, 1, 0);
	then = &requests[2];
	pass(11);
	run_keeper();
	assert_ended(1, 2, -EIO);
	finish(1, 0); /* it was submitted while the disk was stopped */
	assert_ended(2, 3, 0);
}

static void two_disks_may_be_silent(void **state UNUSED)
{
	disk_submit(disk, &requests[0]);
	add_disk();
	disk_submit(disk, &requests[1]);
	pass(11);
	run_keeper();
	assert_int_equal(device.nr_stops, 2);
	assert_ended(0, 2, -EIO);
}

static int start_keeper(void **state UNUSED)
{
	disks_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_does_not_fit_waits, prepare),
		cmocka_unit_test_setup(a_failure_is_of_one_request, prepare),
		cmocka_unit_test_setup(a_refusal_ends_the_request, prepare),
		cmocka_unit_test_setup(a_flush_of_nothing_is_done_at_once, prepare),
		cmocka_unit_test_setup(a_silent_disk_is_reset_and_goes_on, prepare),
		cmocka_unit_test_setup(the_second_silence_is_noticed_too, prepare),
		cmocka_unit_test_setup(each_request_has_its_own_time, prepare),
		cmocka_unit_test_setup(one_that_cannot_be_started_again_fails_at_once, prepare),
		cmocka_unit_test_setup(an_end_may_submit_the_next_one, prepare),
		cmocka_unit_test_setup(two_disks_may_be_silent, prepare),
	};

	return cmocka_run_group_tests(tests, start_keeper, NULL);
}
