/*
 * What the PCI core's files share and devices don't need.
 */
#pragma once

#include "vmm/pci/pci.h"

uint32_t pci_function_read(struct pci_function *function, uint32_t offset, uint32_t size);
void pci_function_write(struct pci_function *function, uint32_t offset, uint32_t value,
			uint32_t size);
