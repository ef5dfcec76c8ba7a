/*
 * Which event goes through the guest's IDT next, and what becomes of those that meet.
 */
#include "kernel/cpu/trap.h"
#include "kernel/kvm/events.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static const struct events_guest open_guest = { .is_open = true };

static struct events_plan next(struct events *events, bool is_open, bool has_shadow,
			       bool has_interrupt)
{
	const struct events_guest guest = { .is_open = is_open,
					    .has_shadow = has_shadow,
					    .has_interrupt = has_interrupt };

	return events_next(events, &guest);
}

static void nothing_is_delivered_when_nothing_waits(void **state UNUSED)
{
	struct events events = { 0 };
	struct events_plan plan = next(&events, true, false, false);

	assert_int_equal(plan.choice, EVENTS_NONE);
	assert_int_equal(plan.watched, 0);
	assert_false(plan.leaves_at_once);
	assert_false(events_are_waiting(&events));
}

static void an_interrupt_is_acknowledged_only_when_the_guest_is_open(void **state UNUSED)
{
	struct events events = { 0 };
	struct events_plan plan = next(&events, true, false, true);

	assert_int_equal(plan.choice, EVENTS_ACKNOWLEDGE);
	assert_int_equal(plan.watched, 0);

	plan = next(&events, false, false, true);
	assert_int_equal(plan.choice, EVENTS_NONE);
	assert_int_equal(plan.watched, VIRT_WATCH_WINDOW);

	plan = next(&events, true, true, true);
	assert_int_equal(plan.choice, EVENTS_NONE);
	assert_int_equal(plan.watched, VIRT_WATCH_WINDOW);
}

static void ring_3_is_told_of_the_window(void **state UNUSED)
{
	const struct events_guest guest = { .is_window_wanted = true };
	struct events events = { 0 };

	assert_int_equal(events_next(&events, &guest).watched, VIRT_WATCH_WINDOW);
}

static void what_was_cut_short_comes_before_anything_new(void **state UNUSED)
{
	const struct virt_event interrupt = { VIRT_EVENT_INTERRUPT, .vector = 0x31 };
	struct events events = { 0 };
	struct events_plan plan;

	events_return(&events, &interrupt);
	assert_true(events_are_waiting(&events));
	plan = next(&events, false, true, true); /* even where no new one could come */
	assert_int_equal(plan.choice, EVENTS_DELIVER);
	assert_int_equal(plan.event.kind, VIRT_EVENT_INTERRUPT);
	assert_int_equal(plan.event.vector, 0x31);
	assert_int_equal(plan.watched, VIRT_WATCH_WINDOW);
	assert_false(events_are_waiting(&events));
}

static void an_exception_comes_before_all_else(void **state UNUSED)
{
	const struct virt_event interrupt = { VIRT_EVENT_INTERRUPT, .vector = 0x31 };
	struct events events = { 0 };
	struct events_plan plan;

	events_return(&events, &interrupt);
	events_add_nmis(&events, 1);
	events_raise(&events, TRAP_PROTECTION, true, 0x18);
	plan = next(&events, true, false, false);
	assert_int_equal(plan.event.kind, VIRT_EVENT_EXCEPTION);
	assert_int_equal(plan.event.vector, TRAP_PROTECTION);
	assert_true(plan.event.has_error);
	assert_int_equal(plan.event.error, 0x18);
	assert_int_equal(plan.watched, VIRT_WATCH_WINDOW);
	assert_true(plan.leaves_at_once); /* for the NMI */
	assert_int_equal(next(&events, true, false, false).event.kind, VIRT_EVENT_NMI);
	assert_int_equal(next(&events, true, false, false).event.vector, 0x31);
}

static void an_nmi_masks_the_next_until_iret_is_over(void **state UNUSED)
{
	struct events events = { 0 };
	struct events_plan plan;

	events_add_nmis(&events, 1);
	plan = next(&events, false, false, false);
	assert_int_equal(plan.event.kind, VIRT_EVENT_NMI);
	assert_int_equal(plan.watched, VIRT_WATCH_IRET);

	events_add_nmis(&events, 1);
	assert_false(events_are_waiting(&events));
	plan = next(&events, false, false, false);
	assert_int_equal(plan.choice, EVENTS_NONE);
	assert_int_equal(plan.watched, VIRT_WATCH_IRET);

	events_before_iret(&events);
	plan = next(&events, true, false, true); /* RFLAGS isn't the guest's own: no interrupt */
	assert_int_equal(plan.choice, EVENTS_NONE);
	assert_int_equal(plan.watched, VIRT_WATCH_STEP | VIRT_WATCH_WINDOW);

	events_after_step(&events);
	assert_int_equal(next(&events, true, false, true).event.kind, VIRT_EVENT_NMI);
}

static void a_step_that_is_not_over_iret_changes_nothing(void **state UNUSED)
{
	struct events events = { .is_nmi_masked = true };

	events_after_step(&events);
	assert_true(events.is_nmi_masked);
}

static void an_nmi_waits_for_the_end_of_a_shadow(void **state UNUSED)
{
	struct events events = { 0 };
	struct events_plan plan;

	events_add_nmis(&events, 1);
	plan = next(&events, true, true, false);
	assert_int_equal(plan.choice, EVENTS_NONE);
	assert_int_equal(plan.watched, VIRT_WATCH_STEP);
	assert_int_equal(next(&events, true, false, false).event.kind, VIRT_EVENT_NMI);
}

