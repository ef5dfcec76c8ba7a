/*
 * The pair of 8259A as a PC's firmware programs it, and its corners by the datasheet.
 */
#include "tests/support/cmocka.h"
#include "vmm/platform/pic.h"

enum { MASTER_BASE = 0x20, SLAVE_BASE = 0x28 };
enum { EOI = 0x20, ROTATE_ON_EOI = 0xa0, SPECIFIC_EOI = 0x60, SET_PRIORITY = 0xc0 };
enum {
	READ_IRR = 0x0a,
	READ_ISR = 0x0b,
	POLL = 0x0c,
	SPECIAL_MASK_ON = 0x68,
	SPECIAL_MASK_OFF = 0x48
};
enum { AUTO_EOI = 0x02, SPECIAL_FULLY_NESTED = 0x10 };

struct bench {
	struct pic pic;
	bool output;
	unsigned changes;
};

static void bench_output(void *context, bool level)
{
	struct bench *bench = context;

	bench->output = level;
	bench->changes++;
}

static void master(struct bench *bench, uint64_t offset, uint8_t value)
{
	pic_master_ops.write(&bench->pic, offset, value, 1);
}

static void slave(struct bench *bench, uint64_t offset, uint8_t value)
{
	pic_slave_ops.write(&bench->pic, offset, value, 1);
}

static uint8_t master_register(struct bench *bench, uint8_t ocw3)
{
	master(bench, 0, ocw3);
	return (uint8_t)pic_master_ops.read(&bench->pic, 0, 1);
}

static uint8_t slave_register(struct bench *bench, uint8_t ocw3)
{
	slave(bench, 0, ocw3);
	return (uint8_t)pic_slave_ops.read(&bench->pic, 0, 1);
}

static void initialise(struct bench *bench, uint8_t icw4_modes)
{
	master(bench, 0, 0x11);
	master(bench, 1, MASTER_BASE);
	master(bench, 1, 0x04);
	master(bench, 1, 0x01 | icw4_modes);
	slave(bench, 0, 0x11);
	slave(bench, 1, SLAVE_BASE);
	slave(bench, 1, 0x02);
	slave(bench, 1, 0x01 | icw4_modes);
}

static void bench_start(struct bench *bench)
{
	*bench = (struct bench){ 0 };
	pic_init(&bench->pic, bench_output, bench);
	initialise(bench, 0);
}

static void pulse(struct bench *bench, uint32_t irq)
{
	pic_set_irq(&bench->pic, irq, true);
	pic_set_irq(&bench->pic, irq, false);
}

static void nothing_gets_through_before_initialisation(void **state UNUSED)
{
	struct bench bench = { 0 };

	pic_init(&bench.pic, bench_output, &bench);
	for (uint32_t irq = 0; irq < PIC_IRQS; irq++)
		pulse(&bench, irq);
	assert_false(pic_has_interrupt(&bench.pic));
}

static void an_interrupt_answers_with_its_vector(void **state UNUSED)
{
	struct bench bench;

	for (uint32_t irq = 0; irq < PIC_IRQS; irq++) {
		if (irq == 2)
			continue;
		bench_start(&bench);
		pulse(&bench, irq);
		assert_true(bench.output);
		assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + irq);
		assert_false(bench.output);
	}
}

static void a_slave_interrupt_is_in_service_on_both_chips(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 12);
	assert_int_equal(master_register(&bench, READ_IRR), 0x04);
	assert_int_equal(slave_register(&bench, READ_IRR), 0x10);
	pic_acknowledge(&bench.pic);
	assert_int_equal(master_register(&bench, READ_ISR), 0x04);
	assert_int_equal(slave_register(&bench, READ_ISR), 0x10);
	assert_int_equal(slave_register(&bench, READ_IRR), 0x00);
}

static void lower_numbers_go_first_and_the_slave_comes_after_irq1(void **state UNUSED)
{
	static const uint32_t order[] = { 0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7 };
	struct bench bench;

	bench_start(&bench);
	for (uint32_t irq = 0; irq < PIC_IRQS; irq++)
		pulse(&bench, irq);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + order[i]);
		if (order[i] >= 8)
			slave(&bench, 0, EOI);
		master(&bench, 0, EOI);
	}
	assert_false(pic_has_interrupt(&bench.pic));
}

static void what_is_in_service_blocks_its_own_and_lower_priorities(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 4);
	pic_acknowledge(&bench.pic);
	pulse(&bench, 4);
	pulse(&bench, 5);
	assert_false(bench.output);
	pulse(&bench, 3);
	assert_true(bench.output);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 3);
}

static void a_nonspecific_eoi_ends_the_highest_in_service(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 4);
	pic_acknowledge(&bench.pic);
	pulse(&bench, 3);
	pic_acknowledge(&bench.pic);
	assert_int_equal(master_register(&bench, READ_ISR), 0x18);
	master(&bench, 0, EOI);
	assert_int_equal(master_register(&bench, READ_ISR), 0x10);
}

