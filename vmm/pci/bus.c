/*
 * The PCI bus and the two ways into its configuration space: ECAM and ports 0xcf8/0xcfc. See pci.h.
 */
#include "vmm/pci/pci.h"
#include "vmm/pci/private.h"

enum {
	/* offsets from port 0xcf8 */
	PORT_ADDRESS = 0,
	PORT_RESET_CONTROL = 1, /* 0xcf9: a byte inside the address port, and another device */
	PORT_DATA = 4,
};

#define ADDRESS_ENABLE	 0x80000000u
#define ADDRESS_WRITABLE 0x80fffffcu

void pci_bus_init(struct pci_bus *bus, struct bus *io, struct bus *mmio,
		  const struct pci_windows *windows)
{
	*bus = (struct pci_bus){ .io = io, .mmio = mmio, .free = *windows };
}

/* One function per slot: function numbers above 0 are empty. */
static struct pci_function *function_at(const struct pci_bus *bus, uint32_t bus_number,
					uint32_t devfn)
{
	if (bus_number || (devfn & 7))
		return NULL;
	return bus->functions[(devfn >> 3) % PCI_SLOT_MAX];
}

static uint64_t config_read(struct pci_bus *bus, uint32_t bus_number, uint32_t devfn,
			    uint32_t offset, uint32_t size)
{
	struct pci_function *function = function_at(bus, bus_number, devfn);

	return function ? pci_function_read(function, offset, size) : UINT64_MAX;
}

static void config_write(struct pci_bus *bus, uint32_t bus_number, uint32_t devfn, uint32_t offset,
			 uint32_t value, uint32_t size)
{
	struct pci_function *function = function_at(bus, bus_number, devfn);

	if (function)
		pci_function_write(function, offset, value, size);
}

/* ECAM: bus in bits 20-27, device and function in 12-19, register in 0-11. 8-byte accesses are two. */
static uint64_t ecam_read(void *device, uint64_t offset, uint32_t size)
{
	uint32_t bus_number = (uint32_t)(offset >> 20) & 0xff;
	uint32_t devfn = (uint32_t)(offset >> 12) & 0xff;
	uint32_t reg = (uint32_t)offset & 0xfff;

	if (size == 8)
		return (ecam_read(device, offset, 4) & UINT32_MAX) |
		       ecam_read(device, offset + 4, 4) << 32;
	return config_read(device, bus_number, devfn, reg, size);
}

static void ecam_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	uint32_t bus_number = (uint32_t)(offset >> 20) & 0xff;
	uint32_t devfn = (uint32_t)(offset >> 12) & 0xff;
	uint32_t reg = (uint32_t)offset & 0xfff;

	if (size == 8) {
		ecam_write(device, offset, value & UINT32_MAX, 4);
		ecam_write(device, offset + 4, value >> 32, 4);
		return;
	}
	config_write(device, bus_number, devfn, reg, (uint32_t)value, size);
}

const struct bus_ops pci_ecam_ops = { .read = ecam_read, .write = ecam_write };

/* Only whole double words reach the address register; port 0xcf9 as a byte is the reset control. */
static uint64_t ports_read(void *device, uint64_t offset, uint32_t size)
{
	struct pci_bus *bus = device;
	uint32_t reg;

	if (offset == PORT_ADDRESS && size == 4)
		return bus->address;
	if (offset == PORT_RESET_CONTROL && size == 1 && bus->reset_control.read)
		return bus->reset_control.read(bus->reset_control.context);
	if (offset < PORT_DATA || !(bus->address & ADDRESS_ENABLE))
		return UINT64_MAX;
	reg = (bus->address & 0xfc) + (uint32_t)(offset - PORT_DATA);
	return config_read(bus, bus->address >> 16 & 0xff, bus->address >> 8 & 0xff, reg, size);
}

static void ports_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	struct pci_bus *bus = device;
	uint32_t reg;

	if (offset == PORT_ADDRESS && size == 4) {
		bus->address = (uint32_t)value & ADDRESS_WRITABLE;
		return;
	}
	if (offset == PORT_RESET_CONTROL && size == 1 && bus->reset_control.write) {
		bus->reset_control.write(bus->reset_control.context, (uint8_t)value);
		return;
	}
	if (offset < PORT_DATA || !(bus->address & ADDRESS_ENABLE))
		return;
	reg = (bus->address & 0xfc) + (uint32_t)(offset - PORT_DATA);
	config_write(bus, bus->address >> 16 & 0xff, bus->address >> 8 & 0xff, reg, (uint32_t)value,
		     size);
}

const struct bus_ops pci_ports_ops = { .read = ports_read, .write = ports_write };
