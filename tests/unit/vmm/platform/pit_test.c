/*
 * The interval timer at exact times: the VM's clock stands at the tick that a test asks for.
 */
#include "tests/support/cmocka.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/pit.h"
#include "vmm/platform/ticks.h"

enum { CONTROL = 3 };
enum { LOW = 0x10, HIGH = 0x20, BOTH = 0x30, BCD = 0x01 };
enum { GATE = 0x01, SPEAKER_OUTPUT = 0x20 };
enum { STATUS_OUTPUT = 0x80, STATUS_NULL = 0x40 };

/* When the bench's clock starts: far enough from 0 for periods that reach back. */
#define START UINT64_C(1000000)

struct bench {
	struct vm_time time;
	struct irq_probe irq;
	struct pit pit;
};

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct irq_line line;

	vm_time_start(&bench->time, ticks_to_ns(START, PIT_HZ));
	line = irq_probe_line(&bench->irq, 0);
	if (pit_create(&bench->pit, &bench->time.loop, &bench->time.clock, &bench->time.lock,
		       &line))
		return -1;
	bench->time.timer = &bench->pit.timer;
	*state = bench;
	return 0;
}

static int bench_stop(void **state)
{
	struct bench *bench = *state;

	pit_destroy(&bench->pit);
	vm_time_stop(&bench->time);
	free(bench);
	return 0;
}

static uint8_t in(struct bench *bench, uint64_t offset)
{
	return (uint8_t)pit_ops.read(&bench->pit, offset, 1);
}

static void out(struct bench *bench, uint64_t offset, uint8_t value)
{
	pit_ops.write(&bench->pit, offset, value, 1);
}

static void set_gate(struct bench *bench, bool gate)
{
	pit_speaker_ops.write(&bench->pit, 0, gate ? GATE : 0, 1);
}

/* To the tick that is @ticks after the bench's start. */
static void at(struct bench *bench, uint64_t ticks)
{
	vm_time_advance_to(&bench->time, ticks_to_ns(START + ticks, PIT_HZ));
}

/* Programs and loads @channel for low and high byte; it starts counting at the next tick. */
static void start(struct bench *bench, uint8_t channel, uint8_t mode, uint16_t count)
{
	out(bench, CONTROL, (uint8_t)(channel << 6 | BOTH | mode << 1));
	out(bench, channel, (uint8_t)count);
	out(bench, channel, (uint8_t)(count >> 8));
}

static uint16_t count(struct bench *bench, uint8_t channel)
{
	uint8_t low;

	out(bench, CONTROL, (uint8_t)(channel << 6));
	low = in(bench, channel);
	return (uint16_t)(in(bench, channel) << 8 | low);
}

static uint8_t status(struct bench *bench, uint8_t channel)
{
	out(bench, CONTROL, (uint8_t)(0xe0 | 2 << channel));
	return in(bench, channel);
}

static bool output(struct bench *bench, uint8_t channel)
{
	return status(bench, channel) & STATUS_OUTPUT;
}

static void nothing_is_armed_until_it_is_programmed(void **state)
{
	struct bench *bench = *state;

	at(bench, 10000000);
	assert_int_equal(bench->time.fired, 0);
	assert_int_equal(bench->irq.rises, 0);
}

static void mode_0_rises_one_tick_after_the_count_and_stays(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 0, 100);
	assert_false(output(bench, 0));
	at(bench, 100);
	assert_false(output(bench, 0));
	at(bench, 101);
	assert_true(output(bench, 0));
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 1000000);
	assert_true(output(bench, 0));
	assert_int_equal(bench->irq.rises, 1);
}

static void mode_0_counts_on_past_zero(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 0, 100);
	at(bench, 1);
	assert_int_equal(count(bench, 0), 100);
	at(bench, 101);
	assert_int_equal(count(bench, 0), 0);
	at(bench, 102);
	assert_int_equal(count(bench, 0), 0xffff);
}

