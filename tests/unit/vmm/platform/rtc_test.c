/*
 * The battery-backed clock as firmware and drivers use it. The host's time is the VM's clock plus EPOCH.
 */
#include "tests/support/cmocka.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/rtc.h"
#include "vmm/platform/ticks.h"

enum { SECOND, SECOND_ALARM, MINUTE, MINUTE_ALARM, HOUR, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR };
enum { A = 0x0a, B = 0x0b, C = 0x0c, D = 0x0d, CENTURY = RTC_CENTURY };
enum { SET = 0x80, PERIODIC = 0x40, ALARM = 0x20, UPDATE = 0x10, BINARY = 0x04, HOURS_24 = 0x02 };
enum { REQUEST = 0x80, UPDATING = 0x80 };

#define EPOCH_SECONDS INT64_C(1709164799) /* Wednesday, 28 February 2024, 23:59:59 */

static const struct vm_time *host;
static int64_t host_step_ns;

static int64_t host_time_ns(void)
{
	return EPOCH_SECONDS * (int64_t)NS_PER_SECOND + (int64_t)vm_time_now_ns(host) +
	       host_step_ns;
}

struct bench {
	struct vm_time time;
	struct irq_probe irq;
	struct rtc rtc;
};

static int bench_start(void **state)
{
	static const struct rtc_memory memory = {
		.below_4g_bytes = UINT64_C(3) << 30,
		.above_4g_bytes = UINT64_C(5) << 30,
	};
	struct bench *bench = calloc(1, sizeof(*bench));
	struct irq_line line;

	vm_time_start(&bench->time, 0);
	host = &bench->time;
	host_step_ns = 0;
	line = irq_probe_line(&bench->irq, RTC_IRQ);
	if (rtc_create(&bench->rtc, &bench->time.loop, &bench->time.clock, &bench->time.lock, &line,
		       &memory))
		return -1;
	bench->rtc.realtime_ns = host_time_ns;
	rtc_resume(&bench->rtc);
	rtc_ops.write(&bench->rtc, 0, C, 1);
	rtc_ops.read(&bench->rtc, 1, 1);
	bench->time.timer = &bench->rtc.timer;
	*state = bench;
	return 0;
}

static int bench_stop(void **state)
{
	struct bench *bench = *state;

	rtc_destroy(&bench->rtc);
	vm_time_stop(&bench->time);
	free(bench);
	return 0;
}

static uint8_t in(struct bench *bench, uint8_t index)
{
	rtc_ops.write(&bench->rtc, 0, index, 1);
	return (uint8_t)rtc_ops.read(&bench->rtc, 1, 1);
}

static void out(struct bench *bench, uint8_t index, uint8_t value)
{
	rtc_ops.write(&bench->rtc, 0, index, 1);
	rtc_ops.write(&bench->rtc, 1, value, 1);
}

static void advance_seconds(struct bench *bench, uint64_t seconds)
{
	vm_time_advance(&bench->time, seconds * NS_PER_SECOND);
}

/* In BCD and 24 hours. */
static void assert_time(struct bench *bench, uint32_t yyyymmdd, uint32_t hhmmss)
{
	uint32_t date = (uint32_t)in(bench, CENTURY) << 24 | (uint32_t)in(bench, YEAR) << 16 |
			(uint32_t)in(bench, MONTH) << 8 | in(bench, DAY);
	uint32_t time = (uint32_t)in(bench, HOUR) << 16 | (uint32_t)in(bench, MINUTE) << 8 |
			in(bench, SECOND);

	assert_int_equal(date, yyyymmdd);
	assert_int_equal(time, hhmmss);
}

/* The same format; with the clock stopped meanwhile. */
static void set_time(struct bench *bench, uint32_t yyyymmdd, uint32_t hhmmss)
{
	uint8_t b = in(bench, B);

	out(bench, B, b | SET);
	out(bench, CENTURY, (uint8_t)(yyyymmdd >> 24));
	out(bench, YEAR, (uint8_t)(yyyymmdd >> 16));
	out(bench, MONTH, (uint8_t)(yyyymmdd >> 8));
	out(bench, DAY, (uint8_t)yyyymmdd);
	out(bench, HOUR, (uint8_t)(hhmmss >> 16));
	out(bench, MINUTE, (uint8_t)(hhmmss >> 8));
	out(bench, SECOND, (uint8_t)hhmmss);
	out(bench, B, b);
}

