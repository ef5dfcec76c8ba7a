/*
 * Interrupts of PCI functions, as messages: see pci.h.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.1 "MSI Capability Structure" and 6.8.2 "MSI-X Capability and Table Structures".
 */
#include <errno.h>
#include <stddef.h>

#include "kernel/dev/pci.h"
#include "lib/bytes.h"

enum {
	MSIX_CONTROL = 2, /* offsets from the capability */
	MSIX_TABLE = 4,
	MSIX_CONTROL_SIZE = 0x7ff,
	MSIX_CONTROL_MASK_ALL = 1 << 14,
	MSIX_CONTROL_ENABLE = 1 << 15,
	MSIX_TABLE_BAR = 7,

	ENTRY_BYTES = 16, /* of the table, as words: */
	ENTRY_WORDS = 4,
	ENTRY_ADDRESS = 0,
	ENTRY_ADDRESS_HIGH = 1,
	ENTRY_DATA = 2,
	ENTRY_CONTROL = 3,
	ENTRY_MASKED = 1 << 0,

	MSI_CONTROL = 2,
	MSI_ADDRESS = 4,
	MSI_CONTROL_ENABLE = 1 << 0,
	MSI_CONTROL_COUNT = 7 << 4, /* as a power of two; 0: one */
	MSI_CONTROL_64 = 1 << 7,
};

static void mask_msix(void *source, bool is_masked)
{
	volatile uint32_t *entry = source;

	entry[ENTRY_CONTROL] = is_masked ? ENTRY_MASKED : 0;
	(void)entry[ENTRY_CONTROL];
}

static void mask_msi(void *source, bool is_masked)
{
	const struct pci_device *device = source;
	uint32_t at = pci_next_capability(device->config, 0, PCI_CAPABILITY_MSI) + MSI_CONTROL;
	uint32_t control = pci_read(device, at, 2) & ~(uint32_t)MSI_CONTROL_ENABLE;

	pci_write(device, at, 2, control | (is_masked ? 0 : MSI_CONTROL_ENABLE));
}

/* Everything masked, and messages on: entries are filled in one by one. */
static int open_msix(struct pci_device *device, uint32_t capability)
{
	const uint8_t *config = device->config + capability;
	uint32_t table, count, control;

	if (capability + 12 > PCI_CONFIG_BYTES)
		return -ENODEV;
	table = get_u32(config + MSIX_TABLE);
	count = (get_u16(config + MSIX_CONTROL) & MSIX_CONTROL_SIZE) + 1u;
	device->msix_table = pci_map(device, table & MSIX_TABLE_BAR,
				     table & ~(uint32_t)MSIX_TABLE_BAR, count * ENTRY_BYTES);
	if (!device->msix_table)
		return -ENODEV;
	device->nr_msix = (uint16_t)count;
	control = pci_read(device, capability + MSIX_CONTROL, 2) | MSIX_CONTROL_ENABLE;
	pci_write(device, capability + MSIX_CONTROL, 2, control | MSIX_CONTROL_MASK_ALL);
	for (uint32_t i = 0; i < count; i++)
		device->msix_table[i * ENTRY_WORDS + ENTRY_CONTROL] = ENTRY_MASKED;
	pci_write(device, capability + MSIX_CONTROL, 2, control & ~(uint32_t)MSIX_CONTROL_MASK_ALL);
	return 0;
}

static void set_msix(struct pci_device *device, uint32_t index, uint32_t vector)
{
	volatile uint32_t *entry = device->msix_table + index * ENTRY_WORDS;
	const struct irq_message message = irq_message(vector);

	entry[ENTRY_ADDRESS] = (uint32_t)message.address;
	entry[ENTRY_ADDRESS_HIGH] = (uint32_t)(message.address >> 32);
	entry[ENTRY_DATA] = message.data;
	irq_set_mask(vector, mask_msix, (void *)(uintptr_t)entry);
	mask_msix((void *)(uintptr_t)entry, false);
}

static void set_msi(struct pci_device *device, uint32_t capability, uint32_t vector)
{
	const struct irq_message message = irq_message(vector);
	uint32_t control = pci_read(device, capability + MSI_CONTROL, 2);
	uint32_t data_at = capability + MSI_ADDRESS + 4;

	pci_write(device, capability + MSI_ADDRESS, 4, (uint32_t)message.address);
	if (control & MSI_CONTROL_64) {
		pci_write(device, capability + MSI_ADDRESS + 4, 4,
			  (uint32_t)(message.address >> 32));
		data_at += 4;
	}
	pci_write(device, data_at, 2, message.data);
	irq_set_mask(vector, mask_msi, device);
	pci_write(device, capability + MSI_CONTROL, 2,
		  (control & ~(uint32_t)MSI_CONTROL_COUNT) | MSI_CONTROL_ENABLE);
}

int pci_irq_add(struct pci_device *device, uint32_t index, const char *name, irq_handler handle,
		void *data)
{
	uint32_t msix = pci_next_capability(device->config, 0, PCI_CAPABILITY_MSIX);
	uint32_t msi = pci_next_capability(device->config, 0, PCI_CAPABILITY_MSI);
	uint32_t vector;
	int err;

	if (msix && !device->msix_table)
		err = open_msix(device, msix);
	else
		err = msix || msi ? 0 : -ENODEV;
	if (!err && index >= (msix ? device->nr_msix : 1u))
		err = -ENODEV;
	if (!err)
		err = irq_alloc(name, handle, data, &vector);
	if (err)
		return err;
	if (msix)
		set_msix(device, index, vector);
	else
		set_msi(device, msi, vector);
	return 0;
}
