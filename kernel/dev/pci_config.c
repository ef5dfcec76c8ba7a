/*
 * Configuration space, by memory (ECAM) or by ports: see pci_config.h.
 *
 * A bus is mapped, 1 MiB, when it is first looked at: a whole segment would be 256 MiB, and hardly any bus exists.
 * Source: PCI Express Base Specification 4.0, 7.2.2 "PCI Express Enhanced Configuration Access Mechanism"; PCI Local Bus
 * Specification 3.0, 3.2.2.3.2 "Software Generation of Configuration Transactions".
 */
#include <stddef.h>

#include "kernel/acpi/acpi.h"
#include "kernel/arch/io.h"
#include "kernel/arch/spinlock.h"
#include "kernel/dev/pci.h"
#include "kernel/dev/pci_config.h"
#include "kernel/mem/kspace.h"

enum {
	BUSES = 256,
	ADDRESS_PORT = 0xcf8,
	DATA_PORT = 0xcfc,
};

#define BUS_BYTES      (UINT64_C(1) << 20)
#define ADDRESS_ENABLE (UINT32_C(1) << 31)
#define NOTHING	       UINT32_MAX

static const struct mcfg_segment by_ports = { .last_bus = BUSES - 1 };
static volatile uint8_t *buses[ACPI_SEGMENTS_MAX][BUSES]; /* NULL: not mapped yet */
static struct spinlock port_lock; /* the address port, and what it selects */

uint32_t pci_config_init(void)
{
	return acpi.mcfg.nr_segments ? acpi.mcfg.nr_segments : 1;
}

const struct mcfg_segment *pci_config_segment(uint32_t index)
{
	return acpi.mcfg.nr_segments ? &acpi.mcfg.segments[index] : &by_ports;
}

/* By memory; NULL: no such bus, or no way by memory. */
static volatile uint8_t *function_at(uint16_t segment, uint8_t bus, uint8_t slot, uint8_t function)
{
	for (uint32_t i = 0; i < acpi.mcfg.nr_segments; i++) {
		const struct mcfg_segment *found = &acpi.mcfg.segments[i];

		if (found->segment != segment || bus < found->first_bus || bus > found->last_bus)
			continue;
		if (!buses[i][bus])
			buses[i][bus] = kspace_map(hpa(found->base + bus * BUS_BYTES), BUS_BYTES,
						   PTE_WRITE | PTE_PCD | PTE_PWT);
		return buses[i][bus]
			       ? buses[i][bus] + ((uint32_t)slot << 15 | (uint32_t)function << 12)
			       : NULL;
	}
	return NULL;
}

static void select(uint8_t bus, uint8_t slot, uint8_t function, uint32_t offset)
{
	out32(ADDRESS_PORT, ADDRESS_ENABLE | (uint32_t)bus << 16 | (uint32_t)slot << 11 |
				    (uint32_t)function << 8 | (offset & 0xfc));
}

static uint32_t read_port(uint16_t port, uint32_t size)
{
	return size == 1 ? in8(port) : size == 2 ? in16(port) : in32(port);
}

static void write_port(uint16_t port, uint32_t size, uint32_t value)
{
	if (size == 1)
		out8(port, (uint8_t)value);
	else if (size == 2)
		out16(port, (uint16_t)value);
	else
		out32(port, value);
}

static bool is_reached_by_ports(uint16_t segment, uint32_t offset)
{
	return !acpi.mcfg.nr_segments && !segment && offset < PCI_CONFIG_BYTES;
}

uint32_t pci_config_read(uint16_t segment, uint8_t bus, uint8_t slot, uint8_t function,
			 uint32_t offset, uint32_t size_bytes)
{
	volatile uint8_t *at = function_at(segment, bus, slot, function);
	uint32_t value = NOTHING;
	uint64_t flags;

	if (at)
		return size_bytes == 1	 ? at[offset]
		       : size_bytes == 2 ? *(volatile uint16_t *)(at + offset)
					 : *(volatile uint32_t *)(at + offset);
	if (!is_reached_by_ports(segment, offset))
		return value;
	flags = spin_lock_irqsave(&port_lock);
	select(bus, slot, function, offset);
	value = read_port((uint16_t)(DATA_PORT + (offset & 3)), size_bytes);
	spin_unlock_irqrestore(&port_lock, flags);
	return value;
}

void pci_config_write(uint16_t segment, uint8_t bus, uint8_t slot, uint8_t function,
		      uint32_t offset, uint32_t size_bytes, uint32_t value)
{
	volatile uint8_t *at = function_at(segment, bus, slot, function);
	uint64_t flags;

	if (at && size_bytes == 1)
		at[offset] = (uint8_t)value;
	else if (at && size_bytes == 2)
		*(volatile uint16_t *)(at + offset) = (uint16_t)value;
	else if (at)
		*(volatile uint32_t *)(at + offset) = value;
	if (at || !is_reached_by_ports(segment, offset))
		return;
	flags = spin_lock_irqsave(&port_lock);
	select(bus, slot, function, offset);
	write_port((uint16_t)(DATA_PORT + (offset & 3)), size_bytes, value);
	spin_unlock_irqrestore(&port_lock, flags);
}