static void set_alarm(struct bench *bench, uint8_t hour, uint8_t minute, uint8_t second)
{
	out(bench, HOUR_ALARM, hour);
	out(bench, MINUTE_ALARM, minute);
	out(bench, SECOND_ALARM, second);
}

static void it_starts_at_the_hosts_time(void **state)
{
	struct bench *bench = *state;

	assert_time(bench, 0x20240228, 0x235959);
	assert_int_equal(in(bench, WEEKDAY), 4);
}

static void a_leap_year_has_a_29th_of_february(void **state)
{
	struct bench *bench = *state;

	advance_seconds(bench, 1);
	assert_time(bench, 0x20240229, 0x000000);
	advance_seconds(bench, 86400);
	assert_time(bench, 0x20240301, 0x000000);
	set_time(bench, 0x21000228, 0x235959);
	advance_seconds(bench, 1);
	assert_time(bench, 0x21000301, 0x000000);
}

static void the_century_turns(void **state)
{
	struct bench *bench = *state;

	set_time(bench, 0x20991231, 0x235959);
	advance_seconds(bench, 1);
	assert_time(bench, 0x21000101, 0x000000);
}

static void what_was_set_runs_on(void **state)
{
	struct bench *bench = *state;

	set_time(bench, 0x19991231, 0x235950);
	assert_time(bench, 0x19991231, 0x235950);
	advance_seconds(bench, 10);
	assert_time(bench, 0x20000101, 0x000000);
	assert_int_equal(in(bench, WEEKDAY), 7); /* a Saturday */
}

static void any_date_can_be_set(void **state)
{
	struct bench *bench = *state;

	set_time(bench, 0x00000101, 0x000000);
	assert_time(bench, 0x00000101, 0x000000);
	set_time(bench, 0x99991231, 0x235959);
	assert_time(bench, 0x99991231, 0x235959);
}

static void while_set_time_stands_still(void **state)
{
	struct bench *bench = *state;

	out(bench, B, HOURS_24 | SET);
	advance_seconds(bench, 100);
	assert_time(bench, 0x20240228, 0x235959);
	out(bench, B, HOURS_24);
	assert_time(bench, 0x20240228, 0x235959);
}

static void setting_keeps_the_fraction_of_the_second(void **state)
{
	struct bench *bench = *state;

	vm_time_advance(&bench->time, 700000000);
	set_time(bench, 0x20300101, 0x000000);
	vm_time_advance(&bench->time, 299999999);
	assert_time(bench, 0x20300101, 0x000000);
	vm_time_advance(&bench->time, 1);
	assert_time(bench, 0x20300101, 0x000001);
}

static void a_released_divider_updates_after_half_a_second(void **state)
{
	struct bench *bench = *state;

	vm_time_advance(&bench->time, 123456789);
	out(bench, B, HOURS_24 | SET);
	out(bench, A, 0x76);
	set_time(bench, 0x20300101, 0x000000);
	advance_seconds(bench, 7);
	assert_time(bench, 0x20300101, 0x000000);
	out(bench, B, HOURS_24);
	out(bench, A, 0x26);
	vm_time_advance(&bench->time, 499999999);
	assert_time(bench, 0x20300101, 0x000000);
	vm_time_advance(&bench->time, 1);
	assert_time(bench, 0x20300101, 0x000001);
}

static void a_byte_written_while_running_counts_at_once(void **state)
{
	struct bench *bench = *state;

	out(bench, HOUR, 0x12);
	assert_time(bench, 0x20240228, 0x125959);
	advance_seconds(bench, 1);
	assert_time(bench, 0x20240228, 0x130000);
}

static void binary_mode_shows_plain_numbers(void **state)
{
	struct bench *bench = *state;

	out(bench, B, HOURS_24 | BINARY);
	assert_int_equal(in(bench, HOUR), 23);
	assert_int_equal(in(bench, SECOND), 59);
	assert_int_equal(in(bench, YEAR), 24);
	assert_int_equal(in(bench, CENTURY), 20);
}

