/*
 * NVMe controllers and their namespaces.
 */
#pragma once

#include "kernel/dev/pci.h"

extern const struct pci_driver nvme_driver;
