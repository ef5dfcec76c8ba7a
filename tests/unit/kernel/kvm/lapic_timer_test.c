/*
 * The local APIC's timer, to the nanosecond.
 */
#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

enum { VECTOR = 0x40, MASKED = 0x10000, PERIODIC = 0x20000, TSC = 0x40000, MODE_3 = 0x60000 };
enum { DIVIDE_1 = 0xb, DIVIDE_2 = 0, DIVIDE_128 = 0xa };

static int start(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));

	bench_start(bench, 1);
	bench_enable(bench, 0);
	bench_write(bench, 0, LAPIC_DIVIDE, DIVIDE_1);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR);
	*state = bench;
	return 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

static uint32_t count(struct bench *bench)
{
	return bench_read(bench, 0, LAPIC_CURRENT_COUNT);
}

/* Takes and ends the timer's interrupts. Returns how many there were. */
static unsigned taken(struct bench *bench)
{
	struct lapic *lapic = bench_lapic(bench, 0);
	unsigned n = 0;

	while (lapic_acknowledge(lapic) == VECTOR) {
		lapic_eoi(lapic);
		n++;
	}
	return n;
}

static void begin(struct bench *bench, uint32_t lvt, uint32_t initial)
{
	bench_write(bench, 0, LAPIC_LVT_TIMER, lvt);
	bench_write(bench, 0, LAPIC_INITIAL_COUNT, initial);
}

static void a_one_shot_interrupts_once_at_its_time(void **state)
{
	struct bench *bench = *state;

	begin(bench, VECTOR, 500);
	assert_true(bench->cpus[0].is_armed);
	assert_int_equal(bench->cpus[0].deadline, bench->now_ns + 500);
	assert_int_equal(bench_advance(bench, 0, 499), 0);
	assert_int_equal(count(bench), 1);
	assert_int_equal(taken(bench), 0);
	assert_int_equal(bench_advance(bench, 0, 1), 1);
	assert_int_equal(count(bench), 0);
	assert_int_equal(taken(bench), 1);
	assert_int_equal(bench_advance(bench, 0, 1000000000), 0);
	assert_int_equal(count(bench), 0);
	assert_int_equal(bench_read(bench, 0, LAPIC_INITIAL_COUNT), 500);
}

static void the_count_reads_back_exactly_at_every_divider(void **state)
{
	static const uint8_t codes[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa };
	struct bench *bench = *state;

	for (uint32_t shift = 0; shift < ARRAY_SIZE(codes); shift++) {
		uint64_t step = UINT64_C(1) << shift;

		bench_write(bench, 0, LAPIC_DIVIDE, codes[shift]);
		begin(bench, VECTOR, 10);
		assert_int_equal(bench->cpus[0].deadline, bench->now_ns + 10 * step);
		for (uint32_t left = 10; left; left--) {
			assert_int_equal(count(bench), left);
			bench->now_ns += step - 1;
			assert_int_equal(count(bench), left);
			bench->now_ns += 1;
		}
		assert_int_equal(count(bench), 0);
	}
}

static void the_largest_count_takes_minutes(void **state)
{
	struct bench *bench = *state;

	bench_write(bench, 0, LAPIC_DIVIDE, DIVIDE_128);
	begin(bench, VECTOR | PERIODIC, UINT32_MAX);
	assert_int_equal(bench->cpus[0].deadline, bench->now_ns + UINT64_C(0xffffffff) * 128);
	bench->now_ns += UINT64_C(0xfffffffe) * 128;
	assert_int_equal(count(bench), 1);
}

static void a_periodic_timer_does_not_drift_when_served_late(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);
	uint64_t start_ns = bench->now_ns;

	begin(bench, VECTOR | PERIODIC, 1000000);
	for (uint64_t n = 1; n <= 20; n++) {
		assert_int_equal(bench->cpus[0].deadline, start_ns + n * 1000000);
		bench->now_ns = start_ns + n * 1000000 + n * 40000; /* later and later */
		assert_int_equal(count(bench), 1000000 - n * 40000);
		lapic_timer_expired(lapic, bench->now_ns);
		assert_int_equal(count(bench), 1000000 - n * 40000);
		assert_int_equal(taken(bench), 1);
	}
}

