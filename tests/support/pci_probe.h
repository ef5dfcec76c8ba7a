/*
 * A PCI function that remembers what was done to it: one BAR of ports, one of memory, and one of memory beyond
 * 4 GiB for those who want it.
 */
#pragma once

#include "vmm/pci/pci.h"

enum {
	PROBE_BAR_IO = 0,
	PROBE_BAR_MEMORY = 1,
	PROBE_BAR_MEMORY64 = 2,
	PROBE_IO_BYTES = 16,
	PROBE_MEMORY_BYTES = 0x1000,
	PROBE_VENDOR = 0x1234,
	PROBE_DEVICE = 0x5678,
};

#define PROBE_MEMORY64_BYTES (UINT64_C(1) << 33)

struct pci_probe {
	struct pci_function function;
	unsigned reads, writes; /* through BARs */
	uint64_t offset, value; /* of the last one */
	unsigned config_writes, config_reads;
	unsigned bar_changes;
};

/* Not on a bus yet. */
void pci_probe_init(struct pci_probe *probe, const char *name);
void pci_probe_add_64bit_bar(struct pci_probe *probe);
