/*
 * A guest's virtio driver: see driver.h.
 */
#include <string.h>

#include "tests/support/driver.h"

enum {
	RINGS_AT = 0x10000,
	BUFFERS_AT = 0x100000,
	BUFFER_ALIGNMENT = 64,
	VECTOR_MASKED = 1,
};

static uint32_t config(struct driver *driver, uint32_t offset, uint32_t size)
{
	return bench_config_read(driver->bench, driver->slot, offset, size);
}

static uint64_t bar_base(struct driver *driver, uint32_t bar)
{
	uint32_t value = config(driver, PCI_BASE_ADDRESS_0 + 4 * bar, 4);

	return value & PCI_BASE_ADDRESS_SPACE_IO ? value & (uint32_t)PCI_BASE_ADDRESS_IO_MASK
						 : value & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;
}

static void take_virtio_capability(struct driver *driver, uint32_t at)
{
	uint32_t bar = config(driver, at + offsetof(struct virtio_pci_cap, bar), 1);
	uint64_t base = bar_base(driver, bar) +
			config(driver, at + offsetof(struct virtio_pci_cap, offset), 4);

	switch (config(driver, at + offsetof(struct virtio_pci_cap, cfg_type), 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		driver->common_at = base;
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		driver->isr_at = base;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		driver->config_at = base;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		driver->notify_port = base;
		driver->notify_multiplier = config(
			driver, at + offsetof(struct virtio_pci_notify_cap, notify_off_multiplier),
			4);
		break;
	case VIRTIO_PCI_CAP_PCI_CFG:
		driver->access_capability = at;
		break;
	}
}

static uint64_t msix_place(struct driver *driver, uint32_t reg)
{
	uint32_t value = config(driver, driver->msix_capability + reg, 4);

	return bar_base(driver, value & PCI_MSIX_TABLE_BIR) + (value & PCI_MSIX_TABLE_OFFSET);
}

static void walk_capabilities(struct driver *driver)
{
	uint32_t at = config(driver, PCI_CAPABILITY_LIST, 1);

	for (uint32_t guard = 0; at && guard < PCI_CONFIG_BYTES / 4; guard++) {
		uint32_t id = config(driver, at + PCI_CAP_LIST_ID, 1);

		if (id == PCI_CAP_ID_VNDR)
			take_virtio_capability(driver, at);
		else if (id == PCI_CAP_ID_MSIX)
			driver->msix_capability = at;
		at = config(driver, at + PCI_CAP_LIST_NEXT, 1);
	}
	driver->msix_table_at = msix_place(driver, PCI_MSIX_TABLE);
	driver->msix_pending_at = msix_place(driver, PCI_MSIX_PBA);
}

void driver_attach(struct driver *driver, struct pci_bench *bench, struct virtio_pci *device,
		   uint32_t slot)
{
	*driver = (struct driver){
		.bench = bench, .device = device, .slot = slot, .next_free = BUFFERS_AT
	};
	walk_capabilities(driver);
	assert(driver->common_at && driver->isr_at && driver->config_at && driver->notify_port);
	barrier_add(&driver->barrier, &device->dev->worker);
}

void driver_detach(struct driver *driver)
{
	barrier_remove(&driver->barrier);
}

uint64_t driver_read(struct driver *driver, uint32_t reg, uint32_t size)
{
	return bench_load(driver->bench, driver->common_at + reg, size);
}

void driver_write(struct driver *driver, uint32_t reg, uint64_t value, uint32_t size)
{
	bench_store(driver->bench, driver->common_at + reg, value, size);
}

uint8_t driver_status(struct driver *driver)
{
	return (uint8_t)driver_read(driver, VIRTIO_PCI_COMMON_STATUS, 1);
}

void driver_set_status(struct driver *driver, uint8_t bits)
{
	driver_write(driver, VIRTIO_PCI_COMMON_STATUS, driver_status(driver) | bits, 1);
}

void driver_reset(struct driver *driver)
{
	driver_write(driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
}

uint64_t driver_offered(struct driver *driver)
{
	uint64_t offered;

	driver_write(driver, VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
	offered = driver_read(driver, VIRTIO_PCI_COMMON_DF, 4) << 32;
	driver_write(driver, VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	return offered | driver_read(driver, VIRTIO_PCI_COMMON_DF, 4);
}

bool driver_negotiate(struct driver *driver, uint64_t features)
{
	driver_reset(driver);
	driver_set_status(driver, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t half = 0; half < 2; half++) {
		driver_write(driver, VIRTIO_PCI_COMMON_GFSELECT, half, 4);
		driver_write(driver, VIRTIO_PCI_COMMON_GF, features >> (32 * half) & UINT32_MAX, 4);
	}
	driver_set_status(driver, VIRTIO_CONFIG_S_FEATURES_OK);
	return driver_status(driver) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void write_address(struct driver *driver, uint32_t reg, uint64_t address)
{
	driver_write(driver, reg, address & UINT32_MAX, 4);
	driver_write(driver, reg + 4, address >> 32, 4);
}

uint32_t driver_vector(const struct driver *driver, uint16_t queue)
{
	uint32_t last = driver->device->dev->ops->nr_vectors;

	return (uint32_t)min_u64(VECTOR_QUEUE + queue, last);
}

void driver_place_queue(struct driver *driver, uint16_t queue, uint16_t size)
{
	struct ring *ring = &driver->rings[queue];

	ring_init(ring, &driver->bench->memory, RINGS_AT + (uint64_t)queue * RING_AREA_BYTES, size);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_SELECT, queue, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_SIZE, size, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_MSIX, driver_vector(driver, queue), 2);
	write_address(driver, VIRTIO_PCI_COMMON_Q_DESCLO, ring->desc_at);
	write_address(driver, VIRTIO_PCI_COMMON_Q_AVAILLO, ring->avail_at);
	write_address(driver, VIRTIO_PCI_COMMON_Q_USEDLO, ring->used_at);
}

void driver_enable_queue(struct driver *driver, uint16_t queue)
{
	driver_write(driver, VIRTIO_PCI_COMMON_Q_SELECT, queue, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

uint32_t driver_message(const struct driver *driver, uint32_t vector)
{
	return driver->slot << 8 | vector;
}

static uint64_t entry_at(const struct driver *driver, uint32_t vector)
{
	return driver->msix_table_at + (uint64_t)vector * MSIX_ENTRY_BYTES;
}

void driver_mask_vector(struct driver *driver, uint32_t vector, bool is_masked)
{
	bench_store(driver->bench, entry_at(driver, vector) + PCI_MSIX_ENTRY_VECTOR_CTRL,
		    is_masked ? VECTOR_MASKED : 0, 4);
}

void driver_enable_msix(struct driver *driver)
{
	uint32_t vectors = driver->device->dev->ops->nr_vectors + 1u;

	for (uint32_t vector = 0; vector < vectors; vector++) {
		uint64_t entry = entry_at(driver, vector);

		bench_store(driver->bench, entry + PCI_MSIX_ENTRY_LOWER_ADDR, DRIVER_MESSAGE_AT, 4);
		bench_store(driver->bench, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0, 4);
		bench_store(driver->bench, entry + PCI_MSIX_ENTRY_DATA,
			    driver_message(driver, vector), 4);
		driver_mask_vector(driver, vector, false);
	}
	bench_config_write(driver->bench, driver->slot, driver->msix_capability + PCI_MSIX_FLAGS,
			   PCI_MSIX_FLAGS_ENABLE, 2);
	driver_write(driver, VIRTIO_PCI_COMMON_MSIX, VECTOR_CONFIG, 2);
}

bool driver_take_interrupt(struct driver *driver, uint32_t vector)
{
	return message_take(&driver->bench->messages, DRIVER_MESSAGE_AT,
			    driver_message(driver, vector), DRIVER_PATIENCE_MS);
}

bool driver_has_interrupt(struct driver *driver, uint32_t vector)
{
	return message_take(&driver->bench->messages, DRIVER_MESSAGE_AT,
			    driver_message(driver, vector), 0);
}

bool driver_try_to_begin(struct driver *driver, uint64_t feature_bits)
{
	bool is_agreed = driver_negotiate(driver, feature_bits | VIRTIO_BIT(VIRTIO_F_VERSION_1));

	driver_enable_msix(driver);
	for (uint16_t queue = 0; queue < driver->device->dev->nr_queues; queue++) {
		driver_place_queue(driver, queue, DRIVER_RING_SIZE);
		driver_enable_queue(driver, queue);
	}
	driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
	return is_agreed;
}

void driver_begin(struct driver *driver, uint64_t feature_bits)
{
	bool is_agreed = driver_try_to_begin(driver, feature_bits);

	assert(is_agreed);
}

void driver_kick(struct driver *driver, uint16_t queue)
{
	bench_out(driver->bench, driver->notify_port + queue * driver->notify_multiplier, queue, 2);
}

void driver_settle(struct driver *driver)
{
	barrier_wait(&driver->barrier);
}

uint64_t driver_allocate(struct driver *driver, uint32_t bytes)
{
	uint64_t at = driver->next_free;
	void *memory = memory_at(&driver->bench->memory, gpa(at), bytes);

	assert(memory);
	memset(memory, 0, bytes);
	driver->next_free = align_up(at + bytes, BUFFER_ALIGNMENT);
	return at;
}

void *driver_at(struct driver *driver, uint64_t at)
{
	return memory_at(&driver->bench->memory, gpa(at), 0);
}

bool driver_sees_failure(struct driver *driver)
{
	if (driver_status(driver) & VIRTIO_CONFIG_S_DRIVER_OK)
		driver_settle(driver);
	return driver_status(driver) & VIRTIO_CONFIG_S_NEEDS_RESET;
}
