/*
 * ACPI's fixed hardware as an operating system's ACPI driver uses it.
 */
#include "tests/support/cmocka.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/pm.h"
#include "vmm/platform/ticks.h"

enum {
	STATUS = PM_EVENT_OFFSET,
	ENABLE = PM_EVENT_OFFSET + 2,
	CONTROL = PM_CONTROL_OFFSET,
	GPE_STATUS = PM_GPE_OFFSET,
	GPE_ENABLE = PM_GPE_OFFSET + PM_GPE_BYTES / 2,
};

enum { TIMER = 0x0001, POWER_BUTTON = 0x0100, SLEEP_ENABLE = 0x2000 };

#define CARRY_TICKS (UINT64_C(1) << (PM_TIMER_BITS - 1))

struct bench {
	struct vm_time time;
	struct irq_probe sci;
	struct pm pm;
	unsigned wishes;
	enum power_wish wish;
};

static void bench_wish(void *context, enum power_wish wish)
{
	struct bench *bench = context;

	bench->wishes++;
	bench->wish = wish;
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct power_sink power = { bench_wish, bench };
	struct irq_line sci;

	vm_time_start(&bench->time, 0);
	sci = irq_probe_line(&bench->sci, PM_SCI_GSI);
	if (pm_create(&bench->pm, &bench->time.loop, &bench->time.clock, &bench->time.lock, &sci,
		      &power))
		return -1;
	bench->time.timer = &bench->pm.timer;
	*state = bench;
	return 0;
}

static int bench_stop(void **state)
{
	struct bench *bench = *state;

	pm_destroy(&bench->pm);
	vm_time_stop(&bench->time);
	free(bench);
	return 0;
}

static uint64_t in(struct bench *bench, uint64_t offset, uint32_t size)
{
	uint64_t value = pm_ops.read(&bench->pm, offset, size);

	return size == 8 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
}

static void out(struct bench *bench, uint64_t offset, uint64_t value, uint32_t size)
{
	pm_ops.write(&bench->pm, offset, value, size);
}

static void at_tick(struct bench *bench, uint64_t tick)
{
	vm_time_advance_to(&bench->time, ticks_to_ns(tick, PM_TIMER_HZ));
}

static void acpi_mode_is_always_on(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(in(bench, CONTROL, 2), 1);
	out(bench, CONTROL, 0, 2);
	assert_int_equal(in(bench, CONTROL, 2), 1);
}

static void the_power_button_raises_the_sci_if_enabled(void **state)
{
	struct bench *bench = *state;

	out(bench, ENABLE, POWER_BUTTON, 2);
	pm_power_button(&bench->pm);
	assert_true(bench->sci.level);
	assert_int_equal(in(bench, STATUS, 2), POWER_BUTTON);
}

static void a_status_is_cleared_by_writing_one(void **state)
{
	struct bench *bench = *state;

	out(bench, ENABLE, POWER_BUTTON, 2);
	pm_power_button(&bench->pm);
	out(bench, STATUS, (uint16_t)~POWER_BUTTON, 2);
	assert_true(bench->sci.level);
	out(bench, STATUS, POWER_BUTTON, 2);
	assert_false(bench->sci.level);
	assert_int_equal(in(bench, STATUS, 2), 0);
}

static void an_event_that_is_not_enabled_waits_in_its_status(void **state)
{
	struct bench *bench = *state;

	pm_power_button(&bench->pm);
	assert_false(bench->sci.level);
	out(bench, ENABLE, POWER_BUTTON, 2);
	assert_true(bench->sci.level);
}

static void only_known_events_can_be_enabled(void **state)
{
	struct bench *bench = *state;

	out(bench, ENABLE, 0xffff, 2);
	assert_int_equal(in(bench, ENABLE, 2), 0x0721);
}

static void sleep_type_5_turns_the_machine_off(void **state)
{
	struct bench *bench = *state;

	out(bench, CONTROL, SLEEP_ENABLE | PM_SLEEP_S5 << 10, 2);
	assert_int_equal(bench->wishes, 1);
	assert_int_equal(bench->wish, POWER_WISH_OFF);
	assert_int_equal(in(bench, CONTROL, 2), PM_SLEEP_S5 << 10 | 1);
}

static void the_sleep_type_alone_does_nothing(void **state)
{
	struct bench *bench = *state;

	out(bench, CONTROL, PM_SLEEP_S5 << 10, 2);
	assert_int_equal(bench->wishes, 0);
	out(bench, CONTROL + 1, (SLEEP_ENABLE | PM_SLEEP_S5 << 10) >> 8, 1);
	assert_int_equal(bench->wishes, 1);
}

static void other_sleep_types_are_not_offered(void **state)
{
	struct bench *bench = *state;

	for (uint16_t type = 0; type < 8; type++)
		if (type != PM_SLEEP_S5)
			out(bench, CONTROL, (uint16_t)(SLEEP_ENABLE | type << 10), 2);
	assert_int_equal(bench->wishes, 0);
}

static void the_timer_counts_at_its_frequency(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(in(bench, PM_TIMER_OFFSET, 4), 0);
	vm_time_advance_to(&bench->time, NS_PER_SECOND);
	assert_int_equal(in(bench, PM_TIMER_OFFSET, 4), PM_TIMER_HZ);
	vm_time_advance_to(&bench->time, 1000 * NS_PER_SECOND);
	assert_int_equal(in(bench, PM_TIMER_OFFSET, 4), (uint32_t)(1000ull * PM_TIMER_HZ));
}

