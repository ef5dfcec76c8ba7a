/*
 * The PCI bus: which slot answers, by ECAM and by ports.
 */
#include <errno.h>

#include "tests/support/cmocka.h"
#include "tests/support/pci_bench.h"
#include "tests/support/pci_probe.h"
#include "vmm/boot/layout.h"
#include "vmm/pci/host_bridge.h"

enum { SLOT = 31, MIB = 1 << 20, ADDRESS = 0xcf8, DATA = 0xcfc, RESET_CONTROL = 0xcf9 };

#define ENABLE 0x80000000u

struct bench {
	struct pci_bench pci;
	struct pci_probe probe;
};

static void start(struct bench *bench)
{
	struct errmsg why = { 0 };

	pci_bench_start(&bench->pci, MIB);
	pci_probe_init(&bench->probe, "probe");
	assert_int_equal(pci_add(&bench->pci.pci, SLOT, &bench->probe.function, &why), 0);
}

static void stop(struct bench *bench)
{
	pci_remove(&bench->probe.function);
	pci_bench_stop(&bench->pci);
}

static uint32_t select_register(uint32_t bus, uint32_t slot, uint32_t function, uint32_t reg)
{
	return ENABLE | bus << 16 | slot << 11 | function << 8 | reg;
}

static void ecam_reaches_the_function(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_VENDOR_ID, 2), PROBE_VENDOR);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_DEVICE_ID, 1),
			 PROBE_DEVICE & 0xff);
	bench_config_write(&bench.pci, SLOT, PCI_INTERRUPT_LINE, 9, 1);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_INTERRUPT_LINE, 1), 9);
	stop(&bench);
}

static void ecam_takes_eight_bytes_at_once(void **state UNUSED)
{
	uint64_t at = PCI_ECAM_AT + SLOT * 8 * PCI_ECAM_FUNCTION_BYTES;
	struct bench bench;

	start(&bench);
	assert_int_equal(bench_load(&bench.pci, at + PCI_BASE_ADDRESS_0, 8),
			 PCI_MEM32_START << 32 | PORT_PCI_START | PCI_BASE_ADDRESS_SPACE_IO);
	bench_store(&bench.pci, at + PCI_BASE_ADDRESS_0, UINT64_C(0xc80000000000d000), 8);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_BASE_ADDRESS_1, 4), 0xc8000000);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_BASE_ADDRESS_0, 4), 0xd001);
	stop(&bench);
}

static void empty_slots_and_functions_read_as_ones(void **state UNUSED)
{
	uint64_t at = PCI_ECAM_AT + SLOT * 8 * PCI_ECAM_FUNCTION_BYTES;
	struct bench bench;

	start(&bench);
	assert_int_equal(bench_config_read(&bench.pci, 0, PCI_VENDOR_ID, 4), UINT32_MAX);
	bench_config_write(&bench.pci, 0, PCI_COMMAND, 0xffff, 2);
	for (uint64_t function = 1; function < 8; function++)
		assert_int_equal(bench_load(&bench.pci, at + function * PCI_ECAM_FUNCTION_BYTES, 4),
				 UINT32_MAX);
	assert_int_equal(bench_load(&bench.pci, PCI_ECAM_AT, 8), UINT64_MAX);
	stop(&bench);
}

static void ports_reach_the_function(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench_out(&bench.pci, ADDRESS, select_register(0, SLOT, 0, PCI_VENDOR_ID), 4);
	assert_int_equal(bench_in(&bench.pci, ADDRESS, 4), select_register(0, SLOT, 0, 0));
	assert_int_equal(bench_in(&bench.pci, DATA, 4), PROBE_DEVICE << 16 | PROBE_VENDOR);
	assert_int_equal(bench_in(&bench.pci, DATA + 2, 2), PROBE_DEVICE);
	assert_int_equal(bench_in(&bench.pci, DATA + 1, 1), PROBE_VENDOR >> 8);
	bench_out(&bench.pci, ADDRESS, select_register(0, SLOT, 0, PCI_INTERRUPT_LINE), 4);
	bench_out(&bench.pci, DATA, 5, 1);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_INTERRUPT_LINE, 1), 5);
	stop(&bench);
}

static void ports_find_nobody_elsewhere(void **state UNUSED)
{
	static const uint32_t addresses[] = {
		ENABLE | 1 << 16 | SLOT << 11, /* another bus */
		ENABLE | 255 << 16 | SLOT << 11,
		ENABLE | SLOT << 11 | 1 << 8, /* another function */
		ENABLE,			      /* another slot */
		SLOT << 11,		      /* not enabled */
	};
	struct bench bench;

	start(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
		bench_out(&bench.pci, ADDRESS, addresses[i], 4);
		assert_int_equal(bench_in(&bench.pci, DATA, 4), UINT32_MAX);
		bench_out(&bench.pci, DATA, 0, 4);
	}
	assert_int_equal(bench.probe.config_writes, 0);
	stop(&bench);
}

static void the_address_port_takes_double_words_only(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench_out(&bench.pci, ADDRESS, UINT32_MAX, 4);
	assert_int_equal(bench_in(&bench.pci, ADDRESS, 4), 0x80fffffc);
	bench_out(&bench.pci, ADDRESS, 0, 1);
	bench_out(&bench.pci, ADDRESS + 2, 0, 2);
	assert_int_equal(bench_in(&bench.pci, ADDRESS, 4), 0x80fffffc);
	assert_int_equal(bench_in(&bench.pci, ADDRESS, 2), 0xffff);
	assert_int_equal(bench_in(&bench.pci, RESET_CONTROL, 1), 0xff);
	stop(&bench);
}

static uint8_t control_read(void *context)
{
	return *(uint8_t *)context;
}

static void control_write(void *context, uint8_t value)
{
	*(uint8_t *)context = value;
}

