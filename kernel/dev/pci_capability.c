/*
 * The list of a function's capabilities: see pci.h. Pure.
 */
#include "kernel/dev/pci.h"

enum {
	STATUS_HAS_LIST = 1 << 4,
	LIST_FIRST = 0x40, /* behind the header */
	LIST_MAX = (PCI_CONFIG_BYTES - LIST_FIRST) / 4,
	POINTER = 0xfc,
};

uint32_t pci_next_capability(const uint8_t config[PCI_CONFIG_BYTES], uint32_t after,
			     enum pci_capability_id id)
{
	uint32_t at = after ? config[after + 1] & POINTER : config[PCI_CAPABILITIES] & POINTER;

	if (!(config[PCI_STATUS] & STATUS_HAS_LIST))
		return 0;
	/* A list that loops is walked until no longer one could be. */
	for (uint32_t i = 0; i < LIST_MAX && at >= LIST_FIRST; i++) {
		if (config[at] == id)
			return at;
		at = config[at + 1] & POINTER;
	}
	return 0;
}