static void the_timer_wraps_at_its_width(void **state)
{
	struct bench *bench = *state;

	at_tick(bench, 2 * CARRY_TICKS - 1);
	assert_int_equal(in(bench, PM_TIMER_OFFSET, 4), 2 * CARRY_TICKS - 1);
	at_tick(bench, 2 * CARRY_TICKS);
	assert_int_equal(in(bench, PM_TIMER_OFFSET, 4), 0);
}

static void the_timer_cannot_be_written(void **state)
{
	struct bench *bench = *state;

	at_tick(bench, 1000);
	out(bench, PM_TIMER_OFFSET, 0, 4);
	assert_int_equal(in(bench, PM_TIMER_OFFSET, 4), 1000);
}

static void the_timers_status_is_set_when_its_highest_bit_changes(void **state)
{
	struct bench *bench = *state;

	for (uint64_t carry = 1; carry <= 3; carry++) {
		at_tick(bench, carry * CARRY_TICKS - 1);
		assert_int_equal(in(bench, STATUS, 2), 0);
		at_tick(bench, carry * CARRY_TICKS);
		assert_int_equal(in(bench, STATUS, 2), TIMER);
		out(bench, STATUS, TIMER, 2);
		assert_int_equal(in(bench, STATUS, 2), 0);
	}
}

static void an_enabled_timer_raises_the_sci_at_each_carry(void **state)
{
	struct bench *bench = *state;

	out(bench, ENABLE, TIMER, 2);
	at_tick(bench, CARRY_TICKS);
	assert_true(bench->sci.level);
	out(bench, STATUS, TIMER, 2);
	assert_false(bench->sci.level);
	at_tick(bench, 2 * CARRY_TICKS);
	assert_int_equal(bench->sci.rises, 2);
}

static void no_host_timer_runs_unless_a_carry_would_interrupt(void **state)
{
	struct bench *bench = *state;

	at_tick(bench, 10 * CARRY_TICKS);
	assert_int_equal(bench->time.fired, 0);
	out(bench, ENABLE, TIMER, 2);
	assert_true(bench->sci.level); /* carries were noticed all the same */
	at_tick(bench, 20 * CARRY_TICKS);
	assert_int_equal(bench->time.fired, 0);
}

static void a_general_purpose_event_raises_the_sci_if_enabled(void **state)
{
	struct bench *bench = *state;

	pm_gpe_raise(&bench->pm, 9);
	assert_false(bench->sci.level);
	out(bench, GPE_ENABLE + 1, 0x02, 1);
	assert_true(bench->sci.level);
	assert_int_equal(in(bench, GPE_STATUS + 1, 1), 0x02);
	out(bench, GPE_STATUS + 1, 0x02, 1);
	assert_false(bench->sci.level);
}

static void a_general_purpose_event_that_does_not_exist_is_ignored(void **state)
{
	struct bench *bench = *state;

	out(bench, GPE_ENABLE, 0xffffffff, 4);
	pm_gpe_raise(&bench->pm, PM_GPES);
	pm_gpe_raise(&bench->pm, UINT32_MAX);
	assert_false(bench->sci.level);
}

static void wide_reads_cover_several_registers(void **state)
{
	struct bench *bench = *state;

	out(bench, ENABLE, POWER_BUTTON, 2);
	pm_power_button(&bench->pm);
	at_tick(bench, 0x12345678);
	assert_int_equal(in(bench, STATUS, 4), POWER_BUTTON << 16 | POWER_BUTTON);
	assert_int_equal(in(bench, CONTROL, 8), UINT64_C(0x1234567800000001));
	assert_int_equal(in(bench, PM_TIMER_OFFSET + 1, 2), 0x3456);
}

static void what_lies_between_the_blocks_reads_zero(void **state)
{
	struct bench *bench = *state;

	for (uint64_t offset = 0x0c; offset < PM_GPE_OFFSET; offset++) {
		out(bench, offset, 0xff, 1);
		assert_int_equal(in(bench, offset, 1), 0);
	}
}

static void reset_forgets_events(void **state)
{
	struct bench *bench = *state;

	out(bench, ENABLE, POWER_BUTTON, 2);
	pm_power_button(&bench->pm);
	pm_reset(&bench->pm);
	assert_false(bench->sci.level);
	assert_int_equal(in(bench, STATUS, 4), 0);
}

#define pm_test(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pm_test(acpi_mode_is_always_on),
		pm_test(the_power_button_raises_the_sci_if_enabled),
		pm_test(a_status_is_cleared_by_writing_one),
		pm_test(an_event_that_is_not_enabled_waits_in_its_status),
		pm_test(only_known_events_can_be_enabled),
		pm_test(sleep_type_5_turns_the_machine_off),
		pm_test(the_sleep_type_alone_does_nothing),
		pm_test(other_sleep_types_are_not_offered),
		pm_test(the_timer_counts_at_its_frequency),
		pm_test(the_timer_wraps_at_its_width),
		pm_test(the_timer_cannot_be_written),
		pm_test(the_timers_status_is_set_when_its_highest_bit_changes),
		pm_test(an_enabled_timer_raises_the_sci_at_each_carry),
		pm_test(no_host_timer_runs_unless_a_carry_would_interrupt),
		pm_test(a_general_purpose_event_raises_the_sci_if_enabled),
		pm_test(a_general_purpose_event_that_does_not_exist_is_ignored),
		pm_test(wide_reads_cover_several_registers),
		pm_test(what_lies_between_the_blocks_reads_zero),
		pm_test(reset_forgets_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
