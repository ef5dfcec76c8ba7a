/*
 * The ACPI tables, found and checked as an operating system does it: from the root pointer down.
 */
#include <errno.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "vmm/boot/acpi.h"
#include "vmm/boot/layout.h"
#include "vmm/platform/ioapic.h"
#include "vmm/platform/pm.h"
#include "vmm/platform/reset.h"

enum {
	MIB = 1 << 20,
	HEADER_BYTES = 36,
	RSDP_BYTES = 36,
	RSDP_V1_BYTES = 20,

	/* offsets in the tables; ACPI 6.4, 5.2 */
	RSDP_REVISION = 15,
	RSDP_LENGTH = 20,
	RSDP_XSDT = 24,
	HEADER_LENGTH = 4,
	HEADER_REVISION = 8,
	FADT_FIRMWARE_CTRL = 36,
	FADT_DSDT = 40,
	FADT_SCI_INT = 46,
	FADT_SMI_CMD = 48,
	FADT_PM1A_EVT = 56,
	FADT_PM1A_CNT = 64,
	FADT_PM_TMR = 76,
	FADT_GPE0 = 80,
	FADT_PM1_EVT_LEN = 88,
	FADT_PM_TMR_LEN = 91,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_EVT = 148,
	FADT_BYTES = 276,
	MADT_LOCAL_APIC = 36,
	MADT_ENTRIES = 44,
	MCFG_BASE = 44,
	MCFG_SEGMENT = 52,
	MCFG_START_BUS = 54,
	MCFG_END_BUS = 55,
};

struct bench {
	struct guest_memory memory;
	uint64_t rsdp, xsdt;
};

/* --- reading tables --- */

static const uint8_t *at(struct bench *bench, uint64_t address, uint64_t bytes)
{
	const uint8_t *found = memory_at(&bench->memory, gpa(address), bytes);

	assert_non_null(found);
	assert_true(address >= ACPI_AT && address + bytes <= ACPI_END);
	return found;
}

static uint64_t number(struct bench *bench, uint64_t address, uint32_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at(bench, address, bytes), bytes);
	return value;
}

static void assert_sums_to_zero(struct bench *bench, uint64_t address, uint64_t bytes)
{
	const uint8_t *table = at(bench, address, bytes);
	uint8_t sum = 0;

	for (uint64_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + table[i]);
	assert_int_equal(sum, 0);
}

/* The length of the table at @address, once it has proven to be @signature. */
static uint64_t check_table(struct bench *bench, uint64_t address, const char *signature)
{
	uint64_t bytes = number(bench, address + HEADER_LENGTH, 4);

	assert_memory_equal(at(bench, address, 4), signature, 4);
	assert_true(bytes >= HEADER_BYTES);
	assert_sums_to_zero(bench, address, bytes);
	return bytes;
}

static uint64_t find_table(struct bench *bench, const char *signature)
{
	uint64_t bytes = check_table(bench, bench->xsdt, "XSDT");

	for (uint64_t offset = HEADER_BYTES; offset < bytes; offset += 8) {
		uint64_t table = number(bench, bench->xsdt + offset, 8);

		if (!memcmp(at(bench, table, 4), signature, 4)) {
			check_table(bench, table, signature);
			return table;
		}
	}
	fail_msg("no %s", signature);
	return 0;
}

static void start(struct bench *bench, uint32_t cpus)
{
	struct errmsg why = { 0 };

	assert_int_equal(memory_create(2 * MIB, &bench->memory, &why), 0);
	assert_int_equal(acpi_build(&bench->memory, cpus, &bench->rsdp, &why), 0);
	bench->xsdt = number(bench, bench->rsdp + RSDP_XSDT, 8);
}

static void stop(struct bench *bench)
{
	memory_destroy(&bench->memory);
}

/* The value and the number of the MADT's entries of @type. */
static uint32_t count_madt_entries(struct bench *bench, uint8_t type)
{
	uint64_t madt = find_table(bench, "APIC");
	uint64_t bytes = number(bench, madt + HEADER_LENGTH, 4);
	uint64_t offset = MADT_ENTRIES;
	uint32_t count = 0;

	while (offset < bytes) {
		uint64_t length = number(bench, madt + offset + 1, 1);

		assert_true(length >= 2);
		count += number(bench, madt + offset, 1) == type;
		offset += length;
	}
	assert_int_equal(offset, bytes);
	return count;
}

/* The @nth entry of @type. */
static uint64_t madt_entry(struct bench *bench, uint8_t type, uint32_t nth)
{
	uint64_t madt = find_table(bench, "APIC");
	uint64_t bytes = number(bench, madt + HEADER_LENGTH, 4);

	for (uint64_t offset = MADT_ENTRIES; offset < bytes;
	     offset += number(bench, madt + offset + 1, 1))
		if (number(bench, madt + offset, 1) == type && !nth--)
			return madt + offset;
	fail();
	return 0;
}

