/*
 * Configuration space, by memory (ECAM) or by ports: see pci.h.
 *
 * A bus is mapped, 1 MiB, when it is first looked at: a whole segment would be 256 MiB, and hardly any bus exists.
 * Source: PCI Express Base Specification 4.0, 7.2.2 "PCI Express Enhanced Configuration Access Mechanism"; PCI Local Bus
 * Specification 3.0, 3.2.2.3.2 "Software Generation of Configuration Transactions".
 */
#include "kernel/acpi/acpi.h"
#include "kernel/arch/io.h"
#include "kernel/arch/spinlock.h"
#include "kernel/dev/pci.h"
#include "kernel/mem/kspace.h"

enum {
	BUSES = 256,
	ADDRESS_PORT = 0xcf8,
	DATA_PORT = 0xcfc,
};

#define BUS_BYTES      (UINT64_C(1) << 20)
#define ADDRESS_ENABLE (UINT32_C(1) << 31)

static const struct mcfg_segment by_ports = { .last_bus = BUSES - 1 };
static volatile uint8_t *buses[ACPI_SEGMENTS_MAX][BUSES]; /* NULL: not mapped yet */
static struct spinlock port_lock; /* the address port, and what it selects */

const struct mcfg_segment *pci_segment(uint32_t index)
{
	if (!acpi.mcfg.nr_segments)
		return index ? NULL : &by_ports;
	return index < acpi.mcfg.nr_segments ? &acpi.mcfg.segments[index] : NULL;
}

/* NULL: it can't be mapped. */
static volatile uint8_t *by_memory(const struct pci_device *device)
{
	volatile uint8_t **bus = &buses[device->segment - acpi.mcfg.segments][device->bus];

	if (!*bus)
		*bus = kspace_map(hpa(device->segment->base + device->bus * BUS_BYTES), BUS_BYTES,
				  PTE_WRITE | PTE_PCD | PTE_PWT);
	return *bus ? *bus + ((uint32_t)device->slot << 15 | (uint32_t)device->function << 12)
		    : NULL;
}

/* With the lock. Returns the port of the data at @offset. */
static uint16_t select(const struct pci_device *device, uint32_t offset)
{
	out32(ADDRESS_PORT, ADDRESS_ENABLE | (uint32_t)device->bus << 16 |
				    (uint32_t)device->slot << 11 | (uint32_t)device->function << 8 |
				    (offset & 0xfc));
	return (uint16_t)(DATA_PORT + (offset & 3));
}

static uint32_t read_by_ports(const struct pci_device *device, uint32_t offset, uint32_t size)
{
	uint64_t flags = spin_lock_irqsave(&port_lock);
	uint16_t port = select(device, offset);
	uint32_t value = size == 1 ? in8(port) : size == 2 ? in16(port) : in32(port);

	spin_unlock_irqrestore(&port_lock, flags);
	return value;
}

uint32_t pci_read(const struct pci_device *device, uint32_t offset, uint32_t size_bytes)
{
	volatile uint8_t *at;

	if (device->segment == &by_ports)
		return read_by_ports(device, offset, size_bytes);
	at = by_memory(device);
	if (!at)
		return UINT32_MAX;
	return size_bytes == 1	 ? at[offset]
	       : size_bytes == 2 ? *(volatile uint16_t *)(at + offset)
				 : *(volatile uint32_t *)(at + offset);
}

static void write_by_ports(const struct pci_device *device, uint32_t offset, uint32_t size,
			   uint32_t value)
{
	uint64_t flags = spin_lock_irqsave(&port_lock);
	uint16_t port = select(device, offset);

	if (size == 2)
		out16(port, (uint16_t)value);
	else
		out32(port, value);
	spin_unlock_irqrestore(&port_lock, flags);
}

void pci_write(const struct pci_device *device, uint32_t offset, uint32_t size_bytes,
	       uint32_t value)
{
	volatile uint8_t *at;

	if (device->segment == &by_ports) {
		write_by_ports(device, offset, size_bytes, value);
		return;
	}
	at = by_memory(device);
	if (at && size_bytes == 2)
		*(volatile uint16_t *)(at + offset) = (uint16_t)value;
	else if (at)
		*(volatile uint32_t *)(at + offset) = value;
}