static void an_nmi_that_was_cut_short_comes_again(void **state UNUSED)
{
	const struct virt_event nmi = { .kind = VIRT_EVENT_NMI };
	struct events events = { .is_nmi_masked = true };
	struct events_plan plan;

	events_return(&events, &nmi);
	plan = next(&events, false, true, false);
	assert_int_equal(plan.event.kind, VIRT_EVENT_NMI);
	assert_true(events.is_nmi_masked);
}

static void no_more_nmis_wait_than_can_be_told_apart(void **state UNUSED)
{
	struct events events = { 0 };

	events_add_nmis(&events, 7);
	assert_int_equal(events.nmis_waiting, 2);
	events = (struct events){ .is_nmi_masked = true };
	events_add_nmis(&events, 7);
	assert_int_equal(events.nmis_waiting, 1);
}

/* --- exceptions that meet --- */

static uint8_t meet(uint8_t first, uint8_t second, bool *is_triple)
{
	struct events events = { 0 };

	events_raise(&events, first, false, 0);
	events_raise(&events, second, false, 0);
	*is_triple = events.is_triple_fault;
	return events.exception.vector;
}

static void two_exceptions_make_a_double_fault_as_the_manual_has_it(void **state UNUSED)
{
	static const struct {
		uint8_t first, second, expected;
	} rows[] = {
		{ TRAP_DIVIDE, TRAP_PROTECTION, TRAP_DOUBLE_FAULT },
		{ TRAP_PROTECTION, TRAP_STACK, TRAP_DOUBLE_FAULT },
		{ TRAP_PROTECTION, TRAP_PAGE_FAULT, TRAP_PAGE_FAULT },
		{ TRAP_PAGE_FAULT, TRAP_PAGE_FAULT, TRAP_DOUBLE_FAULT },
		{ TRAP_PAGE_FAULT, TRAP_INVALID_TSS, TRAP_DOUBLE_FAULT },
		{ TRAP_PAGE_FAULT, TRAP_DEBUG, TRAP_DEBUG },
		{ TRAP_INVALID_OPCODE, TRAP_PROTECTION, TRAP_PROTECTION },
		{ TRAP_DEBUG, TRAP_PAGE_FAULT, TRAP_PAGE_FAULT },
	};
	bool is_triple;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(meet(rows[i].first, rows[i].second, &is_triple), rows[i].expected);
		assert_false(is_triple);
	}
}

static void a_third_one_is_a_triple_fault(void **state UNUSED)
{
	bool is_triple;

	meet(TRAP_DOUBLE_FAULT, TRAP_PROTECTION, &is_triple);
	assert_true(is_triple);
}

static void a_double_fault_has_an_error_code_of_0(void **state UNUSED)
{
	const struct virt_event first = { VIRT_EVENT_EXCEPTION, TRAP_STACK, true, 0x10 };
	struct events events = { 0 };

	events_return(&events, &first); /* one whose delivery failed */
	assert_true(events.is_exception_again);
	events_raise(&events, TRAP_SEGMENT, true, 0x20);
	assert_int_equal(events.exception.vector, TRAP_DOUBLE_FAULT);
	assert_true(events.exception.has_error);
	assert_int_equal(events.exception.error, 0);
	assert_false(events.is_exception_again);
}

static void an_interrupt_from_outside_is_taken_only_when_nothing_is_on_its_way(void **state UNUSED)
{
	struct events_guest guest = open_guest;
	struct events events = { 0 };

	assert_true(events_are_ready(&events, &guest));
	events.has_interrupt = true;
	assert_false(events_are_ready(&events, &guest));
	events = (struct events){ .is_nmi_again = true };
	assert_false(events_are_ready(&events, &guest));
	events = (struct events){ 0 };
	events_raise(&events, TRAP_DIVIDE, false, 0);
	assert_false(events_are_ready(&events, &guest));
	events = (struct events){ 0 };
	guest.has_shadow = true;
	assert_false(events_are_ready(&events, &guest));
	guest = (struct events_guest){ .is_open = false };
	assert_false(events_are_ready(&events, &guest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_delivered_when_nothing_waits),
		cmocka_unit_test(an_interrupt_is_acknowledged_only_when_the_guest_is_open),
		cmocka_unit_test(ring_3_is_told_of_the_window),
		cmocka_unit_test(what_was_cut_short_comes_before_anything_new),
		cmocka_unit_test(an_exception_comes_before_all_else),
		cmocka_unit_test(an_nmi_masks_the_next_until_iret_is_over),
		cmocka_unit_test(a_step_that_is_not_over_iret_changes_nothing),
		cmocka_unit_test(an_nmi_waits_for_the_end_of_a_shadow),
		cmocka_unit_test(an_nmi_that_was_cut_short_comes_again),
		cmocka_unit_test(no_more_nmis_wait_than_can_be_told_apart),
		cmocka_unit_test(two_exceptions_make_a_double_fault_as_the_manual_has_it),
		cmocka_unit_test(a_third_one_is_a_triple_fault),
		cmocka_unit_test(a_double_fault_has_an_error_code_of_0),
		cmocka_unit_test(
			an_interrupt_from_outside_is_taken_only_when_nothing_is_on_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
