/*
 * Every driver of a PCI function.
 */
#include <stddef.h>

#include "kernel/dev/pci.h"

const struct pci_driver *const pci_drivers[] = {
	NULL,
};