static void missed_periods_are_one_interrupt(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ns = bench->now_ns;

	begin(bench, VECTOR | PERIODIC, 1000000);
	bench->now_ns += 7300000;
	assert_int_equal(count(bench), 700000);
	lapic_timer_expired(bench_lapic(bench, 0), bench->now_ns);
	assert_int_equal(taken(bench), 1);
	assert_int_equal(bench->cpus[0].deadline, start_ns + 8000000);
}

static void fast_periods_are_thinned_out_to_whole_periods(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ns = bench->now_ns;

	begin(bench, VECTOR | PERIODIC, 150000);
	assert_int_equal(bench->cpus[0].deadline, start_ns + 150000);
	assert_int_equal(bench_advance(bench, 0, 150000), 1);
	assert_int_equal(bench->cpus[0].deadline, start_ns + 450000);
	for (uint64_t n = 0; n < 20; n++) {
		assert_int_equal(count(bench), 150000 - n * 10000 % 150000);
		bench_advance(bench, 0, 10000);
	}
}

static void a_period_that_divides_the_floor_interrupts_at_the_floor(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ns = bench->now_ns;

	begin(bench, VECTOR | PERIODIC, LAPIC_MIN_PERIOD_NS / 2);
	bench_advance(bench, 0, LAPIC_MIN_PERIOD_NS / 2);
	assert_int_equal(bench->cpus[0].deadline, start_ns + LAPIC_MIN_PERIOD_NS * 3 / 2);
}

static void no_period_interrupts_more_often_than_the_floor(void **state)
{
	struct bench *bench = *state;

	for (uint32_t initial = 1; initial < 400000; initial = initial * 3 + 1) {
		begin(bench, VECTOR | PERIODIC, initial);
		assert_true(bench_advance(bench, 0, 100000000) <=
			    100000000 / LAPIC_MIN_PERIOD_NS + 1);
		assert_in_range(count(bench), 1, initial);
	}
}

static void a_masked_count_runs_without_a_timer_of_the_host(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ns = bench->now_ns;

	begin(bench, VECTOR | MASKED | PERIODIC, 1000000);
	assert_false(bench->cpus[0].is_armed);
	bench_advance(bench, 0, 3400000);
	assert_int_equal(count(bench), 600000);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	assert_int_equal(taken(bench), 0);
	assert_int_equal(bench->cpus[0].deadline, start_ns + 4000000);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | PERIODIC | MASKED);
	assert_false(bench->cpus[0].is_armed);
}

static void a_one_shot_that_ends_while_masked_is_lost(void **state)
{
	struct bench *bench = *state;

	begin(bench, VECTOR | MASKED, 1000);
	bench_advance(bench, 0, 1000);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR);
	assert_false(bench->cpus[0].is_armed);
	assert_int_equal(taken(bench), 0);
}

static void what_is_due_comes_before_what_is_written(void **state)
{
	struct bench *bench = *state;

	begin(bench, VECTOR, 1000);
	bench->now_ns += 1000; /* the host is late */
	bench_write(bench, 0, LAPIC_INITIAL_COUNT, 2000);
	assert_int_equal(taken(bench), 1);
	bench->now_ns += 2000;
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | MASKED);
	assert_int_equal(taken(bench), 1);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR);
	bench_write(bench, 0, LAPIC_INITIAL_COUNT, 1000);
	bench->now_ns += 1000;
	bench_write(bench, 0, LAPIC_DIVIDE, DIVIDE_2);
	assert_int_equal(taken(bench), 1);
	assert_int_equal(count(bench), 0);
}

