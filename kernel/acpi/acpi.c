/*
 * Finding the firmware's tables, and mapping them while they are read: see acpi.h.
 *
 * Everything that is needed later is copied out at boot; nothing stays mapped.
 */
#include <string.h>

#include "kernel/acpi/acpi.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/dev/print.h"
#include "kernel/mem/kspace.h"

/* 5.2.5.1 "Finding the RSDP on IA-PC Systems" */
#define BIOS_AREA_START UINT64_C(0xe0000)
#define BIOS_AREA_END	UINT64_C(0x100000)

struct acpi acpi;

static int look_at(uint64_t start, uint64_t size, struct rsdp *out)
{
	const void *area = kspace_map(hpa(start), size, 0);
	int err;

	if (!area)
		return -ENOMEM;
	err = rsdp_search(area, size, out);
	kspace_unmap(area, size);
	return err;
}

/* The loader's word first; the search works on BIOS machines only. */
static int find_rsdp(struct rsdp *out)
{
	if (bootinfo.has_rsdp_copy && !rsdp_parse(bootinfo.rsdp_copy, RSDP_BYTES, out))
		return 0;
	if (bootinfo.rsdp && !look_at(bootinfo.rsdp, RSDP_BYTES, out))
		return 0;
	return look_at(BIOS_AREA_START, BIOS_AREA_END - BIOS_AREA_START, out);
}

/* Maps a table of any kind, whole. Undone by unmap_table(). */
static const void *map_table(uint64_t address, uint32_t *size)
{
	const void *header;

	if (!address || range_wraps(address, SDT_BYTES_MAX))
		return NULL;
	header = kspace_map(hpa(address), SDT_HEADER_BYTES, 0);
	if (!header)
		return NULL;
	*size = sdt_size(header);
	kspace_unmap(header, SDT_HEADER_BYTES);
	return *size ? kspace_map(hpa(address), *size, 0) : NULL;
}

/* Takes from @table what the kernel wants of those with @signature. */
static int read_known(const char *signature, const struct acpi_table *table)
{
	int err;

	if (!strcmp(signature, "APIC"))
		return madt_parse(table, &acpi.madt);
	if (!strcmp(signature, "MCFG"))
		return mcfg_parse(table, &acpi.mcfg);
	if (!strcmp(signature, "HPET"))
		return hpet_parse(table, &acpi.hpet);
	if (!strcmp(signature, "FACP")) {
		err = fadt_parse(table, &acpi.fadt);
		acpi.has_fadt = !err;
	} else {
		err = s5_find(table, &acpi.s5);
		acpi.has_s5 = !err;
	}
	return err;
}

/* The table at @address, if it is one of @signatures, which end with NULL. */
static void read_table(uint64_t address, const char *const *signatures)
{
	uint32_t size;
	const void *data = map_table(address, &size);
	struct acpi_table table;

	if (!data)
		return;
	for (; *signatures; signatures++) {
		int err = sdt_check(data, size, *signatures, &table);

		if (!err)
			err = read_known(*signatures, &table);
		if (err && err != -ENOENT)
			print_warn("ACPI: table %s is broken (%s): left out", *signatures,
				   err == -EBADMSG ? "checksum" : "length or contents");
	}
	kspace_unmap(data, size);
}

static int read_root(const struct rsdp *rsdp)
{
	static const char *const signatures[] = { "APIC", "MCFG", "FACP", "HPET", NULL };
	uint32_t size;
	const void *data = map_table(rsdp->root, &size);
	struct acpi_table root;
	int err;

	if (!data)
		return -EINVAL;
	err = sdt_check(data, size, rsdp->is_xsdt ? "XSDT" : "RSDT", &root);
	for (uint32_t i = 0; !err && i < sdt_root_count(&root, rsdp->is_xsdt); i++)
		read_table(sdt_root_entry(&root, rsdp->is_xsdt, i), signatures);
	kspace_unmap(data, size);
	return err;
}

void acpi_init(void)
{
	static const char *const dsdt[] = { "DSDT", NULL };
	struct rsdp rsdp;

	if (find_rsdp(&rsdp) || read_root(&rsdp)) {
		print_warn("ACPI: no tables found: one CPU, no PCI Express, no power off");
		return;
	}
	if (acpi.has_fadt)
		read_table(acpi.fadt.dsdt, dsdt);
	print("ACPI: %u CPUs, %u I/O APICs, %u PCI segments%s%s%s", acpi.madt.nr_cpus,
	      acpi.madt.nr_ioapics, acpi.mcfg.nr_segments,
	      acpi.fadt.pm_timer.space == ACPI_PORT ? ", PM timer" : "",
	      acpi.hpet.address ? ", HPET" : "", acpi.has_s5 ? ", power off" : "");
	if (acpi.madt.nr_cpus_left_out)
		print_warn("ACPI: %u CPUs more than the %u that this kernel can use",
			   acpi.madt.nr_cpus_left_out, (uint32_t)ACPI_CPUS_MAX);
}
