/*
 * Virtio devices on PCI: see virtio.h.
 */
#include "kernel/cpu/clock.h"
#include "kernel/dev/virtio.h"
#include "kernel/sched/thread.h"
#include "lib/bytes.h"

#define RESET_NS UINT64_C(2000000000)

enum {
	CAPABILITY_BYTES = 16, /* 4.1.4 "Virtio Structure PCI Capabilities" */
	CAPABILITY_TYPE = 3,
	CAPABILITY_BAR = 4,
	CAPABILITY_OFFSET = 8,
	CAPABILITY_LENGTH = 12,
	CAPABILITY_MULTIPLIER = 16,
	CONFIG_READS_MAX = 10,
};

bool virtio_is(const struct pci_device *pci, uint16_t modern_id, uint16_t transitional_id)
{
	return pci->vendor_id == VIRTIO_VENDOR &&
	       (pci->device_id == modern_id || pci->device_id == transitional_id);
}

/* The first capability of @type whose structure can be mapped (of several, the device prefers the earlier). */
static volatile void *map_structure(const struct pci_device *pci, uint8_t type, uint32_t size_min,
				    uint32_t *size, uint32_t *capability)
{
	uint32_t at = 0;

	/* The list may loop: no more of them than fit. */
	for (uint32_t i = 0; i < PCI_CONFIG_BYTES / CAPABILITY_BYTES; i++) {
		const uint8_t *config;
		volatile void *found;

		at = pci_next_capability(pci->config, at, PCI_CAP_ID_VNDR);
		if (!at || at + CAPABILITY_MULTIPLIER + 4 > PCI_CONFIG_BYTES)
			return NULL;
		config = pci->config + at;
		*size = get_u32(config + CAPABILITY_LENGTH);
		if (config[CAPABILITY_TYPE] != type || *size < size_min)
			continue;
		found = pci_map(pci, config[CAPABILITY_BAR], get_u32(config + CAPABILITY_OFFSET),
				*size);
		*capability = at;
		if (found)
			return found;
	}
	return NULL;
}

int virtio_open(struct pci_device *pci, struct virtio *out)
{
	struct virtio device = { .pci = pci };
	uint32_t size, at;

	pci_enable(pci);
	device.common =
		map_structure(pci, VIRTIO_PCI_CAP_COMMON_CFG, sizeof(*device.common), &size, &at);
	device.notify = map_structure(pci, VIRTIO_PCI_CAP_NOTIFY_CFG, 2, &device.notify_bytes, &at);
	if (!device.common || !device.notify)
		return -ENODEV;
	device.notify_multiplier = get_u32(pci->config + at + CAPABILITY_MULTIPLIER);
	device.config = map_structure(pci, VIRTIO_PCI_CAP_DEVICE_CFG, 1, &device.config_bytes, &at);
	*out = device;
	return 0;
}

int virtio_reset(const struct virtio *device)
{
	uint64_t start = clock_ns();

	device->common->device_status = 0;
	while (device->common->device_status) {
		if (clock_ns() - start > RESET_NS)
			return -ETIMEDOUT;
		thread_yield();
	}
	return 0;
}

static uint64_t offered_features(const struct virtio *device)
{
	uint64_t features = 0;

	for (uint32_t half = 0; half < 2; half++) {
		device->common->device_feature_select = half;
		features |= (uint64_t)device->common->device_feature << (32 * half);
	}
	return features;
}

static void add_status(const struct virtio *device, uint8_t bit)
{
	device->common->device_status = (uint8_t)(device->common->device_status | bit);
}

int virtio_negotiate(struct virtio *device, uint64_t wanted)
{
	add_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(device, VIRTIO_CONFIG_S_DRIVER);
	device->features = offered_features(device) & (wanted | VIRTIO_BIT(VIRTIO_F_VERSION_1));
	for (uint32_t half = 0; half < 2; half++) {
		device->common->guest_feature_select = half;
		device->common->guest_feature = (uint32_t)(device->features >> (32 * half));
	}
	add_status(device, VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(device->common->device_status & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    !virtio_has(device, VIRTIO_F_VERSION_1))
		return -EOPNOTSUPP;
	return 0;
}

static void write_address(volatile uint32_t *low, volatile uint32_t *high, const void *ring)
{
	*low = (uint32_t)direct_hpa(ring).v;
	*high = (uint32_t)(direct_hpa(ring).v >> 32);
}

int virtio_start_queue(const struct virtio *device, uint16_t index, struct virtq *queue,
		       uint16_t message)
{
	volatile struct virtio_pci_common_cfg *common = device->common;
	uint16_t size = VIRTQ_SIZE_MAX;
	uint64_t notify_at;

	common->queue_select = index;
	while (size > common->queue_size)
		size /= 2;
	notify_at = (uint64_t)common->queue_notify_off * device->notify_multiplier;
	if (!size || notify_at + 2 > device->notify_bytes)
		return -ENODEV;
	virtq_reset(queue, size, virtio_has(device, VIRTIO_RING_F_EVENT_IDX));
	queue->index = index;
	queue->notify = (volatile uint16_t *)(device->notify + notify_at);
	common->queue_size = size;
	common->queue_msix_vector = message;
	if (common->queue_msix_vector != message)
		return -EIO;
	write_address(&common->queue_desc_lo, &common->queue_desc_hi, queue->descriptors);
	write_address(&common->queue_avail_lo, &common->queue_avail_hi, queue->avail);
	write_address(&common->queue_used_lo, &common->queue_used_hi, queue->used);
	common->queue_enable = 1;
	return 0;
}

void virtio_run(const struct virtio *device)
{
	add_status(device, VIRTIO_CONFIG_S_DRIVER_OK);
}

int virtio_read_config(const struct virtio *device, uint32_t offset, void *out, uint32_t size)
{
	uint8_t *bytes = out, generation;

	if (!device->config || range_wraps(offset, size) || offset + size > device->config_bytes)
		return -EINVAL;
	for (uint32_t i = 0; i < CONFIG_READS_MAX; i++) {
		generation = device->common->config_generation;
		for (uint32_t at = 0; at < size; at++)
			bytes[at] = device->config[offset + at];
		if (generation == device->common->config_generation)
			return 0;
	}
	return -EIO;
}
