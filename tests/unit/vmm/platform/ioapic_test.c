/*
 * The I/O APIC as a guest and the local APICs see it.
 */
#include "tests/support/cmocka.h"
#include "vmm/platform/ioapic.h"

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40, PIN = 5, VECTOR = 0x51 };

#define LEVEL	   (1u << 15)
#define MASKED	   (1u << 16)
#define REMOTE_IRR (1u << 14)
#define LOGICAL	   (1u << 11)

struct bench {
	struct ioapic ioapic;
	unsigned delivered, announced;
	uint64_t address, route_address;
	uint32_t data, route_data, route_pin;
	bool route_is_live;
};

static void bench_deliver(void *context, uint64_t address, uint32_t data)
{
	struct bench *bench = context;

	bench->delivered++;
	bench->address = address;
	bench->data = data;
}

static void bench_route_changed(void *context, uint32_t pin, bool is_live, uint64_t address,
				uint32_t data)
{
	struct bench *bench = context;

	bench->announced++;
	bench->route_pin = pin;
	bench->route_is_live = is_live;
	bench->route_address = address;
	bench->route_data = data;
}

static void bench_start(struct bench *bench)
{
	struct ioapic_sink sink = { bench_deliver, bench_route_changed, bench };

	*bench = (struct bench){ 0 };
	ioapic_init(&bench->ioapic, &sink);
}

static void write_register(struct bench *bench, uint8_t index, uint32_t value)
{
	ioapic_ops.write(&bench->ioapic, IOREGSEL, index, 4);
	ioapic_ops.write(&bench->ioapic, IOWIN, value, 4);
}

static uint32_t read_register(struct bench *bench, uint8_t index)
{
	ioapic_ops.write(&bench->ioapic, IOREGSEL, index, 4);
	return (uint32_t)ioapic_ops.read(&bench->ioapic, IOWIN, 4);
}

static void set_entry(struct bench *bench, uint32_t low)
{
	write_register(bench, 0x10 + 2 * PIN, low);
}

static uint32_t entry(struct bench *bench)
{
	return read_register(bench, 0x10 + 2 * PIN);
}

static void it_says_that_it_has_24_pins_and_an_eoi_register(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	assert_int_equal(read_register(&bench, 1), 0x00170020);
}

static void its_id_is_four_bits_and_the_arbitration_id_follows(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	write_register(&bench, 0, 0xffffffff);
	assert_int_equal(read_register(&bench, 0), 0x0f000000);
	assert_int_equal(read_register(&bench, 2), 0x0f000000);
}

static void every_pin_is_masked_after_reset(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	for (uint8_t pin = 0; pin < IOAPIC_PINS; pin++)
		assert_int_equal(read_register(&bench, (uint8_t)(0x10 + 2 * pin)), MASKED);
}

static void an_edge_is_delivered_once_per_rise(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(bench.delivered, 1);
	ioapic_set_irq(&bench.ioapic, PIN, false);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(bench.delivered, 2);
}

static void an_edge_while_masked_is_lost(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | MASKED);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	set_entry(&bench, VECTOR);
	assert_int_equal(bench.delivered, 0);
}

static void a_level_is_delivered_once_until_its_eoi(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(entry(&bench), VECTOR | LEVEL | REMOTE_IRR);
	ioapic_set_irq(&bench.ioapic, PIN, false);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(bench.delivered, 1);
}

static void a_level_still_asserted_is_delivered_again_once_per_eoi(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	for (unsigned i = 1; i <= 1000; i++) {
		assert_int_equal(bench.delivered, i);
		ioapic_eoi(&bench.ioapic, VECTOR);
	}
}

static void an_eoi_after_the_line_fell_ends_service(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	ioapic_set_irq(&bench.ioapic, PIN, false);
	assert_int_equal(entry(&bench), VECTOR | LEVEL | REMOTE_IRR);
	ioapic_eoi(&bench.ioapic, VECTOR);
	assert_int_equal(entry(&bench), VECTOR | LEVEL);
	assert_int_equal(bench.delivered, 1);
}