static void twelve_hour_mode_knows_noon_midnight_and_afternoon(void **state)
{
	static const struct {
		uint32_t set;
		uint8_t shown;
	} rows[] = {
		{ 0x000000, 0x12 }, { 0x010000, 0x01 }, { 0x110000, 0x11 },
		{ 0x120000, 0x92 }, { 0x130000, 0x81 }, { 0x230000, 0x91 },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		out(bench, B, HOURS_24);
		set_time(bench, 0x20240101, rows[i].set);
		out(bench, B, 0);
		assert_int_equal(in(bench, HOUR), rows[i].shown);
		/* and back */
		out(bench, B, SET);
		out(bench, HOUR, rows[i].shown);
		out(bench, B, 0);
		out(bench, B, HOURS_24);
		assert_int_equal(in(bench, HOUR), rows[i].set >> 16);
	}
}

static void nonsense_in_the_time_is_some_time(void **state)
{
	struct bench *bench = *state;

	out(bench, B, SET);
	for (uint8_t index = 0; index < 10; index++)
		out(bench, index, 0xff);
	out(bench, CENTURY, 0xff);
	out(bench, B, 0);
	out(bench, B, HOURS_24 | BINARY);
	assert_in_range(in(bench, MONTH), 1, 12);
	assert_in_range(in(bench, DAY), 1, 31);
	assert_in_range(in(bench, HOUR), 0, 23);
}

static void an_update_is_announced_shortly_before(void **state)
{
	struct bench *bench = *state;

	vm_time_advance(&bench->time, NS_PER_SECOND - 244001);
	assert_int_equal(in(bench, A) & UPDATING, 0);
	vm_time_advance(&bench->time, 1);
	assert_int_equal(in(bench, A) & UPDATING, UPDATING);
	vm_time_advance(&bench->time, 244000);
	assert_int_equal(in(bench, A) & UPDATING, 0);
}

static void no_update_is_announced_while_set(void **state)
{
	struct bench *bench = *state;

	vm_time_advance(&bench->time, NS_PER_SECOND - 1);
	out(bench, B, HOURS_24 | SET);
	assert_int_equal(in(bench, A), 0x26);
}

static void updates_interrupt_every_second(void **state)
{
	struct bench *bench = *state;

	out(bench, B, HOURS_24 | UPDATE);
	vm_time_advance(&bench->time, NS_PER_SECOND - 1);
	assert_false(bench->irq.level);
	vm_time_advance(&bench->time, 1);
	assert_true(bench->irq.level);
	assert_int_equal(in(bench, C) & (REQUEST | UPDATE), REQUEST | UPDATE);
	assert_false(bench->irq.level);
	assert_int_equal(in(bench, C), 0);
	advance_seconds(bench, 1);
	assert_int_equal(bench->irq.rises, 2);
}

static void a_guest_that_ignores_an_interrupt_costs_no_more_timers(void **state)
{
	struct bench *bench = *state;

	out(bench, B, HOURS_24 | UPDATE | PERIODIC);
	advance_seconds(bench, 100);
	assert_in_range(bench->time.fired, 1, 2);
}

static void flags_are_set_without_their_interrupts(void **state)
{
	struct bench *bench = *state;

	set_alarm(bench, 0xff, 0xff, 0xff);
	advance_seconds(bench, 2);
	assert_int_equal(bench->time.fired, 0);
	assert_int_equal(in(bench, C), UPDATE | PERIODIC | ALARM);
	assert_int_equal(in(bench, C), 0);
	assert_int_equal(bench->irq.rises, 0);
}

static void setting_the_clock_disables_the_update_interrupt(void **state)
{
	struct bench *bench = *state;

	out(bench, B, HOURS_24 | UPDATE | SET);
	assert_int_equal(in(bench, B), HOURS_24 | SET);
}

static void periodic_interrupts_come_at_the_selected_rate(void **state)
{
	static const struct {
		uint8_t rate;
		unsigned hz;
	} rows[] = {
		{ 0x01, 256 }, { 0x02, 128 }, { 0x03, 8192 }, { 0x06, 1024 },
		{ 0x09, 128 }, { 0x0a, 64 },  { 0x0f, 2 },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		out(bench, A, 0x20 | rows[i].rate);
		in(bench, C);
		out(bench, B, HOURS_24 | PERIODIC);
		bench->irq.rises = 0;
		for (unsigned slice = 0; slice < 16384; slice++) {
			vm_time_advance_to(&bench->time,
					   i * NS_PER_SECOND + (slice + 1) * NS_PER_SECOND / 16384);
			if (bench->irq.level)
				assert_int_equal(in(bench, C) & 0xc0, REQUEST | PERIODIC);
		}
		assert_int_equal(bench->irq.rises, rows[i].hz);
	}
}

