/*
 * The way of an interrupt: priorities, service and its end, and what the vCPU's loop asks on the way.
 */
#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

static int start(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));

	bench_start(bench, 1);
	bench_enable(bench, 0);
	*state = bench;
	return 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

static struct lapic *lapic_of(void **state)
{
	return bench_lapic(*state, 0);
}

static void post(struct lapic *lapic, uint8_t vector)
{
	lapic_post(lapic, vector, false);
}

static void an_interrupt_goes_from_irr_through_isr_to_its_end(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = lapic_of(state);

	post(lapic, 0x61);
	assert_int_equal(bench_read(bench, 0, LAPIC_IRR + 3), 2);
	assert_int_equal(bench_read(bench, 0, LAPIC_PPR), 0);
	assert_int_equal(lapic_acknowledge(lapic), 0x61);
	assert_int_equal(bench_read(bench, 0, LAPIC_IRR + 3), 0);
	assert_int_equal(bench_read(bench, 0, LAPIC_ISR + 3), 2);
	assert_int_equal(bench_read(bench, 0, LAPIC_PPR), 0x60);
	assert_int_equal(bench_write(bench, 0, LAPIC_EOI, 0), LAPIC_DONE);
	assert_int_equal(bench_read(bench, 0, LAPIC_ISR + 3), 0);
	assert_int_equal(bench_read(bench, 0, LAPIC_PPR), 0);
}

static void every_vector_shows_in_its_bit(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = lapic_of(state);

	for (uint32_t vector = 16; vector < 256; vector++) {
		uint32_t bit = 1u << vector % 32;

		lapic_post(lapic, (uint8_t)vector, true);
		assert_int_equal(bench_read(bench, 0, LAPIC_IRR + vector / 32), bit);
		assert_true(bench_read(bench, 0, LAPIC_TMR + vector / 32) & bit);
		assert_int_equal(lapic_acknowledge(lapic), vector);
		assert_int_equal(bench_read(bench, 0, LAPIC_ISR + vector / 32), bit);
		assert_int_equal(lapic_eoi(lapic), LAPIC_EOI_BROADCAST | vector);
	}
}

static void higher_vectors_go_first_but_nest_by_class(void **state)
{
	struct lapic *lapic = lapic_of(state);

	post(lapic, 0x45);
	post(lapic, 0x42);
	assert_int_equal(lapic_acknowledge(lapic), 0x45);
	post(lapic, 0x4f); /* of the same class: waits */
	assert_int_equal(lapic_acknowledge(lapic), -1);
	post(lapic, 0x50);
	assert_int_equal(lapic_acknowledge(lapic), 0x50);
	lapic_eoi(lapic);
	lapic_eoi(lapic);
	assert_int_equal(lapic_acknowledge(lapic), 0x4f);
	lapic_eoi(lapic);
	assert_int_equal(lapic_acknowledge(lapic), 0x42);
}

static void tpr_holds_back_its_class_and_those_below(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = lapic_of(state);

	for (uint32_t tpr = 0; tpr < 256; tpr += 3) {
		bench_write(bench, 0, LAPIC_TPR, tpr);
		assert_int_equal(bench_read(bench, 0, LAPIC_PPR), tpr);
		for (uint32_t vector = 16; vector < 256; vector += 5) {
			bool passes = vector / 16 > tpr / 16;

			post(lapic, (uint8_t)vector);
			assert_int_equal(lapic_pending(lapic), passes ? (int)vector : -1);
			assert_int_equal(lapic_pending(lapic) >= 0, passes);
			lapic_set_cr8(lapic, 0);
			assert_int_equal(lapic_acknowledge(lapic), vector);
			lapic_eoi(lapic);
			bench_write(bench, 0, LAPIC_TPR, tpr);
		}
	}
}

static void cr8_is_the_upper_half_of_tpr(void **state)
{
	struct bench *bench = *state;

	bench_write(bench, 0, LAPIC_TPR, 0x5a);
	assert_int_equal(lapic_cr8(lapic_of(state)), 5);
	lapic_set_cr8(lapic_of(state), 0xc);
	assert_int_equal(bench_read(bench, 0, LAPIC_TPR), 0xc0);
}

static void an_interrupt_in_service_can_be_requested_again(void **state)
{
	struct lapic *lapic = lapic_of(state);

	post(lapic, 0x45);
	assert_int_equal(lapic_acknowledge(lapic), 0x45);
	post(lapic, 0x45);
	post(lapic, 0x45);
	assert_int_equal(lapic_acknowledge(lapic), -1);
	lapic_eoi(lapic);
	assert_int_equal(lapic_acknowledge(lapic), 0x45);
	lapic_eoi(lapic);
	assert_int_equal(lapic_acknowledge(lapic), -1);
}

static void an_end_without_interrupt_does_nothing(void **state)
{
	assert_int_equal(lapic_eoi(lapic_of(state)), LAPIC_DONE);
}