static void mode_0_stops_at_the_first_byte_of_a_new_count(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 0, 100);
	at(bench, 50);
	out(bench, 0, 200);
	at(bench, 500);
	assert_false(output(bench, 0));
	assert_int_equal(bench->irq.rises, 0);
	out(bench, 0, 0);
	at(bench, 701);
	assert_int_equal(bench->irq.rises, 1);
}

static void mode_0_pauses_while_the_gate_is_low(void **state)
{
	struct bench *bench = *state;

	set_gate(bench, true);
	start(bench, 2, 0, 100);
	at(bench, 41);
	set_gate(bench, false);
	at(bench, 1000);
	assert_int_equal(count(bench, 2), 60);
	set_gate(bench, true);
	at(bench, 1059);
	assert_false(output(bench, 2));
	at(bench, 1060);
	assert_true(output(bench, 2));
}

static void mode_0_output_survives_a_falling_gate(void **state)
{
	struct bench *bench = *state;

	set_gate(bench, true);
	start(bench, 2, 0, 100);
	at(bench, 70000);
	set_gate(bench, false);
	assert_true(output(bench, 2));
}

static void mode_1_is_a_pulse_that_the_gate_starts(void **state)
{
	struct bench *bench = *state;

	start(bench, 2, 1, 100);
	at(bench, 1000);
	assert_true(output(bench, 2));
	set_gate(bench, true);
	at(bench, 1001);
	assert_false(output(bench, 2));
	at(bench, 1100);
	assert_false(output(bench, 2));
	at(bench, 1101);
	assert_true(output(bench, 2));
}

static void mode_1_is_retriggered_with_the_latest_count(void **state)
{
	struct bench *bench = *state;

	start(bench, 2, 1, 100);
	set_gate(bench, true);
	at(bench, 50);
	out(bench, 2, 200);
	out(bench, 2, 0);
	assert_int_equal(count(bench, 2), 51); /* the running pulse is not affected */
	set_gate(bench, false);
	set_gate(bench, true);
	at(bench, 250);
	assert_false(output(bench, 2));
	at(bench, 251);
	assert_true(output(bench, 2));
}

static void mode_2_is_low_for_the_last_tick_of_each_period(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 1000);
	for (uint64_t period = 0; period < 3; period++) {
		at(bench, 1 + period * 1000 + 998);
		assert_true(output(bench, 0));
		assert_int_equal(count(bench, 0), 2);
		at(bench, 1 + period * 1000 + 999);
		assert_false(output(bench, 0));
		assert_int_equal(count(bench, 0), 1);
		at(bench, 1 + period * 1000 + 1000);
		assert_true(output(bench, 0));
		assert_int_equal(count(bench, 0), 1000);
	}
}

static void mode_2_interrupts_at_the_end_of_each_period(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 1000);
	at(bench, 1000);
	assert_int_equal(bench->irq.rises, 0);
	at(bench, 1001);
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 50001);
	assert_int_equal(bench->irq.rises, 50);
}

static void mode_2_takes_a_new_count_at_the_end_of_the_period(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 1000);
	at(bench, 501);
	out(bench, 0, 0xf4); /* 500 */
	out(bench, 0, 0x01);
	assert_int_equal(count(bench, 0), 500);
	assert_true(status(bench, 0) & STATUS_NULL);
	at(bench, 1001);
	assert_int_equal(count(bench, 0), 500);
	assert_false(status(bench, 0) & STATUS_NULL);
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 1500);
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 1501);
	assert_int_equal(bench->irq.rises, 2);
}

static void mode_2_is_restarted_by_its_gate(void **state)
{
	struct bench *bench = *state;

	set_gate(bench, true);
	start(bench, 2, 2, 100);
	at(bench, 100);
	assert_false(output(bench, 2));
	set_gate(bench, false);
	assert_true(output(bench, 2));
	at(bench, 500);
	assert_int_equal(count(bench, 2), 1);
	set_gate(bench, true);
	at(bench, 501);
	assert_int_equal(count(bench, 2), 100);
}