static void rate_0_makes_no_periodic_interrupt(void **state)
{
	struct bench *bench = *state;

	out(bench, A, 0x20);
	in(bench, C);
	out(bench, B, HOURS_24 | PERIODIC);
	advance_seconds(bench, 10);
	assert_int_equal(in(bench, C) & PERIODIC, 0);
	assert_int_equal(bench->irq.rises, 0);
}

static void an_alarm_goes_off_at_its_time_of_day(void **state)
{
	struct bench *bench = *state;

	set_alarm(bench, 0x06, 0x30, 0x15);
	out(bench, B, HOURS_24 | ALARM);
	advance_seconds(bench, 1 + 6 * 3600 + 30 * 60 + 14);
	assert_false(bench->irq.level);
	advance_seconds(bench, 1);
	assert_true(bench->irq.level);
	assert_int_equal(in(bench, C) & (REQUEST | ALARM), REQUEST | ALARM);
	assert_time(bench, 0x20240229, 0x063015);
	assert_int_equal(bench->time.fired, 1);
	advance_seconds(bench, 86400);
	assert_int_equal(bench->irq.rises, 2);
}

static void an_alarm_for_this_very_second_is_tomorrows(void **state)
{
	struct bench *bench = *state;

	set_alarm(bench, 0x23, 0x59, 0x59);
	out(bench, B, HOURS_24 | ALARM);
	advance_seconds(bench, 86399);
	assert_false(bench->irq.level);
	advance_seconds(bench, 1);
	assert_true(bench->irq.level);
}

static void alarm_fields_may_match_anything(void **state)
{
	static const struct {
		uint8_t hour, minute, second;
		unsigned per_day;
	} rows[] = {
		{ 0xff, 0xff, 0xff, 86400 }, { 0xff, 0xff, 0x30, 1440 }, { 0xff, 0x15, 0xc0, 1440 },
		{ 0xff, 0x15, 0x30, 24 },    { 0x12, 0xff, 0xff, 3600 }, { 0x12, 0xc0, 0x30, 60 },
		{ 0x12, 0x15, 0xff, 60 },    { 0x12, 0x15, 0x30, 1 },	 { 0x00, 0x00, 0x00, 1 },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		out(bench, B, HOURS_24);
		set_alarm(bench, rows[i].hour, rows[i].minute, rows[i].second);
		in(bench, C);
		out(bench, B, HOURS_24 | ALARM);
		bench->irq.rises = 0;
		for (unsigned second = 0; second < 86400; second++) {
			advance_seconds(bench, 1);
			if (bench->irq.level)
				in(bench, C);
		}
		assert_int_equal(bench->irq.rises, rows[i].per_day);
	}
}

static void an_alarm_that_is_no_time_never_goes_off(void **state)
{
	struct bench *bench = *state;

	set_alarm(bench, 0x25, 0x00, 0x00);
	out(bench, B, HOURS_24 | ALARM);
	assert_true(bench->rtc.timer.deadline_ns == VTIMER_NEVER);
	set_alarm(bench, 0x23, 0x60, 0xff);
	assert_true(bench->rtc.timer.deadline_ns == VTIMER_NEVER);
}

static void an_alarm_in_twelve_hour_mode_tells_pm(void **state)
{
	struct bench *bench = *state;

	out(bench, B, ALARM);
	set_alarm(bench, 0x81, 0x00, 0x00);
	in(bench, C);
	advance_seconds(bench, 13 * 3600);
	assert_false(bench->irq.level);
	advance_seconds(bench, 1);
	assert_true(bench->irq.level);
}

static void registers_c_and_d_are_read_only(void **state)
{
	struct bench *bench = *state;

	out(bench, C, 0xff);
	out(bench, D, 0x00);
	assert_int_equal(in(bench, C), 0);
	assert_int_equal(in(bench, D), 0x80);
}

static void the_memory_size_is_in_cmos(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(in(bench, 0x16) << 8 | in(bench, 0x15), 640);
	assert_int_equal(in(bench, 0x18) << 8 | in(bench, 0x17), 0xffff);
	assert_int_equal(in(bench, 0x31) << 8 | in(bench, 0x30), 0xffff);
	assert_int_equal(in(bench, 0x35) << 8 | in(bench, 0x34), (0xc0000000 - 0x1000000) >> 16);
	assert_int_equal(in(bench, 0x5d) << 16 | in(bench, 0x5c) << 8 | in(bench, 0x5b),
			 UINT64_C(5) << 30 >> 16);
}

