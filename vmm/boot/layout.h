/*
 * Where things lie in a guest's physical memory when it starts, and in its address spaces for good.
 *
 * The first megabyte is laid out as firmware would: what the guest may use is RAM in its memory map, and
 * what describes the machine (ACPI) is where old software looks for it. Ports and lines of the platform's
 * devices are named in their headers (vmm/platform/); what is here belongs to no single device.
 */
#pragma once

#include "vmm/memory.h"

enum {
	/* Used once, on the way in: RAM to the guest. */
	BOOT_GDT_AT = 0x500,
	BOOT_PVH_INFO_AT = 0x6000,     /* start info, then the memory map and the module list */
	BOOT_LINUX_PARAMS_AT = 0x7000, /* "zero page" */
	BOOT_PAGE_TABLES_AT = 0x9000,  /* 6 pages: identity map of 4 GiB by 2 MiB */
	BOOT_CMDLINE_AT = 0x20000,
	BOOT_CMDLINE_BYTES = 4096,

	LOW_RAM_END = 0x9fc00, /* what follows up to 1 MiB is not for the guest's allocator */
	ACPI_AT = 0xe0000,     /* RSDP first: "on a 16-byte boundary in 0xe0000-0xfffff" */
	ACPI_END = 0x100000,
	HIGH_RAM_START = 0x100000,

	PORT_PCI_CONFIG = 0xcf8,
	PORT_PCI_START = 0xc000, /* BARs */
	PORT_PCI_END = 0x10000,

	GSI_PCI_FIRST = 16, /* INTA# of slot n is GSI_PCI_FIRST + n % GSI_PCI_COUNT */
	GSI_PCI_COUNT = 8,
	PCI_BUSES = 1,
};

/* The hole below 4 GiB: BARs, ECAM, then the chipset's fixed places. The DSDT says the same. */
#define PCI_MEM32_START UINT64_C(0xc0000000)
#define PCI_MEM32_END	UINT64_C(0xe0000000)
#define PCI_ECAM_AT	UINT64_C(0xe0000000)
#define PCI_ECAM_BYTES	(UINT64_C(1) << 20) /* one bus */
#define LOCAL_APIC_AT	UINT64_C(0xfee00000)
/* KVM on Intel needs four pages that nothing else uses, below 4 GiB. */
#define KVM_IDENTITY_MAP_AT UINT64_C(0xfeffc000)
#define KVM_TSS_AT	    UINT64_C(0xfeffd000)

static_assert(PCI_MEM32_START >= MMIO_HOLE_START, "BARs must not lie over RAM");
