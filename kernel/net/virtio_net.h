/*
 * Virtio network cards: the driver of the host's.
 */
#pragma once

#include "kernel/dev/pci.h"

extern const struct pci_driver virtio_net_driver;