static void cmos_memory_survives_a_reset(void **state)
{
	struct bench *bench = *state;

	out(bench, 0x0f, 0x0a);
	out(bench, 0x7f, 0x55);
	rtc_reset(&bench->rtc);
	assert_int_equal(in(bench, 0x0f), 0x0a);
	assert_int_equal(in(bench, 0x7f), 0x55);
}

static void reset_disables_interrupts_and_keeps_time(void **state)
{
	struct bench *bench = *state;

	set_time(bench, 0x20300101, 0x000000);
	out(bench, B, HOURS_24 | UPDATE);
	advance_seconds(bench, 1);
	assert_true(bench->irq.level);
	rtc_reset(&bench->rtc);
	assert_false(bench->irq.level);
	assert_int_equal(in(bench, B), HOURS_24);
	assert_time(bench, 0x20300101, 0x000001);
}

static void bit_7_of_the_index_is_not_part_of_it(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(in(bench, 0x80 | D), 0x80);
	assert_int_equal(rtc_ops.read(&bench->rtc, 0, 1), 0xff);
}

static void a_host_clock_that_is_set_back_makes_no_flags(void **state)
{
	struct bench *bench = *state;

	out(bench, B, HOURS_24 | UPDATE);
	host_step_ns = -3600 * (int64_t)NS_PER_SECOND;
	assert_int_equal(in(bench, C), 0);
	assert_time(bench, 0x20240228, 0x225959);
	advance_seconds(bench, 1);
	assert_int_equal(bench->irq.rises, 1);
}

static void a_loaded_state_goes_on_with_its_time_and_interrupts(void **state)
{
	struct bench *bench = *state;
	struct rtc_state saved;

	set_time(bench, 0x20300101, 0x000000);
	out(bench, B, HOURS_24 | UPDATE);
	saved = bench->rtc.state;
	set_time(bench, 0x20010101, 0x000000);
	rtc_reset(&bench->rtc);
	bench->rtc.state = saved;
	rtc_resume(&bench->rtc);
	assert_time(bench, 0x20300101, 0x000000);
	advance_seconds(bench, 1);
	assert_true(bench->irq.level);
}

#define rtc_test(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		rtc_test(it_starts_at_the_hosts_time),
		rtc_test(a_leap_year_has_a_29th_of_february),
		rtc_test(the_century_turns),
		rtc_test(what_was_set_runs_on),
		rtc_test(any_date_can_be_set),
		rtc_test(while_set_time_stands_still),
		rtc_test(setting_keeps_the_fraction_of_the_second),
		rtc_test(a_released_divider_updates_after_half_a_second),
		rtc_test(a_byte_written_while_running_counts_at_once),
		rtc_test(binary_mode_shows_plain_numbers),
		rtc_test(twelve_hour_mode_knows_noon_midnight_and_afternoon),
		rtc_test(nonsense_in_the_time_is_some_time),
		rtc_test(an_update_is_announced_shortly_before),
		rtc_test(no_update_is_announced_while_set),
		rtc_test(updates_interrupt_every_second),
		rtc_test(a_guest_that_ignores_an_interrupt_costs_no_more_timers),
		rtc_test(flags_are_set_without_their_interrupts),
		rtc_test(setting_the_clock_disables_the_update_interrupt),
		rtc_test(periodic_interrupts_come_at_the_selected_rate),
		rtc_test(rate_0_makes_no_periodic_interrupt),
		rtc_test(an_alarm_goes_off_at_its_time_of_day),
		rtc_test(an_alarm_for_this_very_second_is_tomorrows),
		rtc_test(alarm_fields_may_match_anything),
		rtc_test(an_alarm_that_is_no_time_never_goes_off),
		rtc_test(an_alarm_in_twelve_hour_mode_tells_pm),
		rtc_test(registers_c_and_d_are_read_only),
		rtc_test(the_memory_size_is_in_cmos),
		rtc_test(cmos_memory_survives_a_reset),
		rtc_test(reset_disables_interrupts_and_keeps_time),
		rtc_test(bit_7_of_the_index_is_not_part_of_it),
		rtc_test(a_host_clock_that_is_set_back_makes_no_flags),
		rtc_test(a_loaded_state_goes_on_with_its_time_and_interrupts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