static void mode_3_is_high_for_the_longer_half(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 3, 5);
	for (uint64_t tick = 0; tick < 20; tick++) {
		at(bench, 1 + tick);
		assert_int_equal(output(bench, 0), tick % 5 < 3);
	}
}

static void mode_3_counts_in_twos_through_each_half(void **state)
{
	static const uint16_t even[] = { 6, 4, 2, 6, 4, 2, 6 };
	static const uint16_t odd[] = { 4, 2, 0, 4, 2, 4 };
	struct bench *bench = *state;

	start(bench, 0, 3, 6);
	for (uint64_t tick = 0; tick < ARRAY_SIZE(even); tick++) {
		at(bench, 1 + tick);
		assert_int_equal(count(bench, 0), even[tick]);
	}
	at(bench, 100);
	start(bench, 0, 3, 5);
	for (uint64_t tick = 0; tick < ARRAY_SIZE(odd); tick++) {
		at(bench, 101 + tick);
		assert_int_equal(count(bench, 0), odd[tick]);
	}
}

static void mode_3_interrupts_once_per_period(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 3, 0); /* 65536 */
	at(bench, 65536);
	assert_int_equal(bench->irq.rises, 0);
	at(bench, 65537);
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 10 * 65536 + 1);
	assert_int_equal(bench->irq.rises, 10);
}

static void mode_3_takes_a_new_count_at_the_end_of_the_half(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 3, 1000);
	at(bench, 101);
	out(bench, 0, 200); /* halves of 100 ticks from tick 501 on, which begins low */
	out(bench, 0, 0);
	at(bench, 500);
	assert_true(output(bench, 0));
	at(bench, 501);
	assert_false(output(bench, 0));
	at(bench, 600);
	assert_false(output(bench, 0));
	assert_int_equal(bench->irq.rises, 0);
	at(bench, 601);
	assert_true(output(bench, 0));
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 801);
	assert_int_equal(bench->irq.rises, 2);
}

static void mode_4_is_a_strobe_of_one_tick(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 4, 100);
	assert_true(output(bench, 0));
	at(bench, 101);
	assert_false(output(bench, 0));
	assert_int_equal(bench->irq.rises, 0);
	at(bench, 102);
	assert_true(output(bench, 0));
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 1000000);
	assert_int_equal(bench->irq.rises, 1);
}

static void mode_4_is_started_over_by_a_new_count(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 4, 100);
	at(bench, 90);
	out(bench, 0, 100);
	out(bench, 0, 0);
	at(bench, 191);
	assert_int_equal(bench->irq.rises, 0);
	at(bench, 192);
	assert_int_equal(bench->irq.rises, 1);
}

static void mode_5_is_a_strobe_that_the_gate_starts(void **state)
{
	struct bench *bench = *state;

	start(bench, 2, 5, 100);
	at(bench, 500);
	assert_true(output(bench, 2));
	set_gate(bench, true);
	at(bench, 601);
	assert_false(output(bench, 2));
	at(bench, 602);
	assert_true(output(bench, 2));
}

static void modes_6_and_7_are_2_and_3(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 6, 100);
	assert_int_equal(status(bench, 0) & 0x0e, 2 << 1);
	start(bench, 0, 7, 100);
	assert_int_equal(status(bench, 0) & 0x0e, 3 << 1);
}

static void a_latched_count_holds_until_it_is_read(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 0x1234);
	at(bench, 1);
	out(bench, CONTROL, 0x00);
	at(bench, 2);
	out(bench, CONTROL, 0x00); /* ignored: one is latched already */
	assert_int_equal(in(bench, 0), 0x34);
	at(bench, 3);
	assert_int_equal(in(bench, 0), 0x12);
	assert_int_equal(in(bench, 0), 0x32); /* live again */
}

