/*
 * ACPI's static tables, read: pure functions over bytes.
 *
 * Firmware wrote the tables, and firmware is wrong at times: every length is checked against what is there, every walk
 * is bounded, a wrong checksum is an error. Nothing here maps memory or touches hardware: acpi.c does.
 * A function that fails leaves its result as it was. No AML is run (s5_find() says what is done instead).
 *
 * Source: ACPI 6.4, 5.2 "ACPI System Description Tables".
 */
#pragma once

#include "lib/compiler.h"

enum {
	ACPI_CPUS_MAX = 256,
	ACPI_IOAPICS_MAX = 16,
	ACPI_OVERRIDES_MAX = 32,
	ACPI_SEGMENTS_MAX = 8,

	RSDP_OLD_BYTES = 20,
	RSDP_BYTES = 36,
	RSDP_ALIGNMENT = 16,
	SDT_HEADER_BYTES = 36,
	SDT_BYTES_MAX = 16 << 20, /* larger is nonsense */
};

/* A table whose length and checksum have been found right, with its header. Borrowed. */
struct acpi_table {
	const uint8_t *data;
	uint32_t size_bytes;
};

/* --- the way to the tables: 5.2.5 "Root System Description Pointer" to 5.2.8 "XSDT" --- */

struct rsdp {
	uint64_t root; /* physical */
	bool is_xsdt;  /* 64-bit entries; else an RSDT with 32-bit ones */
};

/* -ENOENT: no such signature; -EBADMSG: checksum; -EINVAL: too short, or leads nowhere. */
MUST_CHECK int rsdp_parse(const void *data, size_t size, struct rsdp *out);

/* Looks at every 16 bytes of a copy of low memory. -ENOENT. */
MUST_CHECK int rsdp_search(const void *area, size_t size, struct rsdp *out);

/* The length that the header at @data (SDT_HEADER_BYTES of it) claims; 0: nonsense. */
uint32_t sdt_size(const void *data);

/* @data has @size bytes. -ENOENT: another signature; -EINVAL: length; -EBADMSG: checksum. */
MUST_CHECK int sdt_check(const void *data, size_t size, const char signature[4],
			 struct acpi_table *out);

uint32_t sdt_root_count(const struct acpi_table *root, bool is_xsdt);
uint64_t sdt_root_entry(const struct acpi_table *root, bool is_xsdt, uint32_t index);

/* --- 5.2.12 "Multiple APIC Description Table" --- */

struct madt_ioapic {
	uint32_t id, address, gsi_base;
};

/* ISA interrupt @irq comes in at @gsi. Flags as in the table: 5.2.12.5, "MPS INTI Flags". */
struct madt_override {
	uint8_t irq;
	uint16_t flags;
	uint32_t gsi;
};

struct madt {
	uint32_t nr_cpus, nr_cpus_left_out; /* enabled ones */
	uint32_t apic_ids[ACPI_CPUS_MAX];   /* each once, in the table's order */
	uint32_t nr_ioapics;
	struct madt_ioapic ioapics[ACPI_IOAPICS_MAX];
	uint32_t nr_overrides;
	struct madt_override overrides[ACPI_OVERRIDES_MAX];
};

MUST_CHECK int madt_parse(const struct acpi_table *table, struct madt *out);

/* --- PCI Firmware Specification 3.2, 4.1.2 "MCFG Table Description" --- */

struct mcfg_segment {
	uint64_t base; /* physical, of bus 0, even if it begins later */
	uint16_t segment;
	uint8_t first_bus, last_bus;
};

struct mcfg {
	uint32_t nr_segments;
	struct mcfg_segment segments[ACPI_SEGMENTS_MAX];
};

MUST_CHECK int mcfg_parse(const struct acpi_table *table, struct mcfg *out);

/* --- 5.2.9 "Fixed ACPI Description Table" --- */

enum acpi_space { ACPI_MEMORY = 0, ACPI_PORT = 1, ACPI_NOWHERE = 0xff };

struct acpi_register {
	enum acpi_space space;
	uint64_t address;
};

struct fadt {
	uint64_t dsdt;
	uint32_t smi_port; /* 0: always in ACPI mode */
	uint8_t acpi_enable;
	struct acpi_register pm1a_control, pm1b_control, pm_timer, reset;
	struct acpi_register sleep_control; /* of hardware-reduced machines */
	uint8_t reset_value;
	uint8_t century_register; /* in the CMOS; 0: none */
	bool has_wide_pm_timer;	  /* 32 bits; else 24 */
	bool is_hardware_reduced;
};

MUST_CHECK int fadt_parse(const struct acpi_table *table, struct fadt *out);

/* --- IA-PC HPET Specification 1.0a, 3.2.4 "The ACPI 2.0 HPET Description Table" --- */

struct hpet {
	uint64_t address;
};

MUST_CHECK int hpet_parse(const struct acpi_table *table, struct hpet *out);

/* --- 7.4.2 "\_Sx states" --- */

struct s5 {
	uint8_t type_a, type_b; /* SLP_TYP of PM1a and PM1b control */
};

/**
 * s5_find() - the package \_S5 of a DSDT, by its bytes
 *
 * The values to write for power off are in a package that is constant on all machines known, so that no AML has to
 * be run: the bytes 08 [5c] "_S5_" 12 (NameOp, perhaps the root's prefix, the name, PackageOp) are looked for, and the
 * package's first two elements are read where they are constants (20.2 "AML Grammar Definition").
 * -ENOENT: not there, or not of constants.
 */
MUST_CHECK int s5_find(const struct acpi_table *dsdt, struct s5 *out);
