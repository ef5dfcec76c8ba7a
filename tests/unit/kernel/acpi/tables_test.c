/*
 * ACPI's tables: those of an emulated server with three CPUs, and broken ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/acpi/tables.h"
#include "tests/support/cmocka.h"

enum { SEED_BYTES_MAX = 1 << 16 };

static uint8_t seed[SEED_BYTES_MAX];

/* A table as QEMU made it; the fuzzer's seeds have a byte in front. */
static size_t load(const char *name)
{
	char path[128];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/acpi/qemu-%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_not_equal(fgetc(file), EOF);
	size = fread(seed, 1, sizeof(seed), file);
	fclose(file);
	return size;
}

static struct acpi_table load_table(const char *name, const char signature[4])
{
	struct acpi_table table;
	size_t size = load(name);

	assert_int_equal(sdt_check(seed, size, signature, &table), 0);
	return table;
}

static void fix_checksum(uint8_t *data, size_t size, size_t at)
{
	uint8_t sum = 0;

	data[at] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + data[i]);
	data[at] = (uint8_t)-sum;
}

static void the_root_pointer_leads_to_the_root_table(void **state UNUSED)
{
	struct rsdp rsdp;
	size_t size = load("rsdp");

	assert_int_equal(rsdp_parse(seed, size, &rsdp), 0);
	assert_false(rsdp.is_xsdt);
	assert_int_not_equal(rsdp.root, 0);
}

static void a_root_pointer_is_found_at_a_16th_byte_only(void **state UNUSED)
{
	static uint8_t area[256];
	struct rsdp rsdp;
	size_t size = load("rsdp");

	memset(area, 0, sizeof(area));
	memcpy(area + 40, seed, size);
	assert_int_equal(rsdp_search(area, sizeof(area), &rsdp), -ENOENT);
	memcpy(area + 224, seed, size);
	assert_int_equal(rsdp_search(area, sizeof(area), &rsdp), 0);
}

static void a_new_root_pointer_prefers_the_wide_table(void **state UNUSED)
{
	uint8_t data[RSDP_BYTES] = "RSD PTR ";
	struct rsdp rsdp;

	data[15] = 2;
	data[16] = 0x10;
	data[20] = RSDP_BYTES;
	data[24] = 0x20;
	fix_checksum(data, RSDP_OLD_BYTES, 8);
	fix_checksum(data, RSDP_BYTES, 32);
	assert_int_equal(rsdp_parse(data, sizeof(data), &rsdp), 0);
	assert_true(rsdp.is_xsdt);
	assert_int_equal(rsdp.root, 0x20);
	data[33]++; /* the second checksum is wrong now: the first part is still good */
	assert_int_equal(rsdp_parse(data, sizeof(data), &rsdp), 0);
	assert_false(rsdp.is_xsdt);
	assert_int_equal(rsdp.root, 0x10);
}

static void a_changed_byte_is_noticed(void **state UNUSED)
{
	struct acpi_table table;
	size_t size = load("apic");

	seed[50] ^= 1;
	assert_int_equal(sdt_check(seed, size, "APIC", &table), -EBADMSG);
}

static void a_length_beyond_the_data_is_refused(void **state UNUSED)
{
	struct acpi_table table;
	size_t size = load("apic");

	assert_int_equal(sdt_check(seed, size - 1, "APIC", &table), -EINVAL);
	assert_int_equal(sdt_check(seed, 8, "APIC", &table), -EINVAL);
	assert_int_equal(sdt_check(seed, size, "FACP", &table), -ENOENT);
}

