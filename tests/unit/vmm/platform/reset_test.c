/*
 * Every way in which an operating system resets a PC, and its near misses.
 */
#include "tests/support/cmocka.h"
#include "vmm/platform/reset.h"

struct bench {
	struct reset reset;
	unsigned wishes;
};

static void bench_wish(void *context, enum power_wish wish)
{
	struct bench *bench = context;

	assert_int_equal(wish, POWER_WISH_RESET);
	bench->wishes++;
}

static void bench_start(struct bench *bench)
{
	struct power_sink power = { bench_wish, bench };

	bench->wishes = 0;
	reset_init(&bench->reset, &power);
}

static void command(struct bench *bench, uint8_t value)
{
	reset_i8042_command_ops.write(&bench->reset, 0, value, 1);
}

static void data(struct bench *bench, uint8_t value)
{
	reset_i8042_data_ops.write(&bench->reset, 0, value, 1);
}

static void the_keyboard_controllers_pulse_resets(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	command(&bench, 0xfe);
	assert_int_equal(bench.wishes, 1);
}

static void a_pulse_of_other_outputs_does_not(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	command(&bench, 0xff);
	command(&bench, 0xfd);
	command(&bench, 0xaa);
	command(&bench, 0x60);
	assert_int_equal(bench.wishes, 0);
}

static void the_output_ports_reset_bit_resets_when_low(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	command(&bench, 0xd1);
	data(&bench, 0xdf);
	assert_int_equal(bench.wishes, 0);
	command(&bench, 0xd1);
	data(&bench, 0xde);
	assert_int_equal(bench.wishes, 1);
}

static void data_that_no_command_asked_for_is_ignored(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	data(&bench, 0x00);
	command(&bench, 0xd1);
	data(&bench, 0xdf);
	data(&bench, 0x00);
	assert_int_equal(bench.wishes, 0);
}

static void the_keyboard_controller_is_idle_and_has_nothing_to_read(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	assert_int_equal(reset_i8042_command_ops.read(&bench.reset, 0, 1) & 0x03, 0);
	assert_int_equal(reset_i8042_data_ops.read(&bench.reset, 0, 1), 0);
}

static void port_92_resets_when_its_bit_rises(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	reset_port92_ops.write(&bench.reset, 0, 0x03, 1);
	reset_port92_ops.write(&bench.reset, 0, 0x03, 1);
	assert_int_equal(bench.wishes, 1);
	reset_port92_ops.write(&bench.reset, 0, 0x02, 1);
	reset_port92_ops.write(&bench.reset, 0, 0x03, 1);
	assert_int_equal(bench.wishes, 2);
}

static void port_92_stores_a20(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	assert_int_equal(reset_port92_ops.read(&bench.reset, 0, 1), 0x02);
	reset_port92_ops.write(&bench.reset, 0, 0xfc, 1);
	assert_int_equal(reset_port92_ops.read(&bench.reset, 0, 1), 0x00);
	assert_int_equal(bench.wishes, 0);
}

static void the_control_register_resets_on_its_trigger_only(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	reset_control_write(&bench.reset, 0x02);
	reset_control_write(&bench.reset, 0x0a);
	assert_int_equal(bench.wishes, 0);
	reset_control_write(&bench.reset, 0x06);
	assert_int_equal(bench.wishes, 1);
	reset_control_write(&bench.reset, 0x0e);
	assert_int_equal(bench.wishes, 2);
}

static void the_control_register_reads_back_the_kind_of_reset(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	reset_control_write(&bench.reset, 0xff);
	assert_int_equal(reset_control_read(&bench.reset), 0x0a);
}

static void a_reset_restores_what_is_stored(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	reset_control_write(&bench.reset, 0x0a);
	reset_port92_ops.write(&bench.reset, 0, 0x01, 1);
	command(&bench, 0xd1);
	reset_reset(&bench.reset);
	data(&bench, 0x00);
	assert_int_equal(reset_control_read(&bench.reset), 0x00);
	assert_int_equal(reset_port92_ops.read(&bench.reset, 0, 1), 0x02);
	assert_int_equal(bench.wishes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keyboard_controllers_pulse_resets),
		cmocka_unit_test(a_pulse_of_other_outputs_does_not),
		cmocka_unit_test(the_output_ports_reset_bit_resets_when_low),
		cmocka_unit_test(data_that_no_command_asked_for_is_ignored),
		cmocka_unit_test(the_keyboard_controller_is_idle_and_has_nothing_to_read),
		cmocka_unit_test(port_92_resets_when_its_bit_rises),
		cmocka_unit_test(port_92_stores_a20),
		cmocka_unit_test(the_control_register_resets_on_its_trigger_only),
		cmocka_unit_test(the_control_register_reads_back_the_kind_of_reset),
		cmocka_unit_test(a_reset_restores_what_is_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