static void ends_are_broadcast_for_levels_only(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = lapic_of(state);

	lapic_post(lapic, 0x31, true);
	lapic_post(lapic, 0x52, false);
	assert_int_equal(lapic_acknowledge(lapic), 0x52);
	assert_int_equal(bench_write(bench, 0, LAPIC_EOI, 0), LAPIC_DONE);
	assert_int_equal(lapic_acknowledge(lapic), 0x31);
	assert_int_equal(bench_write(bench, 0, LAPIC_EOI, 0), LAPIC_EOI_BROADCAST | 0x31);
	lapic_post(lapic, 0x31, false); /* the last message says what it is */
	assert_int_equal(lapic_acknowledge(lapic), 0x31);
	assert_int_equal(bench_write(bench, 0, LAPIC_EOI, 0), LAPIC_DONE);
}

static void the_tpr_threshold_is_the_class_that_tpr_alone_holds_back(void **state)
{
	struct lapic *lapic = lapic_of(state);

	lapic_set_cr8(lapic, 6);
	assert_int_equal(lapic_tpr_threshold(lapic), 0);
	post(lapic, 0x55);
	assert_int_equal(lapic_tpr_threshold(lapic), 5);
	post(lapic, 0x61);
	assert_int_equal(lapic_tpr_threshold(lapic), 6);
	post(lapic, 0x70); /* deliverable now */
	assert_int_equal(lapic_tpr_threshold(lapic), 0);
	assert_int_equal(lapic_acknowledge(lapic), 0x70);
	assert_int_equal(lapic_tpr_threshold(lapic), 0); /* ISR holds back as well */
	lapic_eoi(lapic);
	assert_int_equal(lapic_tpr_threshold(lapic), 6);
}

static void an_end_may_be_skipped_if_nobody_would_miss_it(void **state)
{
	struct lapic *lapic = lapic_of(state);

	assert_false(lapic_eoi_may_be_skipped(lapic));
	post(lapic, 0x40);
	assert_false(lapic_eoi_may_be_skipped(lapic));
	lapic_acknowledge(lapic);
	assert_true(lapic_eoi_may_be_skipped(lapic));
	post(lapic, 0x30); /* waits */
	assert_false(lapic_eoi_may_be_skipped(lapic));
	lapic_eoi(lapic);
	lapic_acknowledge(lapic);
	assert_true(lapic_eoi_may_be_skipped(lapic));
	post(lapic, 0x50); /* nests */
	lapic_acknowledge(lapic);
	assert_false(lapic_eoi_may_be_skipped(lapic));
	lapic_eoi(lapic);
	lapic_eoi(lapic);
	lapic_post(lapic, 0x40, true); /* IOAPICs wait for it */
	lapic_acknowledge(lapic);
	assert_false(lapic_eoi_may_be_skipped(lapic));
}

static void posting_notifies_once_until_somebody_looks(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = lapic_of(state);

	post(lapic, 0x40);
	post(lapic, 0x41);
	post(lapic, 0x41);
	assert_int_equal(bench->cpus[0].notified, 1);
	assert_int_equal(lapic_pending(lapic), 0x41);
	post(lapic, 0x42);
	assert_int_equal(bench->cpus[0].notified, 2);
	lapic_accept(lapic, 0x60, false); /* by the owner: nobody to tell */
	assert_int_equal(bench->cpus[0].notified, 2);
}

static void the_only_one_is_taken_and_nothing_else(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = lapic_of(state);

	assert_int_equal(lapic_acknowledge_only(lapic), -1);
	lapic_accept(lapic, 0x41, false);
	lapic_accept(lapic, 0x52, false);
	assert_int_equal(lapic_acknowledge_only(lapic), -1);
	assert_int_equal(lapic_acknowledge(lapic), 0x52);
	assert_int_equal(lapic_acknowledge_only(lapic), -1); /* its class is in service */
	lapic_eoi(lapic);
	assert_int_equal(lapic_acknowledge_only(lapic), 0x41);
	assert_int_equal(bench_read(bench, 0, LAPIC_ISR + 0x41 / 32), 1u << 0x41 % 32);
	assert_int_equal(bench_read(bench, 0, LAPIC_IRR + 0x41 / 32), 0);
	lapic_eoi(lapic);

	lapic_accept(lapic, 0x41, false);
	lapic_post_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR); /* whatever it is: to be looked at */
	assert_int_equal(lapic_acknowledge_only(lapic), -1);
	assert_true(lapic->is_posted);
	assert_int_equal(lapic_acknowledge(lapic), 0x41);
}

#define apic_test(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		apic_test(an_interrupt_goes_from_irr_through_isr_to_its_end),
		apic_test(every_vector_shows_in_its_bit),
		apic_test(higher_vectors_go_first_but_nest_by_class),
		apic_test(tpr_holds_back_its_class_and_those_below),
		apic_test(cr8_is_the_upper_half_of_tpr),
		apic_test(an_interrupt_in_service_can_be_requested_again),
		apic_test(an_end_without_interrupt_does_nothing),
		apic_test(ends_are_broadcast_for_levels_only),
		apic_test(the_tpr_threshold_is_the_class_that_tpr_alone_holds_back),
		apic_test(an_end_may_be_skipped_if_nobody_would_miss_it),
		apic_test(posting_notifies_once_until_somebody_looks),
		apic_test(the_only_one_is_taken_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