static void read_back_gives_the_status_first_and_then_the_count(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 0x1234);
	at(bench, 1);
	out(bench, CONTROL, 0xc2);
	at(bench, 100);
	assert_int_equal(in(bench, 0), STATUS_OUTPUT | BOTH | 2 << 1);
	assert_int_equal(in(bench, 0), 0x34);
	assert_int_equal(in(bench, 0), 0x12);
}

static void read_back_latches_several_channels_at_once(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 1000);
	start(bench, 1, 2, 1000);
	at(bench, 11);
	out(bench, CONTROL, 0xd6); /* counts of 0 and 1 */
	at(bench, 500);
	assert_int_equal(in(bench, 0), 990 & 0xff);
	assert_int_equal(in(bench, 1), 990 & 0xff);
}

static void the_null_count_flag_falls_when_the_count_is_loaded(void **state)
{
	struct bench *bench = *state;

	out(bench, CONTROL, BOTH | 2 << 1);
	assert_true(status(bench, 0) & STATUS_NULL);
	out(bench, 0, 100);
	out(bench, 0, 0);
	assert_true(status(bench, 0) & STATUS_NULL);
	at(bench, 1);
	assert_false(status(bench, 0) & STATUS_NULL);
}

static void one_byte_access_leaves_the_other_byte_zero(void **state)
{
	struct bench *bench = *state;

	out(bench, CONTROL, LOW | 2 << 1);
	out(bench, 0, 0x80);
	at(bench, 1);
	assert_int_equal(in(bench, 0), 0x80);
	assert_int_equal(in(bench, 0), 0x80);
	out(bench, CONTROL, HIGH | 2 << 1);
	out(bench, 0, 0x12);
	at(bench, 2);
	assert_int_equal(in(bench, 0), 0x12);
	at(bench, 3);
	assert_int_equal(in(bench, 0), 0x11); /* 0x11ff */
}

static void in_bcd_counts_are_decimal(void **state)
{
	struct bench *bench = *state;

	out(bench, CONTROL, BOTH | 0 << 1 | BCD);
	out(bench, 0, 0x00);
	out(bench, 0, 0x10); /* 1000 */
	at(bench, 2);
	assert_int_equal(count(bench, 0), 0x0999);
	at(bench, 1000);
	assert_int_equal(bench->irq.rises, 0);
	at(bench, 1001);
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 1002);
	assert_int_equal(count(bench, 0), 0x9999);
}

static void in_bcd_zero_is_ten_thousand(void **state)
{
	struct bench *bench = *state;

	out(bench, CONTROL, BOTH | 2 << 1 | BCD);
	out(bench, 0, 0);
	out(bench, 0, 0);
	at(bench, 1);
	assert_int_equal(count(bench, 0), 0x0000);
	at(bench, 10001);
	assert_int_equal(bench->irq.rises, 1);
}

static void interrupts_that_the_host_slept_through_become_one(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 1000);
	vm_time_set(&bench->time, ticks_to_ns(START + 10500, PIT_HZ));
	vm_time_fire(&bench->time);
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 11000);
	assert_int_equal(bench->irq.rises, 1);
	at(bench, 11001);
	assert_int_equal(bench->irq.rises, 2);
}

static void a_very_short_period_does_not_become_a_timer_storm(void **state)
{
	struct bench *bench = *state;

	for (uint16_t period = 1; period < 8; period++) {
		bench->time.fired = 0;
		start(bench, 0, 2, period);
		vm_time_advance(&bench->time, NS_PER_SECOND / 10);
		assert_in_range(bench->time.fired, 900, 1000);
	}
}

static void a_callback_before_its_time_does_nothing(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 1000);
	bench->pit.timer.expired(bench->pit.timer.context);
	assert_int_equal(bench->irq.rises, 0);
}

static void stopping_channel_0_cancels_its_timer(void **state)
{
	struct bench *bench = *state;

	start(bench, 0, 2, 1000);
	out(bench, CONTROL, BOTH);
	assert_true(bench->pit.timer.deadline_ns == VTIMER_NEVER);
}

static uint8_t speaker(struct bench *bench)
{
	return (uint8_t)pit_speaker_ops.read(&bench->pit, 0, 1);
}

