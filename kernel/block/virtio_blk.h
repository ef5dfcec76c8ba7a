/*
 * Virtio disks.
 */
#pragma once

#include "kernel/dev/pci.h"

extern const struct pci_driver virtio_blk_driver;