static void an_eoi_of_another_vector_changes_nothing(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	ioapic_eoi(&bench.ioapic, VECTOR + 1);
	assert_int_equal(entry(&bench), VECTOR | LEVEL | REMOTE_IRR);
}

static void the_eoi_register_ends_service_too(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	ioapic_set_irq(&bench.ioapic, PIN, false);
	ioapic_ops.write(&bench.ioapic, IOEOI, VECTOR, 4);
	assert_int_equal(entry(&bench), VECTOR | LEVEL);
}

static void a_masked_level_is_delivered_when_unmasked(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL | MASKED);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(bench.delivered, 0);
	set_entry(&bench, VECTOR | LEVEL);
	assert_int_equal(bench.delivered, 1);
}

static void masking_in_service_holds_redelivery_until_the_unmask(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	set_entry(&bench, VECTOR | LEVEL | MASKED);
	ioapic_eoi(&bench.ioapic, VECTOR);
	assert_int_equal(entry(&bench), VECTOR | LEVEL | MASKED);
	assert_int_equal(bench.delivered, 1);
	set_entry(&bench, VECTOR | LEVEL);
	assert_int_equal(bench.delivered, 2);
}

static void a_guest_cannot_write_remote_irr_or_delivery_status(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, 0xffffffff);
	assert_int_equal(entry(&bench), 0x0001afff);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	set_entry(&bench, VECTOR | LEVEL);
	assert_int_equal(entry(&bench), VECTOR | LEVEL | REMOTE_IRR);
}

static void made_edge_and_level_again_an_entry_is_out_of_service(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	set_entry(&bench, VECTOR | MASKED);
	set_entry(&bench, VECTOR | LEVEL | MASKED);
	assert_int_equal(entry(&bench), VECTOR | LEVEL | MASKED);
}

static void an_nmi_is_an_edge_whatever_its_trigger_bit_says(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, 0x400 | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(entry(&bench), 0x400 | LEVEL);
	assert_int_equal(bench.data, 0x4400);
}

static void the_message_carries_destination_mode_and_vector(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	write_register(&bench, 0x11 + 2 * PIN, 0xa5ffffff);
	set_entry(&bench, VECTOR | LOGICAL | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(bench.address, 0xfeea5004);
	assert_int_equal(bench.data, 0xc000 | VECTOR);
	assert_int_equal(read_register(&bench, 0x11 + 2 * PIN), 0xa5000000);
}

static void lowest_priority_asks_for_redirection(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LOGICAL | 0x100);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	assert_int_equal(bench.address, 0xfee0000c);
	assert_int_equal(bench.data, 0x4100 | VECTOR);
}

static void an_unmasked_level_entry_is_announced_as_a_live_route(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	assert_int_equal(bench.announced, 1);
	assert_true(bench.route_is_live);
	assert_int_equal(bench.route_pin, PIN);
	assert_int_equal(bench.route_address, 0xfee00000);
	assert_int_equal(bench.route_data, 0xc000 | VECTOR);
}

static void edge_entries_are_never_announced(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR);
	set_entry(&bench, VECTOR | MASKED);
	assert_int_equal(bench.announced, 0);
}

static void masking_does_not_withdraw_a_route(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	for (int i = 0; i < 10; i++) {
		set_entry(&bench, VECTOR | LEVEL | MASKED);
		set_entry(&bench, VECTOR | LEVEL);
	}
	assert_int_equal(bench.announced, 1);
}

static void a_masked_entry_that_changes_withdraws_its_route(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	set_entry(&bench, (VECTOR + 1) | LEVEL | MASKED);
	assert_int_equal(bench.announced, 2);
	assert_false(bench.route_is_live);
}