/* --- the tests --- */

static void the_root_pointer_is_where_systems_look(void **state UNUSED)
{
	struct bench bench;

	start(&bench, 1);
	assert_int_equal(bench.rsdp % 16, 0);
	assert_memory_equal(at(&bench, bench.rsdp, 8), "RSD PTR ", 8);
	assert_int_equal(number(&bench, bench.rsdp + RSDP_REVISION, 1), 2);
	assert_int_equal(number(&bench, bench.rsdp + RSDP_LENGTH, 4), RSDP_BYTES);
	assert_sums_to_zero(&bench, bench.rsdp, RSDP_V1_BYTES);
	assert_sums_to_zero(&bench, bench.rsdp, RSDP_BYTES);
	stop(&bench);
}

static void every_table_can_be_reached_and_adds_up(void **state UNUSED)
{
	struct bench bench;
	uint64_t fadt;

	start(&bench, 4);
	fadt = find_table(&bench, "FACP");
	find_table(&bench, "APIC");
	find_table(&bench, "MCFG");
	check_table(&bench, number(&bench, fadt + FADT_X_DSDT, 8), "DSDT");
	stop(&bench);
}

static void tables_do_not_overlap(void **state UNUSED)
{
	struct {
		uint64_t start, end;
	} places[6];
	struct bench bench;
	uint64_t fadt;

	start(&bench, 64);
	fadt = find_table(&bench, "FACP");
	places[0].start = bench.rsdp;
	places[1].start = bench.xsdt;
	places[2].start = fadt;
	places[3].start = find_table(&bench, "APIC");
	places[4].start = find_table(&bench, "MCFG");
	places[5].start = number(&bench, fadt + FADT_X_DSDT, 8);
	places[0].end = bench.rsdp + RSDP_BYTES;
	for (unsigned i = 1; i < ARRAY_SIZE(places); i++)
		places[i].end =
			places[i].start + number(&bench, places[i].start + HEADER_LENGTH, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
		for (unsigned j = 0; j < i; j++)
			assert_true(places[i].end <= places[j].start ||
				    places[j].end <= places[i].start);
	stop(&bench);
}

static void the_fadt_names_the_power_management_registers(void **state UNUSED)
{
	struct bench bench;
	uint64_t fadt;

	start(&bench, 1);
	fadt = find_table(&bench, "FACP");
	assert_int_equal(number(&bench, fadt + HEADER_LENGTH, 4), FADT_BYTES);
	assert_int_equal(number(&bench, fadt + HEADER_REVISION, 1), 6);
	assert_int_equal(number(&bench, fadt + FADT_SCI_INT, 2), PM_SCI_GSI);
	assert_int_equal(number(&bench, fadt + FADT_SMI_CMD, 4), 0);
	assert_int_equal(number(&bench, fadt + FADT_PM1A_EVT, 4), PM_PORT + PM_EVENT_OFFSET);
	assert_int_equal(number(&bench, fadt + FADT_PM1A_CNT, 4), PM_PORT + PM_CONTROL_OFFSET);
	assert_int_equal(number(&bench, fadt + FADT_PM_TMR, 4), PM_PORT + PM_TIMER_OFFSET);
	assert_int_equal(number(&bench, fadt + FADT_GPE0, 4), PM_PORT + PM_GPE_OFFSET);
	assert_int_equal(number(&bench, fadt + FADT_PM1_EVT_LEN, 1), 4);
	assert_int_equal(number(&bench, fadt + FADT_PM_TMR_LEN, 1), 4);
	assert_int_equal(number(&bench, fadt + FADT_X_PM1A_EVT, 1), 1);
	assert_int_equal(number(&bench, fadt + FADT_X_PM1A_EVT + 4, 8), PM_PORT + PM_EVENT_OFFSET);
	stop(&bench);
}

static void the_fadt_says_how_to_reset(void **state UNUSED)
{
	struct bench bench;
	uint64_t fadt;

	start(&bench, 1);
	fadt = find_table(&bench, "FACP");
	assert_true(number(&bench, fadt + FADT_FLAGS, 4) & 1 << 10);
	assert_int_equal(number(&bench, fadt + FADT_RESET_REG, 4), 0x01000801);
	assert_int_equal(number(&bench, fadt + FADT_RESET_REG + 4, 8), RESET_CONTROL_PORT);
	assert_int_equal(number(&bench, fadt + FADT_RESET_VALUE, 1), 0x06);
	stop(&bench);
}

static void the_power_button_is_a_fixed_feature(void **state UNUSED)
{
	struct bench bench;

	start(&bench, 1);
	assert_false(number(&bench, find_table(&bench, "FACP") + FADT_FLAGS, 4) & 1 << 4);
	stop(&bench);
}

static void the_facs_is_aligned_and_has_its_length(void **state UNUSED)
{
	struct bench bench;
	uint64_t facs;

	start(&bench, 1);
	facs = number(&bench, find_table(&bench, "FACP") + FADT_FIRMWARE_CTRL, 4);
	assert_int_equal(facs % 64, 0);
	assert_memory_equal(at(&bench, facs, 64), "FACS", 4);
	assert_int_equal(number(&bench, facs + HEADER_LENGTH, 4), 64);
	stop(&bench);
}

static void both_pointers_to_the_dsdt_agree(void **state UNUSED)
{
	struct bench bench;
	uint64_t fadt;

	start(&bench, 1);
	fadt = find_table(&bench, "FACP");
	assert_int_equal(number(&bench, fadt + FADT_DSDT, 4),
			 number(&bench, fadt + FADT_X_DSDT, 8));
	stop(&bench);
}

static void each_processor_has_an_entry(void **state UNUSED)
{
	static const uint32_t counts[] = { 1, 2, 4, 63, 64 };
	struct bench bench;

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		start(&bench, counts[i]);
		assert_int_equal(number(&bench, find_table(&bench, "APIC") + MADT_LOCAL_APIC, 4),
				 LOCAL_APIC_AT);
		assert_int_equal(count_madt_entries(&bench, 0), counts[i]);
		for (uint32_t cpu = 0; cpu < counts[i]; cpu++) {
			uint64_t entry = madt_entry(&bench, 0, cpu);

			assert_int_equal(number(&bench, entry + 2, 1), cpu);
			assert_int_equal(number(&bench, entry + 3, 1), cpu);
			assert_int_equal(number(&bench, entry + 4, 4), 1);
		}
		stop(&bench);
	}
}

