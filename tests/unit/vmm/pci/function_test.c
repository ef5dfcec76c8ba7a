/*
 * One PCI function: what a guest can change, and where its BARs are.
 */
#include <errno.h>

#include "tests/support/cmocka.h"
#include "tests/support/pci_bench.h"
#include "tests/support/pci_probe.h"
#include "vmm/boot/layout.h"

enum {
	SLOT = 4,
	OTHER_SLOT = 5,
	MIB = 1 << 20,
	BAR0 = PCI_BASE_ADDRESS_0,
	BAR1 = PCI_BASE_ADDRESS_1,
	BAR2 = PCI_BASE_ADDRESS_2,
};

struct bench {
	struct pci_bench pci;
	struct pci_probe probe, other;
};

static void start(struct bench *bench)
{
	struct errmsg why = { 0 };

	pci_bench_start(&bench->pci, MIB);
	pci_probe_init(&bench->probe, "probe");
	pci_probe_init(&bench->other, "other");
	assert_int_equal(pci_add(&bench->pci.pci, SLOT, &bench->probe.function, &why), 0);
	assert_int_equal(pci_add(&bench->pci.pci, OTHER_SLOT, &bench->other.function, &why), 0);
}

static void stop(struct bench *bench)
{
	pci_remove(&bench->probe.function);
	pci_remove(&bench->other.function);
	assert_int_equal(bench->pci.io.nr_regions, 1);
	assert_int_equal(bench->pci.mmio.nr_regions, 1);
	pci_bench_stop(&bench->pci);
}

static uint32_t get(struct bench *bench, uint32_t offset, uint32_t size)
{
	return bench_config_read(&bench->pci, SLOT, offset, size);
}

static void set(struct bench *bench, uint32_t offset, uint32_t value, uint32_t size)
{
	bench_config_write(&bench->pci, SLOT, offset, value, size);
}

static bool answers_port(struct bench *bench, struct pci_probe *probe, uint32_t port)
{
	unsigned before = probe->reads;

	(void)bench_in(&bench->pci, port, 1);
	return probe->reads != before;
}

static bool answers_address(struct bench *bench, struct pci_probe *probe, uint64_t address)
{
	unsigned before = probe->reads;

	(void)bench_load(&bench->pci, address, 4);
	return probe->reads != before;
}

/* --- identity --- */

static void its_identity_is_where_the_specification_says(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(get(&bench, PCI_VENDOR_ID, 4), 0x56781234);
	assert_int_equal(get(&bench, PCI_CLASS_REVISION, 4), 0x02030407);
	assert_int_equal(get(&bench, PCI_SUBSYSTEM_VENDOR_ID, 4), 0xdef09abc);
	assert_int_equal(get(&bench, PCI_HEADER_TYPE, 1), 0);
	stop(&bench);
}

static void what_is_read_only_stays(void **state UNUSED)
{
	static const uint32_t fixed[] = { PCI_VENDOR_ID,	   PCI_CLASS_REVISION,
					  PCI_SUBSYSTEM_VENDOR_ID, PCI_ROM_ADDRESS,
					  PCI_CAPABILITY_LIST,	   BAR2,
					  PCI_BASE_ADDRESS_5 };
	struct bench bench;

	start(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++) {
		uint32_t before = get(&bench, fixed[i], 4);

		set(&bench, fixed[i], ~before, 4);
		assert_int_equal(get(&bench, fixed[i], 4), before);
	}
	stop(&bench);
}

static void allowed_bits_change_byte_by_byte(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, PCI_INTERRUPT_LINE, 11, 1);
	set(&bench, PCI_CACHE_LINE_SIZE, 0x40, 1);
	assert_int_equal(get(&bench, PCI_INTERRUPT_LINE, 1), 11);
	assert_int_equal(get(&bench, PCI_CACHE_LINE_SIZE, 2), 0x40);
	set(&bench, PCI_COMMAND, 0xffff, 2);
	assert_int_equal(get(&bench, PCI_COMMAND, 2),
			 PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				 PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	stop(&bench);
}