static void a_report_that_is_too_early_does_nothing(void **state)
{
	struct bench *bench = *state;

	lapic_timer_expired(bench_lapic(bench, 0), bench->now_ns);
	begin(bench, VECTOR, 1000);
	lapic_timer_expired(bench_lapic(bench, 0), bench->now_ns + 999);
	assert_int_equal(taken(bench), 0);
	assert_true(bench->cpus[0].is_armed);
}

static void zero_stops_the_timer(void **state)
{
	struct bench *bench = *state;

	begin(bench, VECTOR | PERIODIC, 1000000);
	bench_write(bench, 0, LAPIC_INITIAL_COUNT, 0);
	assert_false(bench->cpus[0].is_armed);
	assert_int_equal(count(bench), 0);
	assert_int_equal(bench_advance(bench, 0, 10000000), 0);
}

static void a_new_divider_changes_the_pace_and_not_the_count(void **state)
{
	struct bench *bench = *state;

	begin(bench, VECTOR, 1000);
	bench->now_ns += 400;
	bench_write(bench, 0, LAPIC_DIVIDE, DIVIDE_2);
	assert_int_equal(count(bench), 600);
	assert_int_equal(bench->cpus[0].deadline, bench->now_ns + 1200);
	bench->now_ns += 400;
	assert_int_equal(count(bench), 400);
	bench_write(bench, 0, LAPIC_DIVIDE, DIVIDE_1);
	assert_int_equal(bench->cpus[0].deadline, bench->now_ns + 400);
}

static void periodic_takes_over_a_running_one_shot(void **state)
{
	struct bench *bench = *state;
	uint64_t start_ns = bench->now_ns;

	begin(bench, VECTOR, 1000000);
	bench_advance(bench, 0, 300000);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	assert_int_equal(count(bench), 700000);
	assert_int_equal(bench_advance(bench, 0, 1700000), 2);
	assert_int_equal(bench->cpus[0].deadline, start_ns + 3000000);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR);
	assert_int_equal(bench_advance(bench, 0, 9000000), 1);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | PERIODIC);
	assert_int_equal(bench_advance(bench, 0, 9000000), 0);
}

static void switching_off_in_svr_silences_the_timer(void **state)
{
	struct bench *bench = *state;

	begin(bench, VECTOR | PERIODIC, 1000000);
	bench_write(bench, 0, LAPIC_SVR, 0xff);
	assert_false(bench->cpus[0].is_armed);
	assert_int_equal(bench_advance(bench, 0, 5000000), 0);
	assert_int_equal(taken(bench), 0);
}

static void a_tsc_deadline_interrupts_once_and_reads_0_then(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | TSC);
	lapic_set_tsc_deadline(lapic, 123456789);
	assert_true(bench->cpus[0].is_tsc);
	assert_int_equal(bench->cpus[0].deadline, 123456789);
	assert_int_equal(lapic_tsc_deadline(lapic), 123456789);
	assert_int_equal(count(bench), 0);
	lapic_timer_expired(lapic, bench->now_ns);
	assert_int_equal(taken(bench), 1);
	assert_int_equal(lapic_tsc_deadline(lapic), 0);
	lapic_timer_expired(lapic, bench->now_ns);
	assert_int_equal(taken(bench), 0);
}

static void a_tsc_deadline_of_0_disarms(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | TSC);
	lapic_set_tsc_deadline(lapic, 1000);
	lapic_set_tsc_deadline(lapic, 0);
	assert_false(bench->cpus[0].is_armed);
}

static void a_masked_tsc_deadline_passes_in_silence(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | TSC | MASKED);
	lapic_set_tsc_deadline(lapic, 1000);
	lapic_timer_expired(lapic, bench->now_ns);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | TSC);
	assert_int_equal(taken(bench), 0);
	assert_int_equal(lapic_tsc_deadline(lapic), 0);
}

