/*
 * Every driver of a PCI function.
 */
#include "kernel/block/nvme.h"
#include "kernel/block/virtio_blk.h"
#include "kernel/dev/pci.h"
#include "kernel/net/virtio_net.h"

const struct pci_driver *const pci_drivers[] = {
	&virtio_blk_driver,
	&nvme_driver,
	&virtio_net_driver,
	NULL,
};