static void bits_marked_so_are_cleared_by_writing_one(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.probe.function.clearable[PCI_STATUS + 1] = 0xf9;
	pci_config_set16(&bench.probe.function, PCI_STATUS, 0xf900);
	set(&bench, PCI_STATUS, 0x8000, 2);
	assert_int_equal(get(&bench, PCI_STATUS, 2), 0x7900);
	set(&bench, PCI_STATUS, 0, 2);
	assert_int_equal(get(&bench, PCI_STATUS, 2), 0x7900);
	stop(&bench);
}

static void capabilities_are_chained_in_order(void **state UNUSED)
{
	struct pci_probe probe;
	struct bench bench;
	uint32_t first, second;

	start(&bench);
	pci_probe_init(&probe, "probe");
	first = pci_function_add_capability(&probe.function, 0x11, 13);
	second = pci_function_add_capability(&probe.function, 0x09, 16);
	assert_int_equal(first, 0x40);
	assert_int_equal(second, 0x50);
	assert_int_equal(probe.function.state.config[PCI_CAPABILITY_LIST], first);
	assert_int_equal(probe.function.state.config[first], 0x11);
	assert_int_equal(probe.function.state.config[first + 1], second);
	assert_int_equal(probe.function.state.config[second + 1], 0);
	assert_true(pci_config_get16(&probe.function, PCI_STATUS) & PCI_STATUS_CAP_LIST);
	stop(&bench);
}

static void its_device_hears_of_reads_and_writes(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	(void)get(&bench, PCI_INTERRUPT_LINE, 1);
	set(&bench, PCI_INTERRUPT_LINE, 1, 1);
	assert_int_equal(bench.probe.config_reads, 1);
	assert_int_equal(bench.probe.config_writes, 1);
	assert_int_equal(bench.other.config_reads + bench.other.config_writes, 0);
	stop(&bench);
}

static void extended_space_reads_as_zero(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, 0x100, UINT32_MAX, 4);
	assert_int_equal(get(&bench, 0x100, 4), 0);
	assert_int_equal(get(&bench, 0xffc, 4), 0);
	assert_int_equal(get(&bench, 0xfe, 4), 0);
	assert_int_equal(bench.probe.config_writes, 0);
	stop(&bench);
}

/* --- BARs --- */

static void bars_are_placed_and_decoded_as_firmware_would(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(get(&bench, BAR0, 4), PORT_PCI_START | PCI_BASE_ADDRESS_SPACE_IO);
	assert_int_equal(get(&bench, BAR1, 4), PCI_MEM32_START);
	assert_int_equal(bench_config_read(&bench.pci, OTHER_SLOT, BAR0, 4),
			 (PORT_PCI_START + PROBE_IO_BYTES) | PCI_BASE_ADDRESS_SPACE_IO);
	assert_true(answers_port(&bench, &bench.probe, PORT_PCI_START + PROBE_IO_BYTES - 1));
	assert_true(answers_port(&bench, &bench.other, PORT_PCI_START + PROBE_IO_BYTES));
	assert_true(answers_address(&bench, &bench.probe, PCI_MEM32_START));
	assert_int_equal(bench.probe.offset, 0);
	stop(&bench);
}

static void a_bar_says_its_size_when_written_with_ones(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, PCI_COMMAND, 0, 2);
	set(&bench, BAR0, UINT32_MAX, 4);
	set(&bench, BAR1, UINT32_MAX, 4);
	assert_int_equal(get(&bench, BAR0, 4),
			 (uint32_t)-PROBE_IO_BYTES | PCI_BASE_ADDRESS_SPACE_IO);
	assert_int_equal(get(&bench, BAR1, 4), (uint32_t)-PROBE_MEMORY_BYTES);
	stop(&bench);
}

static void a_bar_follows_its_register(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, BAR0, 0xd000, 4);
	set(&bench, BAR1, 0xc1234000, 4);
	assert_true(answers_port(&bench, &bench.probe, 0xd000));
	assert_false(answers_port(&bench, &bench.probe, PORT_PCI_START));
	assert_true(answers_address(&bench, &bench.probe, 0xc1234ffc));
	assert_int_equal(bench.probe.offset, 0xffc);
	assert_false(answers_address(&bench, &bench.probe, PCI_MEM32_START));
	stop(&bench);
}

static void a_bar_written_byte_by_byte_ends_where_it_should(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, BAR1, 0x50, 1);
	set(&bench, BAR1 + 1, 0x60, 1);
	set(&bench, BAR1 + 2, 0x70, 1);
	set(&bench, BAR1 + 3, 0xc0, 1);
	assert_int_equal(get(&bench, BAR1, 4), 0xc0706000);
	assert_true(answers_address(&bench, &bench.probe, 0xc0706000));
	stop(&bench);
}

