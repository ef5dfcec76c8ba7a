/*
 * The registers by which a driver finds out about a virtio device, negotiates and sets its queues up.
 *
 * A driver that breaks the rules reads zeroes and writes nowhere, or its device wants a reset.
 *
 * Context: the holder of vm->lock; the worker reads config_vector. Source: virtio 1.2, 4.1.4.3 "Common
 * configuration structure layout".
 */
#pragma once

#include <linux/virtio_pci.h>

#include "vmm/virtio/device.h"

enum { COMMON_CONFIG_BYTES = VIRTIO_PCI_COMMON_Q_USEDHI + 4 };

/* What the guest can see or set; saved with the VM. */
struct common_config_state {
	uint32_t device_feature_select, driver_feature_select;
	uint16_t queue_select;
	uint16_t config_vector; /* [a] */
};

struct common_config {
	struct common_config_state state;
	struct virtio_dev *dev; /* borrowed */
	uint32_t nr_vectors;	/* of MSI-X; others read back as "none" */
};

void common_config_init(struct common_config *common, struct virtio_dev *dev, uint32_t nr_vectors);
void common_config_reset(struct common_config *common);

/* The part of it that a reset by the driver resets. */
void common_config_forget_vector(struct common_config *common);

uint64_t common_config_read(struct common_config *common, uint64_t offset, uint32_t size);
void common_config_write(struct common_config *common, uint64_t offset, uint64_t value,
			 uint32_t size);
