/*
 * Interrupts of PCI functions, as messages: see pci.h.
 *
 * Source: PCI Local Bus Specification 3.0, 6.8.1 "MSI Capability Structure" and 6.8.2 "MSI-X Capability and Table Structures".
 */
#include "kernel/dev/pci.h"
#include "lib/bytes.h"

enum { ENTRY_WORDS = PCI_MSIX_ENTRY_SIZE / 4, ENTRY_MASKED = 1 << 0 };

static void mask_msix(void *source, bool is_masked)
{
	volatile uint32_t *entry = source;

	entry[PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = is_masked ? ENTRY_MASKED : 0;
	(void)entry[PCI_MSIX_ENTRY_VECTOR_CTRL / 4];
}

static void mask_msi(void *source, bool is_masked)
{
	const struct pci_device *device = source;
	uint32_t at = pci_next_capability(device->config, 0, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS;
	uint32_t control = pci_read(device, at, 2) & ~(uint32_t)PCI_MSI_FLAGS_ENABLE;

	pci_write(device, at, 2, control | (is_masked ? 0 : PCI_MSI_FLAGS_ENABLE));
}

/* Everything masked, and messages on: entries are filled in one by one. */
static int open_msix(struct pci_device *device, uint32_t capability)
{
	const uint8_t *config = device->config + capability;
	uint32_t table, count, control;

	if (capability + 12 > PCI_CONFIG_BYTES)
		return -ENODEV;
	table = get_u32(config + PCI_MSIX_TABLE);
	count = (get_u16(config + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1u;
	device->msix_table = pci_map(device, table & PCI_MSIX_TABLE_BIR,
				     table & ~(uint32_t)PCI_MSIX_TABLE_BIR,
				     count * PCI_MSIX_ENTRY_SIZE);
	if (!device->msix_table)
		return -ENODEV;
	device->nr_msix = (uint16_t)count;
	control = pci_read(device, capability + PCI_MSIX_FLAGS, 2) | PCI_MSIX_FLAGS_ENABLE;
	pci_write(device, capability + PCI_MSIX_FLAGS, 2, control | PCI_MSIX_FLAGS_MASKALL);
	for (uint32_t i = 0; i < count; i++)
		device->msix_table[i * ENTRY_WORDS + PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = ENTRY_MASKED;
	pci_write(device, capability + PCI_MSIX_FLAGS, 2,
		  control & ~(uint32_t)PCI_MSIX_FLAGS_MASKALL);
	return 0;
}

static void set_msix(struct pci_device *device, uint32_t index, uint32_t vector)
{
	volatile uint32_t *entry = device->msix_table + index * ENTRY_WORDS;
	const struct irq_message message = irq_message(vector);

	entry[PCI_MSIX_ENTRY_LOWER_ADDR / 4] = (uint32_t)message.address;
	entry[PCI_MSIX_ENTRY_UPPER_ADDR / 4] = (uint32_t)(message.address >> 32);
	entry[PCI_MSIX_ENTRY_DATA / 4] = message.data;
	irq_set_mask(vector, mask_msix, (void *)(uintptr_t)entry);
	mask_msix((void *)(uintptr_t)entry, false);
}

static void set_msi(struct pci_device *device, uint32_t capability, uint32_t vector)
{
	const struct irq_message message = irq_message(vector);
	uint32_t control = pci_read(device, capability + PCI_MSI_FLAGS, 2);
	bool is_wide = control & PCI_MSI_FLAGS_64BIT;

	pci_write(device, capability + PCI_MSI_ADDRESS_LO, 4, (uint32_t)message.address);
	if (is_wide)
		pci_write(device, capability + PCI_MSI_ADDRESS_HI, 4,
			  (uint32_t)(message.address >> 32));
	pci_write(device, capability + (is_wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2,
		  message.data);
	irq_set_mask(vector, mask_msi, device);
	pci_write(device, capability + PCI_MSI_FLAGS, 2,
		  (control & ~(uint32_t)PCI_MSI_FLAGS_QSIZE) | PCI_MSI_FLAGS_ENABLE);
}

int pci_irq_add(struct pci_device *device, uint32_t index, const char *name, irq_handler handle,
		void *data)
{
	uint32_t msix = pci_next_capability(device->config, 0, PCI_CAP_ID_MSIX);
	uint32_t msi = pci_next_capability(device->config, 0, PCI_CAP_ID_MSI);
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
