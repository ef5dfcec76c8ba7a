/*
 * ACPI's tables, any bytes. The first byte chooses the kind; the seeds are an emulated server's own tables. What must
 * hold: nothing outside the table is read, and what was found keeps the bounds that its users rely on.
 */
#include <string.h>

#include "kernel/acpi/tables.h"
#include "tests/support/fuzz_script.h"

enum kind { RSDP, RSDT, XSDT, MADT, MCFG, FADT, HPET, DSDT, KINDS };

static void try_rsdp(const uint8_t *bytes, size_t size)
{
	struct rsdp rsdp = { 0 };

	if (!rsdp_parse(bytes, size, &rsdp))
		fuzz_claim(rsdp.root);
	if (!rsdp_search(bytes, size, &rsdp))
		fuzz_claim(rsdp.root);
}

static void try_root(const struct acpi_table *table, bool is_xsdt)
{
	for (uint32_t i = 0; i < sdt_root_count(table, is_xsdt); i++)
		(void)sdt_root_entry(table, is_xsdt, i);
}

static void try_madt(const struct acpi_table *table)
{
	static struct madt madt;

	if (madt_parse(table, &madt))
		return;
	fuzz_claim(madt.nr_cpus <= ACPI_CPUS_MAX && madt.nr_ioapics <= ACPI_IOAPICS_MAX);
	fuzz_claim(madt.nr_overrides <= ACPI_OVERRIDES_MAX);
	for (uint32_t i = 1; i < madt.nr_cpus; i++)
		fuzz_claim(madt.apic_ids[i] != madt.apic_ids[0]);
}

static void try_mcfg(const struct acpi_table *table)
{
	struct mcfg mcfg;

	if (mcfg_parse(table, &mcfg))
		return;
	fuzz_claim(mcfg.nr_segments <= ACPI_SEGMENTS_MAX);
	for (uint32_t i = 0; i < mcfg.nr_segments; i++)
		fuzz_claim(mcfg.segments[i].first_bus <= mcfg.segments[i].last_bus);
}

static void try_fadt(const struct acpi_table *table)
{
	struct fadt fadt;

	if (fadt_parse(table, &fadt))
		return;
	fuzz_claim(fadt.pm_timer.space != ACPI_PORT || fadt.pm_timer.address <= UINT16_MAX);
	fuzz_claim(fadt.reset.space != ACPI_PORT || fadt.reset.address <= UINT16_MAX);
	fuzz_claim(fadt.smi_port <= UINT16_MAX);
}

static void try_table(enum kind kind, const struct acpi_table *table)
{
	struct hpet hpet;
	struct s5 s5;

	if (kind == RSDT || kind == XSDT)
		try_root(table, kind == XSDT);
	else if (kind == MADT)
		try_madt(table);
	else if (kind == MCFG)
		try_mcfg(table);
	else if (kind == FADT)
		try_fadt(table);
	else if (kind == HPET && !hpet_parse(table, &hpet))
		fuzz_claim(hpet.address % 1024 == 0);
	else if (kind == DSDT && !s5_find(table, &s5))
		fuzz_claim(s5.type_a <= 7 && s5.type_b <= 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct acpi_table table;
	uint8_t *copy;

	if (!size)
		return 0;
	copy = malloc(size - 1); /* of its own size: what is read beside it is found */
	memcpy(copy, bytes + 1, size - 1);
	table = (struct acpi_table){ copy, (uint32_t)size - 1 };
	if (bytes[0] % KINDS == RSDP)
		try_rsdp(copy, size - 1);
	else if (size > SDT_HEADER_BYTES)
		try_table(bytes[0] % KINDS, &table);
	if (!sdt_check(copy, size - 1, "APIC", &table))
		fuzz_claim(table.size_bytes < size);
	free(copy);
	return 0;
}