static void the_root_table_lists_addresses(void **state UNUSED)
{
	struct acpi_table table = load_table("rsdt", "RSDT");

	assert_int_equal(sdt_root_count(&table, false), 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_not_equal(sdt_root_entry(&table, false, i), 0);
}

static void processors_and_controllers_are_found(void **state UNUSED)
{
	struct acpi_table table = load_table("apic", "APIC");
	struct madt madt;

	assert_int_equal(madt_parse(&table, &madt), 0);
	assert_int_equal(madt.nr_cpus, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(madt.apic_ids[i], i);
	assert_int_equal(madt.nr_ioapics, 1);
	assert_int_equal(madt.ioapics[0].address, 0xfec00000);
	assert_int_equal(madt.ioapics[0].gsi_base, 0);
	assert_int_equal(madt.nr_overrides, 5);
	assert_int_equal(madt.overrides[0].irq, 0);
	assert_int_equal(madt.overrides[0].gsi, 2);
}

static void large_apic_ids_come_from_their_own_entries(void **state UNUSED)
{
	uint8_t data[44 + 16 + 16 + 8] = { 0 };
	struct acpi_table table = { data, sizeof(data) };
	struct madt madt;

	memcpy(data + 44, (uint8_t[]){ 9, 16, 0, 0, 0x34, 0x12, 0, 0, 1 }, 9);
	memcpy(data + 60, (uint8_t[]){ 9, 16, 0, 0, 0x35, 0x12, 0, 0, 0 }, 9); /* not enabled */
	memcpy(data + 76, (uint8_t[]){ 0, 8, 0, 7, 1 }, 5);
	assert_int_equal(madt_parse(&table, &madt), 0);
	assert_int_equal(madt.nr_cpus, 2);
	assert_int_equal(madt.apic_ids[0], 0x1234);
	assert_int_equal(madt.apic_ids[1], 7);
}

static void an_entry_of_no_length_ends_the_walk(void **state UNUSED)
{
	uint8_t data[44 + 8 + 8] = { 0 };
	struct acpi_table table = { data, sizeof(data) };
	struct madt madt;

	memcpy(data + 44, (uint8_t[]){ 0, 8, 0, 7, 1 }, 5);
	assert_int_equal(madt_parse(&table, &madt), 0);
	assert_int_equal(madt.nr_cpus, 1);
}

static void configuration_space_is_found(void **state UNUSED)
{
	struct acpi_table table = load_table("mcfg", "MCFG");
	struct mcfg mcfg;

	assert_int_equal(mcfg_parse(&table, &mcfg), 0);
	assert_int_equal(mcfg.nr_segments, 1);
	assert_int_equal(mcfg.segments[0].base, 0xb0000000);
	assert_int_equal(mcfg.segments[0].first_bus, 0);
	assert_int_equal(mcfg.segments[0].last_bus, 255);
}

static void power_registers_are_found(void **state UNUSED)
{
	struct acpi_table table = load_table("facp", "FACP");
	struct fadt fadt;

	assert_int_equal(fadt_parse(&table, &fadt), 0);
	assert_int_equal(fadt.pm1a_control.space, ACPI_PORT);
	assert_int_equal(fadt.pm1a_control.address, 0x604);
	assert_int_equal(fadt.pm1b_control.space, ACPI_NOWHERE);
	assert_int_equal(fadt.pm_timer.address, 0x608);
	assert_int_equal(fadt.reset.address, 0xcf9);
	assert_int_equal(fadt.century_register, 0x32);
	assert_int_not_equal(fadt.dsdt, 0);
}

static void the_timer_is_found(void **state UNUSED)
{
	struct acpi_table table = load_table("hpet", "HPET");
	struct hpet hpet;

	assert_int_equal(hpet_parse(&table, &hpet), 0);
	assert_int_equal(hpet.address, 0xfed00000);
}

static void the_word_for_off_is_found(void **state UNUSED)
{
	struct acpi_table table = load_table("dsdt", "DSDT");
	struct s5 s5 = { 9, 9 };

	assert_int_equal(s5_find(&table, &s5), 0);
	assert_int_equal(s5.type_a, 0);
	assert_int_equal(s5.type_b, 0);
}

/* @aml behind a header; no checksum is asked for here. */
static int find_s5_in(const uint8_t *aml, size_t size, struct s5 *out)
{
	uint8_t *data = malloc(SDT_HEADER_BYTES + size);
	struct acpi_table table = { data, (uint32_t)(SDT_HEADER_BYTES + size) };
	int err;

	memset(data, 0, SDT_HEADER_BYTES);
	memcpy(data + SDT_HEADER_BYTES, aml, size);
	err = s5_find(&table, out);
	free(data);
	return err;
}

static void constants_of_every_form_are_read(void **state UNUSED)
{
	const uint8_t with_root[] = { 8, '\\', '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 5, 1, 0, 0 };
	const uint8_t long_length[] = { 8, '_', 'S', '5', '_', 0x12, 0x46, 0, 2, 0x0a, 7, 0x0a, 3 };
	struct s5 s5;

	assert_int_equal(find_s5_in(with_root, sizeof(with_root), &s5), 0);
	assert_int_equal(s5.type_a, 5);
	assert_int_equal(s5.type_b, 1);
	assert_int_equal(find_s5_in(long_length, sizeof(long_length), &s5), 0);
	assert_int_equal(s5.type_a, 7);
	assert_int_equal(s5.type_b, 3);
}

static void what_is_not_constant_is_not_guessed(void **state UNUSED)
{
	const uint8_t named[] = { 8, '_', 'S', '5', '_', 0x12, 6, 2, 'A', 'B', 'C', 'D', 0 };
	const uint8_t cut_off[] = { 8, '_', 'S', '5', '_', 0x12, 6, 2, 0x0a };
	const uint8_t only_used[] = { 0x70, '_', 'S', '5', '_', 0x12, 6, 2, 0, 0 };
	struct s5 s5;

	assert_int_equal(find_s5_in(named, sizeof(named), &s5), -ENOENT);
	assert_int_equal(find_s5_in(cut_off, sizeof(cut_off), &s5), -ENOENT);
	assert_int_equal(find_s5_in(only_used, sizeof(only_used), &s5), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_pointer_leads_to_the_root_table),
		cmocka_unit_test(a_root_pointer_is_found_at_a_16th_byte_only),
		cmocka_unit_test(a_new_root_pointer_prefers_the_wide_table),
		cmocka_unit_test(a_changed_byte_is_noticed),
		cmocka_unit_test(a_length_beyond_the_data_is_refused),
		cmocka_unit_test(the_root_table_lists_addresses),
		cmocka_unit_test(processors_and_controllers_are_found),
		cmocka_unit_test(large_apic_ids_come_from_their_own_entries),
		cmocka_unit_test(an_entry_of_no_length_ends_the_walk),
		cmocka_unit_test(configuration_space_is_found),
		cmocka_unit_test(power_registers_are_found),
		cmocka_unit_test(the_timer_is_found),
		cmocka_unit_test(the_word_for_off_is_found),
		cmocka_unit_test(constants_of_every_form_are_read),
		cmocka_unit_test(what_is_not_constant_is_not_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
