/*
 * PCI configuration space: one bus, functions on it, and the two ways in (ECAM and ports 0xcf8/0xcfc).
 *
 * A function describes its 256 bytes of configuration space and its BARs before pci_add(); from then on
 * the core keeps the BARs mapped on the buses as the guest programs them. Extended space (above 256) reads
 * as zero: no extended capabilities.
 *
 * Context: the holder of vm->lock. Source: PCI Local Bus Specification 3.0, chapter 6 "Configuration Space";
 * PCI Express Base Specification, "PCI Express Enhanced Configuration Access Mechanism (ECAM)".
 */
#pragma once

#include <linux/pci_regs.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"
#include "vmm/bus.h"
#include "vmm/irq_line.h"

enum {
	PCI_CONFIG_BYTES = 256,
	PCI_BAR_MAX = 6,
	PCI_SLOT_MAX = 32,
	PCI_ECAM_FUNCTION_BYTES = 4096,
};

struct pci_function;

struct pci_function_ops {
	/* After the guest wrote [offset, offset + size) of configuration space. May be NULL. */
	void (*config_written)(struct pci_function *function, uint32_t offset, uint32_t size);
	/* Before the guest reads there: bring the bytes up to date. May be NULL. */
	void (*config_reading)(struct pci_function *function, uint32_t offset, uint32_t size);
	/* After BAR @bar was mapped or unmapped. May be NULL. */
	void (*bar_changed)(struct pci_function *function, uint32_t bar);
};

struct pci_bar {
	uint64_t size; /* a power of two; 0: no such BAR */
	bool is_io;
	bool is_64bit; /* memory only; takes the next BAR's register too */
	const struct bus_ops *ops;
	uint64_t base; /* while mapped */
	bool is_mapped;
};

/* What the guest can see or set; saved with the VM. */
struct pci_function_state {
	uint8_t config[PCI_CONFIG_BYTES];
};

struct pci_function {
	struct pci_function_state state;
	uint8_t initial[PCI_CONFIG_BYTES];   /* [I] after pci_add(): what a reset brings back */
	uint8_t writable[PCI_CONFIG_BYTES];  /* [I] bits that the guest may set and clear */
	uint8_t clearable[PCI_CONFIG_BYTES]; /* [I] bits that the guest clears by writing 1 */
	uint32_t next_capability;	     /* where the next one goes */
	uint32_t last_capability;	     /* the one to link from; 0: the header */
	const char *name;		     /* [I] borrowed */
	const struct pci_function_ops *ops;  /* [I] */
	void *device;			     /* [I] what the BARs' bus_ops get */
	struct pci_bar bars[PCI_BAR_MAX];
	struct pci_bus *bus; /* while on one */
	uint32_t slot;
	struct irq_line intx; /* the level-triggered wire of INTA# */
};

/* Where BARs may be placed: the windows that ACPI tells the guest too. */
struct pci_windows {
	uint64_t io_start, io_end;
	uint64_t mem32_start, mem32_end;
	uint64_t mem64_start, mem64_end;
};

/* See reset_control_read() of the platform: port 0xcf9 lies inside the address port of configuration space. */
struct pci_reset_control {
	uint8_t (*read)(void *context);
	void (*write)(void *context, uint8_t value);
	void *context;
};

struct pci_bus {
	struct pci_function *functions[PCI_SLOT_MAX]; /* borrowed */
	struct bus *io, *mmio;			      /* borrowed */
	struct pci_windows free;		      /* what is still unassigned */
	struct pci_reset_control reset_control;
	uint32_t address; /* the guest's last write to port 0xcf8; saved with the VM */
};

/* Building a function, before pci_add(). */
struct pci_id {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /* 24 bits: class, subclass, programming interface */
	uint8_t revision;
};

void pci_function_init(struct pci_function *function, const char *name, const struct pci_id *id,
		       const struct pci_function_ops *ops, void *device);
void pci_function_set_bar(struct pci_function *function, uint32_t bar,
			  const struct pci_bar *description);

/* Appends a capability of @size bytes (header included) and returns its offset. Space is the caller's care. */
uint32_t pci_function_add_capability(struct pci_function *function, uint8_t id, uint32_t size);
/* Lets the guest change the @size bytes at @offset, as far as @mask has bits. */
void pci_function_allow(struct pci_function *function, uint32_t offset, uint32_t size,
			uint32_t mask);

void pci_bus_init(struct pci_bus *bus, struct bus *io, struct bus *mmio,
		  const struct pci_windows *windows);

/**
 * pci_add() - plug a function into @slot and give its BARs addresses, as firmware would
 *
 * Returns 0; -EBUSY the slot is taken; -ENOSPC no room in the windows.
 */
MUST_CHECK int pci_add(struct pci_bus *bus, uint32_t slot, struct pci_function *function,
		       struct errmsg *why);
void pci_remove(struct pci_function *function);

/* The state after power-on: BARs where pci_add() put them, decoding as firmware leaves it. */
void pci_function_reset(struct pci_function *function);

static inline uint16_t pci_config_get16(const struct pci_function *function, uint32_t offset)
{
	return (uint16_t)(function->state.config[offset] | function->state.config[offset + 1] << 8);
}

static inline void pci_config_set16(struct pci_function *function, uint32_t offset, uint16_t value)
{
	function->state.config[offset] = (uint8_t)value;
	function->state.config[offset + 1] = (uint8_t)(value >> 8);
}

static inline uint32_t pci_config_get32(const struct pci_function *function, uint32_t offset)
{
	return (uint32_t)pci_config_get16(function, offset) |
	       (uint32_t)pci_config_get16(function, offset + 2) << 16;
}

static inline void pci_config_set32(struct pci_function *function, uint32_t offset, uint32_t value)
{
	pci_config_set16(function, offset, (uint16_t)value);
	pci_config_set16(function, offset + 2, (uint16_t)(value >> 16));
}

/* The ways in. The device is the struct pci_bus. */
extern const struct bus_ops pci_ecam_ops;  /* 1 MiB for the one bus */
extern const struct bus_ops pci_ports_ops; /* 8 ports from 0xcf8 */
