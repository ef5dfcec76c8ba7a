/*
 * virtio over PCI: what a virtio device looks like on the bus. (virtio 1.2, 4.1 "Virtio Over PCI Bus".)
 *
 *   BAR 0  ports: one 32-bit notification register per queue, each caught by an ioeventfd, so that a
 *          kick costs no trip to ring 3 and no instruction decode
 *   BAR 1  memory: common configuration, ISR, device configuration, MSI-X table and pending bits
 *
 * Modern only: no legacy or transitional interface.
 */
#pragma once

#include "vmm/pci/msix.h"
#include "vmm/pci/pci.h"
#include "vmm/virtio/common_config.h"
#include "vmm/virtio/device.h"
#include "base/wakeup.h"

/* Who turns a guest's port write into a write to an eventfd without waking the vCPU's thread. */
struct kick_router {
	int (*attach)(void *context, uint16_t port, int fd);
	void (*detach)(void *context, uint16_t port, int fd);
	void *context;
};

/* What the guest can see or set; saved with the VM, with the states of the parts below. */
struct virtio_pci_state {
	uint8_t isr; /* [a] */
};

struct virtio_pci {
	struct virtio_pci_state state;
	struct virtio_dev *dev; /* owned */
	struct common_config common;
	struct pci_function function;
	struct msix msix;
	const struct kick_router *kicks; /* borrowed */
	bool uses_msix;			 /* [a] a copy of the enable bit, for the worker */
	uint32_t config_access;		 /* offset of the configuration-access capability */
	struct wakeup intx_wanted;	 /* the worker has set an ISR bit */
	pthread_mutex_t *lock;		 /* vm->lock */
};

/* What virtio_pci_create() needs of the machine. All borrowed. */
struct virtio_pci_host {
	struct pci_bus *bus;
	struct loop *loop; /* the main loop, which drives INTx */
	pthread_mutex_t *lock;
	const struct msi_router *msis;
	const struct kick_router *kicks;
	struct irq_line intx;
};

/**
 * virtio_pci_create() - put @dev on the bus
 *
 * Takes @dev over, on failure too. Returns 0 or -errno.
 */
MUST_CHECK int virtio_pci_create(struct virtio_dev *dev, const struct virtio_pci_host *host,
				 uint32_t slot, struct virtio_pci **out, struct errmsg *why);
void virtio_pci_destroy(struct virtio_pci *vpci);

/* As at power-on. Context: the holder of vm->lock. */
void virtio_pci_reset(struct virtio_pci *vpci);