static void port_61_shows_channel_2_and_keeps_its_low_bits(void **state)
{
	struct bench *bench = *state;

	pit_speaker_ops.write(&bench->pit, 0, 0xff, 1);
	start(bench, 2, 0, 100);
	assert_int_equal(speaker(bench) & 0xef, 0x0f);
	at(bench, 101);
	assert_int_equal(speaker(bench) & 0xef, 0x0f | SPEAKER_OUTPUT);
}

static void port_61_toggles_with_each_refresh(void **state)
{
	struct bench *bench = *state;
	uint8_t before;

	for (uint64_t refresh = 1; refresh < 5; refresh++) {
		before = speaker(bench);
		at(bench, 18 * refresh);
		assert_int_equal(speaker(bench), before ^ 0x10);
	}
}

static void a_loaded_state_goes_on_with_its_interrupts(void **state)
{
	struct bench *bench = *state;
	struct pit_state saved;

	start(bench, 0, 2, 1000);
	at(bench, 500);
	saved = bench->pit.state;
	pit_reset(&bench->pit);
	bench->pit.state = saved;
	pit_resume(&bench->pit);
	at(bench, 1000);
	assert_int_equal(bench->irq.rises, 0);
	at(bench, 1001);
	assert_int_equal(bench->irq.rises, 1);
}

static void the_control_port_reads_as_open_bus(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(in(bench, CONTROL), 0xff);
	assert_int_equal(pit_ops.read(&bench->pit, 0, 4) >> 24, 0xff);
}

#define pit_test(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pit_test(nothing_is_armed_until_it_is_programmed),
		pit_test(mode_0_rises_one_tick_after_the_count_and_stays),
		pit_test(mode_0_counts_on_past_zero),
		pit_test(mode_0_stops_at_the_first_byte_of_a_new_count),
		pit_test(mode_0_pauses_while_the_gate_is_low),
		pit_test(mode_0_output_survives_a_falling_gate),
		pit_test(mode_1_is_a_pulse_that_the_gate_starts),
		pit_test(mode_1_is_retriggered_with_the_latest_count),
		pit_test(mode_2_is_low_for_the_last_tick_of_each_period),
		pit_test(mode_2_interrupts_at_the_end_of_each_period),
		pit_test(mode_2_takes_a_new_count_at_the_end_of_the_period),
		pit_test(mode_2_is_restarted_by_its_gate),
		pit_test(mode_3_is_high_for_the_longer_half),
		pit_test(mode_3_counts_in_twos_through_each_half),
		pit_test(mode_3_interrupts_once_per_period),
		pit_test(mode_3_takes_a_new_count_at_the_end_of_the_half),
		pit_test(mode_4_is_a_strobe_of_one_tick),
		pit_test(mode_4_is_started_over_by_a_new_count),
		pit_test(mode_5_is_a_strobe_that_the_gate_starts),
		pit_test(modes_6_and_7_are_2_and_3),
		pit_test(a_latched_count_holds_until_it_is_read),
		pit_test(read_back_gives_the_status_first_and_then_the_count),
		pit_test(read_back_latches_several_channels_at_once),
		pit_test(the_null_count_flag_falls_when_the_count_is_loaded),
		pit_test(one_byte_access_leaves_the_other_byte_zero),
		pit_test(in_bcd_counts_are_decimal),
		pit_test(in_bcd_zero_is_ten_thousand),
		pit_test(interrupts_that_the_host_slept_through_become_one),
		pit_test(a_very_short_period_does_not_become_a_timer_storm),
		pit_test(a_callback_before_its_time_does_nothing),
		pit_test(stopping_channel_0_cancels_its_timer),
		pit_test(port_61_shows_channel_2_and_keeps_its_low_bits),
		pit_test(port_61_toggles_with_each_refresh),
		pit_test(a_loaded_state_goes_on_with_its_interrupts),
		pit_test(the_control_port_reads_as_open_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
