/*
 * The ACPI tables that describe the machine to its guest: RSDP, XSDT, FADT, FACS, MADT, MCFG and the DSDT, which
 * comes from dsdt.asl.
 */
#pragma once

#include "vmm/memory.h"

/**
 * acpi_build() - write the tables to [ACPI_AT, ACPI_END)
 * @cpus: APIC ids 0 to @cpus - 1
 * @rsdp: where the guest finds the root pointer
 *
 * Returns 0, or -ENOSPC: they don't fit (a broken build).
 */
MUST_CHECK int acpi_build(const struct guest_memory *memory, uint32_t cpus, uint64_t *rsdp,
			  struct errmsg *why);
