/*
 * Finding PCI functions and their drivers: see pci.h.
 */
#include "kernel/dev/pci.h"
#include "kernel/dev/print.h"
#include "kernel/mem/kspace.h"
#include "kernel/mem/object.h"
#include "lib/format.h"

enum {
	SLOTS = 32,
	FUNCTIONS = 8,
	NOBODY = 0xffff,
	HEADER_MULTIFUNCTION = 1 << 7,
};

static uint32_t nr_functions;

static void change_command(const struct pci_device *device, uint32_t off, uint32_t on)
{
	pci_write(device, PCI_COMMAND, 2, (pci_read(device, PCI_COMMAND, 2) & ~off) | on);
}

void pci_enable(const struct pci_device *device)
{
	change_command(device, 0,
		       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
}

void pci_stop_dma(const struct pci_device *device)
{
	change_command(device, PCI_COMMAND_MASTER, 0);
	(void)pci_read(device, PCI_COMMAND, 2); /* it has arrived */
}

volatile void *pci_map(const struct pci_device *device, uint32_t bar, uint64_t offset,
		       uint64_t size_bytes)
{
	const struct pci_bar *found = &device->bars[bar < PCI_BARS ? bar : 0];

	if (bar >= PCI_BARS || !found->address || range_wraps(offset, size_bytes) ||
	    offset + size_bytes > found->size_bytes)
		return NULL;
	return kspace_map(hpa(found->address + offset), size_bytes, PTE_WRITE | PTE_PCD | PTE_PWT);
}

/* --- stock-taking --- */

/* What sticks of all ones tells the size. The caller has memory decoding off. */
static uint64_t probe_bar(const struct pci_device *device, uint32_t offset, uint64_t *address)
{
	uint32_t low = pci_read(device, offset, 4), high = 0;
	bool is_wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
	uint64_t stuck;

	pci_write(device, offset, 4, UINT32_MAX);
	stuck = pci_read(device, offset, 4);
	pci_write(device, offset, 4, low);
	if (is_wide) {
		high = pci_read(device, offset + 4, 4);
		pci_write(device, offset + 4, 4, UINT32_MAX);
		stuck |= (uint64_t)pci_read(device, offset + 4, 4) << 32;
		pci_write(device, offset + 4, 4, high);
	} else if (stuck) {
		stuck |= UINT64_C(0xffffffff) << 32;
	}
	*address = ((uint64_t)high << 32 | low) & PCI_BASE_ADDRESS_MEM_MASK;
	return -(stuck & PCI_BASE_ADDRESS_MEM_MASK); /* the lowest bit that sticks */
}

static void read_bars(struct pci_device *device)
{
	change_command(device, PCI_COMMAND_MEMORY, 0);
	for (uint32_t i = 0; i < PCI_BARS; i++) {
		uint32_t offset = PCI_BASE_ADDRESS_0 + 4 * i, low = pci_read(device, offset, 4);
		bool is_wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) ==
			       PCI_BASE_ADDRESS_MEM_TYPE_64;
		struct pci_bar *bar = &device->bars[i];

		if ((low & PCI_BASE_ADDRESS_SPACE_IO) || (is_wide && i == PCI_BARS - 1))
			continue;
		bar->size_bytes = probe_bar(device, offset, &bar->address);
		if (range_wraps(bar->address, bar->size_bytes))
			bar->size_bytes = 0;
		if (is_wide)
			i++;
	}
}

static void start_driver(const struct pci_driver *driver, struct pci_device *device)
{
	int err;

	for (uint32_t i = 0; i < PCI_CONFIG_BYTES; i += 4)
		*(uint32_t *)(device->config + i) = pci_read(device, i, 4);
	read_bars(device);
	err = driver->start(device);
	if (!err)
		return;
	print_warn("%s %s: doesn't work (error %d): left alone", driver->name, device->name, -err);
	pci_stop_dma(device);
}

static void find_driver(const struct pci_device *found)
{
	for (uint32_t i = 0; pci_drivers[i]; i++) {
		struct pci_device *device;

		if (!pci_drivers[i]->claims(found))
			continue;
		device = kmalloc(sizeof(*device));
		if (device) {
			*device = *found;
			start_driver(pci_drivers[i], device);
		} else {
			print_warn("%s: no memory for it", found->name);
		}
		return;
	}
}

static void scan_bus(const struct mcfg_segment *segment, uint8_t bus);

/* Returns whether it has several functions. Buses behind bridges have higher numbers, so that the walk ends. */
static bool scan_function(const struct mcfg_segment *segment, uint8_t bus, int slot, int function)
{
	struct pci_device device = {
		.segment = segment,
		.bus = bus,
		.slot = (uint8_t)slot,
		.function = (uint8_t)function,
	};
	uint32_t type, secondary;

	device.vendor_id = (uint16_t)pci_read(&device, PCI_VENDOR_ID, 2);
	if (device.vendor_id == NOBODY)
		return false;
	nr_functions++;
	device.device_id = (uint16_t)pci_read(&device, PCI_DEVICE_ID, 2);
	device.class = pci_read(&device, PCI_CLASS_REVISION, 4) >> 8;
	format_text(device.name, sizeof(device.name), "%02x:%02x.%x", bus, slot, function);
	type = pci_read(&device, PCI_HEADER_TYPE, 1);
	if ((type & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_NORMAL) {
		find_driver(&device);
	} else if ((type & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_BRIDGE) {
		secondary = pci_read(&device, PCI_SECONDARY_BUS, 1);
		if (secondary > bus && secondary <= segment->last_bus)
			scan_bus(segment, (uint8_t)secondary);
	}
	return type & HEADER_MULTIFUNCTION;
}

static void scan_bus(const struct mcfg_segment *segment, uint8_t bus)
{
	for (int slot = 0; slot < SLOTS; slot++) {
		bool has_several = scan_function(segment, bus, slot, 0);

		for (int function = 1; has_several && function < FUNCTIONS; function++)
			(void)scan_function(segment, bus, slot, function);
	}
}

void pci_init(void)
{
	const struct mcfg_segment *segment;

	for (uint32_t i = 0; (segment = pci_segment(i)); i++)
		scan_bus(segment, segment->first_bus);
	print("PCI: %u functions", nr_functions);
}