static void a_reset_withdraws_routes_and_keeps_what_devices_assert(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR | LEVEL);
	ioapic_set_irq(&bench.ioapic, PIN, true);
	ioapic_reset(&bench.ioapic);
	assert_false(bench.route_is_live);
	assert_int_equal(bench.delivered, 1);
	set_entry(&bench, VECTOR | LEVEL);
	assert_int_equal(bench.delivered, 2);
}

static void loaded_state_announces_its_routes(void **state UNUSED)
{
	struct bench source, target;

	bench_start(&source);
	bench_start(&target);
	set_entry(&source, VECTOR | LEVEL);
	target.ioapic.state = source.ioapic.state;
	ioapic_resume(&target.ioapic);
	assert_int_equal(target.announced, 1);
	assert_true(target.route_is_live);
	ioapic_set_irq(&target.ioapic, PIN, true);
	assert_int_equal(target.delivered, 1);
}

static void pins_and_registers_that_do_not_exist_are_ignored(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	ioapic_set_irq(&bench.ioapic, IOAPIC_PINS, true);
	ioapic_set_irq(&bench.ioapic, UINT32_MAX, true);
	write_register(&bench, 0x10 + 2 * IOAPIC_PINS, VECTOR);
	write_register(&bench, 0xff, VECTOR);
	assert_int_equal(read_register(&bench, 0xff), 0);
	assert_int_equal(bench.ioapic.state.asserted, 0);
	assert_int_equal(bench.delivered, 0);
}

static void a_register_is_written_whole_or_not_at_all(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench);
	set_entry(&bench, VECTOR);
	ioapic_ops.write(&bench.ioapic, IOWIN, 0xff, 1);
	ioapic_ops.write(&bench.ioapic, IOWIN + 1, 0xffff, 2);
	assert_int_equal(entry(&bench), VECTOR);
	assert_int_equal(ioapic_ops.read(&bench.ioapic, IOWIN, 1), VECTOR);
	assert_int_equal(ioapic_ops.read(&bench.ioapic, IOWIN + 4, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_that_it_has_24_pins_and_an_eoi_register),
		cmocka_unit_test(its_id_is_four_bits_and_the_arbitration_id_follows),
		cmocka_unit_test(every_pin_is_masked_after_reset),
		cmocka_unit_test(an_edge_is_delivered_once_per_rise),
		cmocka_unit_test(an_edge_while_masked_is_lost),
		cmocka_unit_test(a_level_is_delivered_once_until_its_eoi),
		cmocka_unit_test(a_level_still_asserted_is_delivered_again_once_per_eoi),
		cmocka_unit_test(an_eoi_after_the_line_fell_ends_service),
		cmocka_unit_test(an_eoi_of_another_vector_changes_nothing),
		cmocka_unit_test(the_eoi_register_ends_service_too),
		cmocka_unit_test(a_masked_level_is_delivered_when_unmasked),
		cmocka_unit_test(masking_in_service_holds_redelivery_until_the_unmask),
		cmocka_unit_test(a_guest_cannot_write_remote_irr_or_delivery_status),
		cmocka_unit_test(made_edge_and_level_again_an_entry_is_out_of_service),
		cmocka_unit_test(an_nmi_is_an_edge_whatever_its_trigger_bit_says),
		cmocka_unit_test(the_message_carries_destination_mode_and_vector),
		cmocka_unit_test(lowest_priority_asks_for_redirection),
		cmocka_unit_test(an_unmasked_level_entry_is_announced_as_a_live_route),
		cmocka_unit_test(edge_entries_are_never_announced),
		cmocka_unit_test(masking_does_not_withdraw_a_route),
		cmocka_unit_test(a_masked_entry_that_changes_withdraws_its_route),
		cmocka_unit_test(a_reset_withdraws_routes_and_keeps_what_devices_assert),
		cmocka_unit_test(loaded_state_announces_its_routes),
		cmocka_unit_test(pins_and_registers_that_do_not_exist_are_ignored),
		cmocka_unit_test(a_register_is_written_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