static void tsc_mode_knows_no_count_and_the_others_no_deadline(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	lapic_set_tsc_deadline(lapic, 1000);
	assert_int_equal(lapic_tsc_deadline(lapic), 0);
	assert_false(bench->cpus[0].is_armed);
	bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | TSC);
	bench_write(bench, 0, LAPIC_INITIAL_COUNT, 1000);
	assert_int_equal(bench_read(bench, 0, LAPIC_INITIAL_COUNT), 0);
	assert_false(bench->cpus[0].is_armed);
}

static void changing_to_or_from_tsc_mode_disarms(void **state)
{
	static const struct {
		uint32_t from, to;
		bool disarms;
	} rows[] = {
		{ 0, TSC, true },	 { PERIODIC, TSC, true }, { TSC, 0, true },
		{ TSC, PERIODIC, true }, { 0, MODE_3, true },	  { TSC, MODE_3, true },
		{ 0, PERIODIC, false },	 { PERIODIC, 0, false },  { TSC, TSC, false },
	};
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin(bench, VECTOR | rows[i].from, 1000000);
		lapic_set_tsc_deadline(lapic, 1000000);
		assert_true(bench->cpus[0].is_armed);
		bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | rows[i].to);
		assert_int_equal(bench->cpus[0].is_armed, !rows[i].disarms);
		if (rows[i].disarms) {
			assert_int_equal(bench_read(bench, 0, LAPIC_INITIAL_COUNT), 0);
			assert_int_equal(lapic_tsc_deadline(lapic), 0);
			assert_int_equal(count(bench), 0);
			assert_int_equal(lapic->timer_deadline_ns, 0);
		}
		bench_write(bench, 0, LAPIC_LVT_TIMER, VECTOR | (rows[i].to ^ TSC));
	}
}

static void nothing_runs_in_the_reserved_mode(void **state)
{
	struct bench *bench = *state;

	begin(bench, VECTOR | MODE_3, 1000);
	lapic_set_tsc_deadline(bench_lapic(bench, 0), 1000);
	assert_false(bench->cpus[0].is_armed);
	assert_int_equal(count(bench), 0);
}

static void tsc_mode_needs_its_feature(void **state)
{
	struct bench *bench = *state;

	lapic_set_features(bench_lapic(bench, 0), 0, BENCH_PHYS_BITS);
	begin(bench, VECTOR | TSC, 1000);
	assert_int_equal(bench_read(bench, 0, LAPIC_LVT_TIMER), VECTOR);
	assert_true(bench->cpus[0].is_armed && !bench->cpus[0].is_tsc);
}

#define timer_test(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		timer_test(a_one_shot_interrupts_once_at_its_time),
		timer_test(the_count_reads_back_exactly_at_every_divider),
		timer_test(the_largest_count_takes_minutes),
		timer_test(a_periodic_timer_does_not_drift_when_served_late),
		timer_test(missed_periods_are_one_interrupt),
		timer_test(fast_periods_are_thinned_out_to_whole_periods),
		timer_test(a_period_that_divides_the_floor_interrupts_at_the_floor),
		timer_test(no_period_interrupts_more_often_than_the_floor),
		timer_test(a_masked_count_runs_without_a_timer_of_the_host),
		timer_test(a_one_shot_that_ends_while_masked_is_lost),
		timer_test(what_is_due_comes_before_what_is_written),
		timer_test(a_report_that_is_too_early_does_nothing),
		timer_test(zero_stops_the_timer),
		timer_test(a_new_divider_changes_the_pace_and_not_the_count),
		timer_test(periodic_takes_over_a_running_one_shot),
		timer_test(switching_off_in_svr_silences_the_timer),
		timer_test(a_tsc_deadline_interrupts_once_and_reads_0_then),
		timer_test(a_tsc_deadline_of_0_disarms),
		timer_test(a_masked_tsc_deadline_passes_in_silence),
		timer_test(tsc_mode_knows_no_count_and_the_others_no_deadline),
		timer_test(changing_to_or_from_tsc_mode_disarms),
		timer_test(nothing_runs_in_the_reserved_mode),
		timer_test(tsc_mode_needs_its_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