static void a_specific_eoi_ends_the_one_it_names(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 4);
	pic_acknowledge(&bench.pic);
	pulse(&bench, 3);
	pic_acknowledge(&bench.pic);
	master(&bench, 0, SPECIFIC_EOI | 4);
	assert_int_equal(master_register(&bench, READ_ISR), 0x08);
}

static void a_masked_request_waits_for_its_unmask(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	master(&bench, 1, 0x10);
	assert_int_equal(pic_master_ops.read(&bench.pic, 1, 1), 0x10);
	pulse(&bench, 4);
	assert_false(bench.output);
	assert_int_equal(master_register(&bench, READ_IRR), 0x10);
	master(&bench, 1, 0x00);
	assert_true(bench.output);
}

static void masking_the_cascade_silences_the_slave(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	master(&bench, 1, 0x04);
	pulse(&bench, 8);
	assert_false(bench.output);
}

static void an_edge_that_stays_high_interrupts_once(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pic_set_irq(&bench.pic, 4, true);
	pic_acknowledge(&bench.pic);
	master(&bench, 0, EOI);
	pic_set_irq(&bench.pic, 4, true);
	assert_false(bench.output);
}

static void a_level_that_stays_high_interrupts_again_after_eoi(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pic_elcr_ops.write(&bench.pic, 1, 0x02, 1); /* IRQ9 */
	pic_set_irq(&bench.pic, 9, true);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 9);
	slave(&bench, 0, EOI);
	master(&bench, 0, EOI);
	assert_true(bench.output);
	pic_set_irq(&bench.pic, 9, false);
	assert_false(bench.output);
}

static void some_inputs_cannot_be_made_level_triggered(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pic_elcr_ops.write(&bench.pic, 0, 0xffff, 2);
	assert_int_equal(pic_elcr_ops.read(&bench.pic, 0, 2), 0xdef8);
}

static void a_level_that_fell_before_the_acknowledge_is_a_spurious_irq7(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pic_elcr_ops.write(&bench.pic, 0, 0x20, 1);
	pic_set_irq(&bench.pic, 5, true);
	pic_set_irq(&bench.pic, 5, false);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 7);
	assert_int_equal(master_register(&bench, READ_ISR), 0);
}

static void initialisation_forgets_edges_masks_and_service(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 3);
	pic_acknowledge(&bench.pic);
	pulse(&bench, 4);
	master(&bench, 1, 0xff);
	initialise(&bench, 0);
	assert_int_equal(master_register(&bench, READ_IRR), 0);
	assert_int_equal(master_register(&bench, READ_ISR), 0);
	assert_int_equal(pic_master_ops.read(&bench.pic, 1, 1), 0);
	assert_false(bench.output);
}

static void without_icw4_the_next_data_byte_after_icw3_is_the_mask(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	master(&bench, 0, 0x10);
	master(&bench, 1, 0x47);
	master(&bench, 1, 0x04);
	master(&bench, 1, 0xbf);
	assert_int_equal(pic_master_ops.read(&bench.pic, 1, 1), 0xbf);
	pulse(&bench, 6);
	assert_int_equal(pic_acknowledge(&bench.pic),
			 0x46); /* the vector's low bits are the input's */
}

static void a_single_chip_expects_no_icw3(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	master(&bench, 0, 0x12);
	master(&bench, 1, 0x40);
	master(&bench, 1, 0xfe);
	assert_int_equal(pic_master_ops.read(&bench.pic, 1, 1), 0xfe);
}

static void auto_eoi_leaves_nothing_in_service(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	initialise(&bench, AUTO_EOI);
	pulse(&bench, 4);
	pic_acknowledge(&bench.pic);
	assert_int_equal(master_register(&bench, READ_ISR), 0);
	pulse(&bench, 5);
	assert_true(bench.output);
}

static void auto_eoi_can_rotate(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	initialise(&bench, AUTO_EOI);
	master(&bench, 0, 0x80);
	pulse(&bench, 0);
	pic_acknowledge(&bench.pic);
	pulse(&bench, 0);
	pulse(&bench, 7);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 7);
	master(&bench, 0, 0x00);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 0);
	pulse(&bench, 0);
	pulse(&bench, 1);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 0);
}

static void rotation_on_eoi_makes_the_served_input_last(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 4);
	pic_acknowledge(&bench.pic);
	master(&bench, 0, ROTATE_ON_EOI);
	pulse(&bench, 4);
	pulse(&bench, 3);
	pulse(&bench, 5);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 5);
	master(&bench, 0, EOI);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 3);
	master(&bench, 0, EOI);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 4);
}

static void set_priority_names_the_lowest_input(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	master(&bench, 0, SET_PRIORITY | 5);
	pulse(&bench, 0);
	pulse(&bench, 6);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 6);
	assert_false(bench.output);
}

static void special_mask_mode_lets_lower_priorities_interrupt_a_masked_one(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 3);
	pic_acknowledge(&bench.pic);
	master(&bench, 1, 0x08);
	pulse(&bench, 5);
	assert_false(bench.output);
	master(&bench, 0, SPECIAL_MASK_ON);
	assert_true(bench.output);
	master(&bench, 0, SPECIAL_MASK_OFF);
	assert_false(bench.output);
}