static void the_io_apic_and_its_overrides_are_described(void **state UNUSED)
{
	struct bench bench;
	uint64_t entry;

	start(&bench, 1);
	assert_int_equal(count_madt_entries(&bench, 1), 1);
	entry = madt_entry(&bench, 1, 0);
	assert_int_equal(number(&bench, entry + 4, 4), IOAPIC_BASE);
	assert_int_equal(number(&bench, entry + 8, 4), 0);
	assert_int_equal(count_madt_entries(&bench, 2), 2);
	entry = madt_entry(&bench, 2, 0); /* the PIT: line 0 arrives at pin 2 */
	assert_int_equal(number(&bench, entry + 3, 1), 0);
	assert_int_equal(number(&bench, entry + 4, 4), 2);
	entry = madt_entry(&bench, 2, 1); /* the SCI: level, active high */
	assert_int_equal(number(&bench, entry + 3, 1), PM_SCI_GSI);
	assert_int_equal(number(&bench, entry + 8, 2), 0x000d);
	stop(&bench);
}

static void the_mcfg_says_where_configuration_space_is(void **state UNUSED)
{
	struct bench bench;
	uint64_t mcfg;

	start(&bench, 1);
	mcfg = find_table(&bench, "MCFG");
	assert_int_equal(number(&bench, mcfg + MCFG_BASE, 8), PCI_ECAM_AT);
	assert_int_equal(number(&bench, mcfg + MCFG_SEGMENT, 2), 0);
	assert_int_equal(number(&bench, mcfg + MCFG_START_BUS, 1), 0);
	assert_int_equal(number(&bench, mcfg + MCFG_END_BUS, 1), PCI_BUSES - 1);
	stop(&bench);
}

static void memory_without_the_place_for_tables_is_an_error(void **state UNUSED)
{
	struct guest_memory none = { 0 };
	struct errmsg why = { 0 };
	uint64_t rsdp = 7;

	assert_int_equal(acpi_build(&none, 1, &rsdp, &why), -EFAULT);
	assert_string_equal(why.text, "the ACPI tables don't fit below 1 MiB");
	assert_int_equal(rsdp, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_pointer_is_where_systems_look),
		cmocka_unit_test(every_table_can_be_reached_and_adds_up),
		cmocka_unit_test(tables_do_not_overlap),
		cmocka_unit_test(the_fadt_names_the_power_management_registers),
		cmocka_unit_test(the_fadt_says_how_to_reset),
		cmocka_unit_test(the_power_button_is_a_fixed_feature),
		cmocka_unit_test(the_facs_is_aligned_and_has_its_length),
		cmocka_unit_test(both_pointers_to_the_dsdt_agree),
		cmocka_unit_test(each_processor_has_an_entry),
		cmocka_unit_test(the_io_apic_and_its_overrides_are_described),
		cmocka_unit_test(the_mcfg_says_where_configuration_space_is),
		cmocka_unit_test(memory_without_the_place_for_tables_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