static void the_command_register_switches_decoding(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, PCI_COMMAND, PCI_COMMAND_IO, 2);
	assert_true(answers_port(&bench, &bench.probe, PORT_PCI_START));
	assert_false(answers_address(&bench, &bench.probe, PCI_MEM32_START));
	set(&bench, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_false(answers_port(&bench, &bench.probe, PORT_PCI_START));
	assert_true(answers_address(&bench, &bench.probe, PCI_MEM32_START));
	stop(&bench);
}

static void a_bar_at_0_is_not_decoded(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, BAR0, 0, 4);
	set(&bench, BAR1, 0, 4);
	assert_false(answers_port(&bench, &bench.probe, 0));
	assert_false(answers_address(&bench, &bench.probe, 0));
	assert_int_equal(get(&bench, BAR1, 4), 0);
	stop(&bench);
}

static void a_bar_beyond_the_last_port_is_not_decoded(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, BAR0, 0x1c000, 4);
	assert_false(answers_port(&bench, &bench.probe, 0xc000));
	assert_false(answers_port(&bench, &bench.probe, 0x1c000));
	set(&bench, BAR0, 0xfff0, 4);
	assert_true(answers_port(&bench, &bench.probe, 0xffff));
	stop(&bench);
}

static void a_bar_at_the_end_of_32_bits_is_decoded(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, BAR1, UINT32_MAX, 4);
	assert_true(answers_address(&bench, &bench.probe, 0xfffff000));
	stop(&bench);
}

static void a_bar_on_top_of_something_else_leaves_that_alone(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set(&bench, BAR0, PORT_PCI_CONFIG & ~(PROBE_IO_BYTES - 1), 4);
	set(&bench, BAR1, PCI_ECAM_AT, 4);
	assert_false(answers_port(&bench, &bench.probe, PORT_PCI_CONFIG));
	assert_int_equal(get(&bench, PCI_VENDOR_ID, 2), PROBE_VENDOR);
	assert_false(answers_port(&bench, &bench.probe, PORT_PCI_START));
	set(&bench, BAR1, PCI_MEM32_START, 4);
	assert_true(answers_address(&bench, &bench.probe, PCI_MEM32_START));
	stop(&bench);
}

/* As on a real bus, where nothing remembers who came first. */
static void a_bar_whose_place_becomes_free_is_decoded_there(void **state UNUSED)
{
	uint32_t its_place, others_place;
	struct bench bench;

	start(&bench);
	its_place = get(&bench, BAR1, 4);
	others_place = bench_config_read(&bench.pci, OTHER_SLOT, BAR1, 4);
	set(&bench, BAR1, others_place, 4);
	assert_true(answers_address(&bench, &bench.other, others_place));
	bench_config_write(&bench.pci, OTHER_SLOT, BAR1, its_place, 4);
	assert_true(answers_address(&bench, &bench.other, its_place));
	assert_true(answers_address(&bench, &bench.probe, others_place));
	stop(&bench);
}

static void swapped_bars_are_back_after_a_reset(void **state UNUSED)
{
	uint32_t its_place, others_place;
	struct bench bench;

	start(&bench);
	its_place = get(&bench, BAR1, 4);
	others_place = bench_config_read(&bench.pci, OTHER_SLOT, BAR1, 4);
	set(&bench, BAR1, 0xc8000000, 4);
	bench_config_write(&bench.pci, OTHER_SLOT, BAR1, its_place, 4);
	set(&bench, BAR1, others_place, 4);
	pci_function_reset(&bench.probe.function);
	pci_function_reset(&bench.other.function);
	assert_true(answers_address(&bench, &bench.probe, its_place));
	assert_true(answers_address(&bench, &bench.other, others_place));
	stop(&bench);
}

static void its_device_hears_where_its_bars_go(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(bench.probe.bar_changes, 2);
	set(&bench, BAR1, 0xc8000000, 4);
	assert_int_equal(bench.probe.bar_changes, 4);
	set(&bench, BAR1, 0xc8000000, 4);
	assert_int_equal(bench.probe.bar_changes, 4);
	set(&bench, PCI_COMMAND, 0, 2);
	assert_int_equal(bench.probe.bar_changes, 6);
	stop(&bench);
}