static void the_reset_control_lies_inside_the_address_port(void **state UNUSED)
{
	uint8_t control = 0x02;
	struct bench bench;

	start(&bench);
	bench.pci.pci.reset_control =
		(struct pci_reset_control){ control_read, control_write, &control };
	assert_int_equal(bench_in(&bench.pci, RESET_CONTROL, 1), 0x02);
	bench_out(&bench.pci, RESET_CONTROL, 0x06, 1);
	assert_int_equal(control, 0x06);
	bench_out(&bench.pci, RESET_CONTROL, 0xffff, 2);
	assert_int_equal(control, 0x06);
	bench_out(&bench.pci, ADDRESS, ENABLE | 0x0400, 4);
	assert_int_equal(control, 0x06);
	stop(&bench);
}

static void a_slot_takes_one_function(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct pci_probe second;
	struct bench bench;

	start(&bench);
	pci_probe_init(&second, "second");
	assert_int_equal(pci_add(&bench.pci.pci, SLOT, &second.function, &why), -EBUSY);
	assert_string_equal(why.text, "second: PCI slot 31 is taken");
	why = (struct errmsg){ 0 };
	assert_int_equal(pci_add(&bench.pci.pci, PCI_SLOT_MAX, &second.function, &why), -EBUSY);
	pci_remove(&second.function);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_VENDOR_ID, 2), PROBE_VENDOR);
	stop(&bench);
}

static void a_removed_function_is_gone_with_its_bars(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	pci_remove(&bench.probe.function);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_VENDOR_ID, 4), UINT32_MAX);
	(void)bench_in(&bench.pci, PORT_PCI_START, 1);
	assert_int_equal(bench.probe.reads, 0);
	stop(&bench);
}

static void a_full_window_is_said(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct pci_probe second;
	struct bench bench;

	start(&bench);
	pci_probe_init(&second, "second");
	bench.pci.pci.free.mem32_start = PCI_MEM32_END - PROBE_MEMORY_BYTES + 1;
	assert_int_equal(pci_add(&bench.pci.pci, 1, &second.function, &why), -ENOSPC);
	assert_string_equal(why.text, "second: no room for its BAR 1");
	why = (struct errmsg){ 0 };
	bench.pci.pci.free.io_start = UINT64_MAX - 1;
	assert_int_equal(pci_add(&bench.pci.pci, 1, &second.function, &why), -ENOSPC);
	assert_string_equal(why.text, "second: no room for its BAR 0");
	assert_int_equal(bench_config_read(&bench.pci, 1, PCI_VENDOR_ID, 4), UINT32_MAX);
	stop(&bench);
}

static void the_last_place_of_a_window_is_used(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct pci_probe second;
	struct bench bench;

	start(&bench);
	pci_probe_init(&second, "second");
	bench.pci.pci.free.mem32_start = PCI_MEM32_END - PROBE_MEMORY_BYTES - 7;
	assert_int_equal(pci_add(&bench.pci.pci, 1, &second.function, &why), 0);
	assert_int_equal(bench_config_read(&bench.pci, 1, PCI_BASE_ADDRESS_1, 4),
			 PCI_MEM32_END - PROBE_MEMORY_BYTES);
	pci_remove(&second.function);
	stop(&bench);
}

static void a_wired_function_says_its_pin_and_line(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct irq_probe wire = { 0 };
	struct pci_probe wired;
	struct bench bench;

	start(&bench);
	pci_probe_init(&wired, "wired");
	wired.function.intx = irq_probe_line(&wire, 19);
	assert_int_equal(pci_add(&bench.pci.pci, 1, &wired.function, &why), 0);
	assert_int_equal(bench_config_read(&bench.pci, 1, PCI_INTERRUPT_PIN, 1), 1);
	assert_int_equal(bench_config_read(&bench.pci, 1, PCI_INTERRUPT_LINE, 1), 19);
	assert_int_equal(bench_config_read(&bench.pci, SLOT, PCI_INTERRUPT_PIN, 1), 0);
	pci_remove(&wired.function);
	stop(&bench);
}

static void the_host_bridge_is_a_bridge(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct pci_function bridge;
	struct bench bench;

	start(&bench);
	host_bridge_init(&bridge);
	assert_int_equal(pci_add(&bench.pci.pci, 0, &bridge, &why), 0);
	assert_int_equal(bench_config_read(&bench.pci, 0, PCI_CLASS_REVISION, 4), 0x06000000);
	assert_int_equal(bench_config_read(&bench.pci, 0, PCI_VENDOR_ID, 4), 0x29c08086);
	bench_config_write(&bench.pci, 0, PCI_BASE_ADDRESS_0, UINT32_MAX, 4);
	assert_int_equal(bench_config_read(&bench.pci, 0, PCI_BASE_ADDRESS_0, 4), 0);
	pci_function_reset(&bridge);
	pci_remove(&bridge);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ecam_reaches_the_function),
		cmocka_unit_test(ecam_takes_eight_bytes_at_once),
		cmocka_unit_test(empty_slots_and_functions_read_as_ones),
		cmocka_unit_test(ports_reach_the_function),
		cmocka_unit_test(ports_find_nobody_elsewhere),
		cmocka_unit_test(the_address_port_takes_double_words_only),
		cmocka_unit_test(the_reset_control_lies_inside_the_address_port),
		cmocka_unit_test(a_slot_takes_one_function),
		cmocka_unit_test(a_removed_function_is_gone_with_its_bars),
		cmocka_unit_test(a_full_window_is_said),
		cmocka_unit_test(the_last_place_of_a_window_is_used),
		cmocka_unit_test(a_wired_function_says_its_pin_and_line),
		cmocka_unit_test(the_host_bridge_is_a_bridge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
