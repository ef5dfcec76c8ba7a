/*
 * The bridge from processors and memory to PCI, seen from PCI: function 00:00.0, an identity and nothing else.
 */
#pragma once

#include "vmm/pci/pci.h"

void host_bridge_init(struct pci_function *function);
