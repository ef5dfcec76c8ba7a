/*
 * One-shot timers on the VM's clock.
 */
#include "base/loop.h"
#include "tests/support/cmocka.h"
#include "vmm/vtimer.h"

enum { PATIENCE_MS = 20000 };

static const uint64_t LONG_NS = 3600ull * 1000 * 1000 * 1000;

struct bench {
	struct loop loop;
	struct vmclock clock;
	struct vtimer timer;
	unsigned expired;
};

static void expired(void *context)
{
	struct bench *bench = context;

	bench->expired++;
}

static void start(struct bench *bench, uint64_t now_ns)
{
	bench->expired = 0;
	assert_int_equal(loop_create(&bench->loop), 0);
	vmclock_init(&bench->clock, now_ns);
	assert_int_equal(vtimer_create(&bench->timer, &bench->loop, &bench->clock, expired, bench),
			 0);
	assert_int_equal(bench->timer.deadline_ns, VTIMER_NEVER);
}

static void stop(struct bench *bench)
{
	vtimer_destroy(&bench->timer);
	loop_destroy(&bench->loop);
}

static void turn(struct bench *bench, int timeout_ms)
{
	assert_int_equal(loop_turn(&bench->loop, timeout_ms), 0);
}

static void it_goes_off_at_its_deadline_once(void **state UNUSED)
{
	struct bench bench;

	start(&bench, 0);
	vmclock_thaw(&bench.clock);
	vtimer_arm(&bench.timer, 1000);
	turn(&bench, PATIENCE_MS);
	assert_int_equal(bench.expired, 1);
	assert_true(vmclock_now_ns(&bench.clock) >= 1000);
	turn(&bench, 0);
	assert_int_equal(bench.expired, 1);
	stop(&bench);
}

static void a_deadline_in_the_past_goes_off_at_once(void **state UNUSED)
{
	struct bench bench;

	start(&bench, LONG_NS);
	vmclock_thaw(&bench.clock);
	vtimer_arm(&bench.timer, 1);
	turn(&bench, PATIENCE_MS);
	assert_int_equal(bench.expired, 1);
	stop(&bench);
}

static void a_deadline_before_the_systems_epoch_goes_off_too(void **state UNUSED)
{
	struct bench bench;

	start(&bench, UINT64_C(1) << 62);
	vmclock_thaw(&bench.clock);
	vtimer_arm(&bench.timer, 0);
	turn(&bench, PATIENCE_MS);
	assert_int_equal(bench.expired, 1);
	stop(&bench);
}

static void a_cancelled_timer_does_not_go_off(void **state UNUSED)
{
	struct bench bench;

	start(&bench, LONG_NS);
	vmclock_thaw(&bench.clock);
	vtimer_arm(&bench.timer, 1);
	vtimer_cancel(&bench.timer);
	turn(&bench, 0);
	assert_int_equal(bench.expired, 0);
	assert_int_equal(bench.timer.deadline_ns, VTIMER_NEVER);
	stop(&bench);
}

static void rearming_replaces_the_deadline(void **state UNUSED)
{
	struct bench bench;

	start(&bench, 1000);
	vmclock_thaw(&bench.clock);
	vtimer_arm(&bench.timer, 1);
	vtimer_arm(&bench.timer, LONG_NS);
	turn(&bench, 0);
	assert_int_equal(bench.expired, 0);
	vtimer_arm(&bench.timer, 1);
	turn(&bench, PATIENCE_MS);
	assert_int_equal(bench.expired, 1);
	stop(&bench);
}

static void a_frozen_clock_holds_it_and_the_deadline_stays(void **state UNUSED)
{
	struct bench bench;

	start(&bench, 1000);
	vtimer_arm(&bench.timer, 1);
	turn(&bench, 0);
	assert_int_equal(bench.expired, 0);
	assert_int_equal(bench.timer.deadline_ns, 1);
	vmclock_thaw(&bench.clock);
	vtimer_refresh(&bench.timer);
	turn(&bench, PATIENCE_MS);
	assert_int_equal(bench.expired, 1);
	stop(&bench);
}

static void freezing_disarms_the_systems_timer(void **state UNUSED)
{
	struct bench bench;

	start(&bench, 1000);
	vmclock_thaw(&bench.clock);
	vtimer_arm(&bench.timer, 1);
	vmclock_freeze(&bench.clock);
	vtimer_refresh(&bench.timer);
	turn(&bench, 0);
	assert_int_equal(bench.expired, 0);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_goes_off_at_its_deadline_once),
		cmocka_unit_test(a_deadline_in_the_past_goes_off_at_once),
		cmocka_unit_test(a_deadline_before_the_systems_epoch_goes_off_too),
		cmocka_unit_test(a_cancelled_timer_does_not_go_off),
		cmocka_unit_test(rearming_replaces_the_deadline),
		cmocka_unit_test(a_frozen_clock_holds_it_and_the_deadline_stays),
		cmocka_unit_test(freezing_disarms_the_systems_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