static void in_special_mask_mode_a_nonspecific_eoi_passes_masked_ones_by(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 3);
	pic_acknowledge(&bench.pic);
	master(&bench, 1, 0x08);
	master(&bench, 0, SPECIAL_MASK_ON);
	pulse(&bench, 5);
	pic_acknowledge(&bench.pic);
	master(&bench, 0, EOI);
	assert_int_equal(master_register(&bench, READ_ISR), 0x08);
	master(&bench, 0, EOI);
	assert_int_equal(master_register(&bench, READ_ISR), 0x08);
}

static void normally_the_slave_cannot_interrupt_its_own_service(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 12);
	pic_acknowledge(&bench.pic);
	pulse(&bench, 9);
	assert_false(bench.output);
}

static void special_fully_nested_the_slaves_higher_inputs_can_interrupt_it(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	initialise(&bench, SPECIAL_FULLY_NESTED);
	pulse(&bench, 12);
	pic_acknowledge(&bench.pic);
	pulse(&bench, 13);
	pulse(&bench, 4);
	assert_false(bench.output);
	pulse(&bench, 9);
	assert_true(bench.output);
	assert_int_equal(pic_acknowledge(&bench.pic), MASTER_BASE + 9);
}

static void a_poll_acknowledges_and_names_the_input(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 4);
	master(&bench, 0, POLL);
	assert_int_equal(pic_master_ops.read(&bench.pic, 0, 1), 0x84);
	assert_int_equal(master_register(&bench, READ_ISR), 0x10);
	assert_false(bench.output);
	master(&bench, 0, POLL);
	assert_int_equal(pic_master_ops.read(&bench.pic, 1, 1), 0x00);
}

static void the_output_is_reported_only_when_it_changes(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pulse(&bench, 4);
	pulse(&bench, 5);
	pulse(&bench, 4);
	assert_int_equal(bench.changes, 1);
}

static void the_cascade_and_what_does_not_exist_cannot_be_set(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	pic_set_irq(&bench.pic, 2, true);
	pic_set_irq(&bench.pic, 16, true);
	pic_set_irq(&bench.pic, UINT32_MAX, true);
	assert_false(bench.output);
	assert_int_equal(master_register(&bench, READ_IRR), 0);
}

static void loaded_state_reports_its_output(void **state UNUSED)
{
	struct bench source, target;

	bench_start(&source);
	bench_start(&target);
	pulse(&source, 4);
	target.pic.state = source.pic.state;
	pic_resume(&target.pic);
	assert_true(target.output);
	assert_int_equal(pic_acknowledge(&target.pic), MASTER_BASE + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_gets_through_before_initialisation),
		cmocka_unit_test(an_interrupt_answers_with_its_vector),
		cmocka_unit_test(a_slave_interrupt_is_in_service_on_both_chips),
		cmocka_unit_test(lower_numbers_go_first_and_the_slave_comes_after_irq1),
		cmocka_unit_test(what_is_in_service_blocks_its_own_and_lower_priorities),
		cmocka_unit_test(a_nonspecific_eoi_ends_the_highest_in_service),
		cmocka_unit_test(a_specific_eoi_ends_the_one_it_names),
		cmocka_unit_test(a_masked_request_waits_for_its_unmask),
		cmocka_unit_test(masking_the_cascade_silences_the_slave),
		cmocka_unit_test(an_edge_that_stays_high_interrupts_once),
		cmocka_unit_test(a_level_that_stays_high_interrupts_again_after_eoi),
		cmocka_unit_test(some_inputs_cannot_be_made_level_triggered),
		cmocka_unit_test(a_level_that_fell_before_the_acknowledge_is_a_spurious_irq7),
		cmocka_unit_test(initialisation_forgets_edges_masks_and_service),
		cmocka_unit_test(without_icw4_the_next_data_byte_after_icw3_is_the_mask),
		cmocka_unit_test(a_single_chip_expects_no_icw3),
		cmocka_unit_test(auto_eoi_leaves_nothing_in_service),
		cmocka_unit_test(auto_eoi_can_rotate),
		cmocka_unit_test(rotation_on_eoi_makes_the_served_input_last),
		cmocka_unit_test(set_priority_names_the_lowest_input),
		cmocka_unit_test(special_mask_mode_lets_lower_priorities_interrupt_a_masked_one),
		cmocka_unit_test(in_special_mask_mode_a_nonspecific_eoi_passes_masked_ones_by),
		cmocka_unit_test(normally_the_slave_cannot_interrupt_its_own_service),
		cmocka_unit_test(special_fully_nested_the_slaves_higher_inputs_can_interrupt_it),
		cmocka_unit_test(a_poll_acknowledges_and_names_the_input),
		cmocka_unit_test(the_output_is_reported_only_when_it_changes),
		cmocka_unit_test(the_cascade_and_what_does_not_exist_cannot_be_set),
		cmocka_unit_test(loaded_state_reports_its_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
