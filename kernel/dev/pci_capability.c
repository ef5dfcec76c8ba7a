/*
 * The list of a function's capabilities: see pci.h. Pure.
 */
#include "kernel/dev/pci.h"

enum {
	LIST_MAX = (PCI_CONFIG_BYTES - PCI_STD_HEADER_SIZEOF) / PCI_CAP_SIZEOF,
	POINTER = 0xfc,
};

uint32_t pci_next_capability(const uint8_t config[PCI_CONFIG_BYTES], uint32_t after, uint8_t id)
{
	uint32_t at = after ? config[after + 1] & POINTER : config[PCI_CAPABILITY_LIST] & POINTER;

	if (!(config[PCI_STATUS] & PCI_STATUS_CAP_LIST))
		return 0;
	/* A list that loops is walked until no longer one could be. */
	for (uint32_t i = 0; i < LIST_MAX && at >= PCI_STD_HEADER_SIZEOF; i++) {
		if (config[at] == id)
			return at;
		at = config[at + 1] & POINTER;
	}
	return 0;
}
