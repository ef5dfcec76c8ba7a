/*
 * Virtio devices on PCI, as their drivers see them: features, queues, configuration. The modern interface only.
 *
 *	virtio_open(pci, &device);                   maps the registers
 *	virtio_reset(&device);                       also to silence it
 *	virtio_negotiate(&device, wanted);           device.features is what both have
 *	virtio_start_queue(&device, 0, &queue, 0);   any number
 *	virtio_run(&device);
 *
 * Context: thread, except where said.
 * Source: virtio 1.2, 3.1 "Device Initialization" and 4.1 "Virtio Over PCI Bus".
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "kernel/dev/pci.h"
#include "kernel/dev/virtq.h"

#define VIRTIO_VENDOR	    0x1af4
#define VIRTIO_BIT(feature) (UINT64_C(1) << (feature))

struct virtio {
	struct pci_device *pci;
	volatile struct virtio_pci_common_cfg *common;
	volatile uint8_t *config; /* the device's own; NULL: none */
	uint32_t config_bytes;
	volatile uint8_t *notify;
	uint32_t notify_bytes, notify_multiplier;
	uint64_t features;
};

/* A device of this type, whether it has an old interface as well or not: 4.1.2 "PCI Device Discovery". */
bool virtio_is(const struct pci_device *pci, uint16_t modern_id, uint16_t transitional_id);

/* -ENODEV: it has no modern interface. */
MUST_CHECK int virtio_open(struct pci_device *pci, struct virtio *out);

/* -ETIMEDOUT: it doesn't obey; the caller takes its DMA away. */
MUST_CHECK int virtio_reset(const struct virtio *device);

/* @wanted: VIRTIO_F_VERSION_1 is always added, and without it nothing works. -EOPNOTSUPP. */
MUST_CHECK int virtio_negotiate(struct virtio *device, uint64_t wanted);

static inline bool virtio_has(const struct virtio *device, uint32_t feature)
{
	return device->features & VIRTIO_BIT(feature);
}

/* @queue was created; it is reset. @message: the index of its interrupt (pci_irq_add). -ENODEV, -EIO. */
MUST_CHECK int virtio_start_queue(const struct virtio *device, uint16_t index, struct virtq *queue,
				  uint16_t message);
void virtio_run(const struct virtio *device);

/* Reads @size bytes of configuration, all from one state of it. -EINVAL: there aren't as many. */
MUST_CHECK int virtio_read_config(const struct virtio *device, uint32_t offset, void *out,
				  uint32_t size);