static void a_64_bit_bar_uses_two_registers(void **state UNUSED)
{
	struct pci_windows windows = { .io_start = 0xc000,
				       .io_end = 0x10000,
				       .mem32_start = PCI_MEM32_START,
				       .mem32_end = PCI_MEM32_END,
				       .mem64_start = UINT64_C(1) << 32,
				       .mem64_end = UINT64_C(1) << 36 };
	struct errmsg why = { 0 };
	struct pci_probe probe;
	struct bench bench;

	start(&bench);
	bench.pci.pci.free = windows;
	pci_probe_init(&probe, "wide");
	pci_probe_add_64bit_bar(&probe);
	pci_remove(&bench.probe.function);
	pci_remove(&bench.other.function);
	assert_int_equal(pci_add(&bench.pci.pci, SLOT, &probe.function, &why), 0);
	assert_int_equal(get(&bench, BAR2, 4), PCI_BASE_ADDRESS_MEM_TYPE_64);
	assert_int_equal(get(&bench, BAR2 + 4, 4), 2);
	assert_true(answers_address(&bench, &probe, UINT64_C(2) << 32));
	set(&bench, BAR2 + 4, 0x10, 4);
	assert_true(answers_address(&bench, &probe, UINT64_C(0x10) << 32));
	set(&bench, PCI_COMMAND, 0, 2);
	set(&bench, BAR2, UINT32_MAX, 4);
	set(&bench, BAR2 + 4, UINT32_MAX, 4);
	assert_int_equal(get(&bench, BAR2, 4), PCI_BASE_ADDRESS_MEM_TYPE_64);
	assert_int_equal(get(&bench, BAR2 + 4, 4), 0xfffffffe);
	pci_remove(&probe.function);
	stop(&bench);
}

/* --- reset --- */

static void a_reset_brings_back_what_firmware_left(void **state UNUSED)
{
	uint32_t before[PCI_CONFIG_BYTES / 4];
	struct bench bench;

	start(&bench);
	for (uint32_t i = 0; i < ARRAY_SIZE(before); i++)
		before[i] = get(&bench, 4 * i, 4);
	for (uint32_t i = 0; i < ARRAY_SIZE(before); i++)
		set(&bench, 4 * i, UINT32_MAX, 4);
	pci_function_reset(&bench.probe.function);
	for (uint32_t i = 0; i < ARRAY_SIZE(before); i++)
		assert_int_equal(get(&bench, 4 * i, 4), before[i]);
	assert_true(answers_port(&bench, &bench.probe, PORT_PCI_START));
	assert_true(answers_address(&bench, &bench.probe, PCI_MEM32_START));
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_identity_is_where_the_specification_says),
		cmocka_unit_test(what_is_read_only_stays),
		cmocka_unit_test(allowed_bits_change_byte_by_byte),
		cmocka_unit_test(bits_marked_so_are_cleared_by_writing_one),
		cmocka_unit_test(capabilities_are_chained_in_order),
		cmocka_unit_test(its_device_hears_of_reads_and_writes),
		cmocka_unit_test(extended_space_reads_as_zero),
		cmocka_unit_test(bars_are_placed_and_decoded_as_firmware_would),
		cmocka_unit_test(a_bar_says_its_size_when_written_with_ones),
		cmocka_unit_test(a_bar_follows_its_register),
		cmocka_unit_test(a_bar_written_byte_by_byte_ends_where_it_should),
		cmocka_unit_test(the_command_register_switches_decoding),
		cmocka_unit_test(a_bar_at_0_is_not_decoded),
		cmocka_unit_test(a_bar_beyond_the_last_port_is_not_decoded),
		cmocka_unit_test(a_bar_at_the_end_of_32_bits_is_decoded),
		cmocka_unit_test(a_bar_on_top_of_something_else_leaves_that_alone),
		cmocka_unit_test(a_bar_whose_place_becomes_free_is_decoded_there),
		cmocka_unit_test(swapped_bars_are_back_after_a_reset),
		cmocka_unit_test(its_device_hears_where_its_bars_go),
		cmocka_unit_test(a_64_bit_bar_uses_two_registers),
		cmocka_unit_test(a_reset_brings_back_what_firmware_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
