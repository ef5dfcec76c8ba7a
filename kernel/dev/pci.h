/*
 * PCI and PCI Express functions: found once at boot, each given to the driver that claims it.
 *
 *   - A driver is one const struct pci_driver, and all of them are in one array (pci_drivers.c).
 *   - pci_enable() before anything else; pci_stop_dma() when a device can't be trusted any more: after it, the device reaches
 *     no memory.
 *   - Firmware has assigned buses and addresses; they are taken as they are.
 *   - Interrupts are messages (MSI-X, MSI). Pins would need AML: a device that has only those is left alone.
 *
 * Fields: [I] immutable after enumeration  [D] its driver
 * Context: thread, except where said.
 * Source: PCI Local Bus Specification 3.0, 6 "Configuration Space"; PCI Express Base Specification 4.0, 7.
 */
#pragma once

#include <linux/pci_regs.h>

#include "kernel/acpi/tables.h"
#include "kernel/dev/irq.h"
#include "lib/compiler.h"

enum {
	PCI_BARS = PCI_STD_NUM_BARS,
	PCI_CONFIG_BYTES = PCI_CFG_SPACE_SIZE, /* without the extended space */
};

struct pci_bar {
	uint64_t address, size_bytes; /* size 0: none, or of ports */
};

struct pci_device {
	const struct mcfg_segment *segment; /* [I] */
	uint8_t bus, slot, function;	    /* [I] */
	uint16_t vendor_id, device_id;	    /* [I] */
	uint32_t class;			    /* [I] class, subclass, interface */
	char name[16];			    /* [I] "00:03.0", for messages */
	uint8_t config[PCI_CONFIG_BYTES];   /* [I] as it was when the device was found */
	struct pci_bar bars[PCI_BARS];	    /* [I] */
	volatile uint32_t *msix_table;	    /* [D] NULL: not in use */
	uint16_t nr_msix;		    /* [D] */
	void *data;			    /* [D] */
};

struct pci_driver {
	const char *name;
	bool (*claims)(const struct pci_device *device);
	/* 0, or why it isn't used: said, and the device is left alone. May sleep. */
	int (*start)(struct pci_device *device);
};

/* Finds all functions and starts their drivers. After irq_init(), in a thread. */
void pci_init(void);

/* --- configuration space: any context --- */

/* The firmware's segments; without any, a single one by ports. NULL: no more. */
const struct mcfg_segment *pci_segment(uint32_t index);

/* @offset: below PCI_CONFIG_BYTES. All ones where nobody answers. */
uint32_t pci_read(const struct pci_device *device, uint32_t offset, uint32_t size_bytes);
/* @size_bytes: 2 or 4. */
void pci_write(const struct pci_device *device, uint32_t offset, uint32_t size_bytes,
	       uint32_t value);

void pci_enable(const struct pci_device *device);
void pci_stop_dma(const struct pci_device *device);

/**
 * pci_next_capability() - the next capability @id behind the one at @after; 0: the first
 *
 * Pure; bounded, whatever the device shows. Returns its offset in @config, 4-byte aligned and behind the header; 0: none.
 */
uint32_t pci_next_capability(const uint8_t config[PCI_CONFIG_BYTES], uint32_t after, uint8_t id);

/* Maps [offset, offset + size) of a memory BAR, uncached; NULL: not inside it. */
volatile void *pci_map(const struct pci_device *device, uint32_t bar, uint64_t offset,
		       uint64_t size_bytes);

/* --- interrupts --- */

/**
 * pci_irq_add() - a vector and handler (dev/irq.h) for the device's message @index
 *
 * MSI-X where the device has it, else MSI, which has just @index 0.
 * Returns 0; -ENODEV: it has neither, or no such index; -ENOSPC.
 */
MUST_CHECK int pci_irq_add(struct pci_device *device, uint32_t index, const char *name,
			   irq_handler handle, void *data);

/* The table of drivers; ends with NULL. */
extern const struct pci_driver *const pci_drivers[];
