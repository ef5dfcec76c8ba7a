/*
 * The I/O APIC: 24 pins, each with a redirection entry that says which interrupt it raises where.
 *
 *   - ioapic_set_irq() says whether a pin is *asserted*. The polarity bit of an entry is stored and
 *     read back, but means nothing here: devices and this chip agree without it.
 *   - Edge entries deliver on a rise, and forget a rise that comes while masked. Level entries
 *     deliver while asserted, unmasked and not in service (remote IRR); ioapic_eoi() ends service.
 *   - One call delivers at most one interrupt per pin, so that a stuck line costs one delivery per EOI.
 *   - An entry of delivery mode ExtINT is passed on like any other; the PIC has its own wire to the CPU.
 *
 * Context: the holder of vm->lock.
 * Source: Intel 82093AA, "IOAPIC Registers"; ICH9 datasheet, "Advanced Programmable Interrupt
 * Controller" (version 0x20: the EOI register).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"

enum {
	IOAPIC_PINS = 24,
	IOAPIC_MMIO_BYTES = 0x1000,
};

#define IOAPIC_BASE UINT64_C(0xfec00000)

struct ioapic_state {
	uint64_t redirection[IOAPIC_PINS]; /* as the guest reads them; remote IRR in bit 14 */
	uint32_t asserted;		   /* a bit per pin */
	uint32_t id;			   /* bits 24-27, as in the register */
	uint32_t select;		   /* IOREGSEL */
	uint32_t reserved;
};

/*
 * The way to the local APICs. Neither function may call back into the I/O APIC.
 *
 * A route is live when an EOI of its message has to come back through ioapic_eoi(): its entry is
 * level-triggered, and unmasked or in service. Masking alone doesn't withdraw a route, since guests
 * mask and unmask often and updating routes is slow: never inject through one.
 */
struct ioapic_sink {
	void (*deliver)(void *context, uint64_t msi_address, uint32_t msi_data);
	void (*route_changed)(void *context, uint32_t pin, bool is_live, uint64_t msi_address,
			      uint32_t msi_data);
	void *context;
};

struct ioapic_route {
	uint64_t address;
	uint32_t data;
	bool is_live;
};

struct ioapic {
	struct ioapic_state state; /* guest-visible: all that is saved */
	struct ioapic_sink sink;
	struct ioapic_route routes[IOAPIC_PINS]; /* as last announced */
};

extern const struct bus_ops ioapic_ops; /* IOAPIC_BASE, IOAPIC_MMIO_BYTES */

/* @sink is copied. */
void ioapic_init(struct ioapic *ioapic, const struct ioapic_sink *sink);

/* Power-on state: all masked. What the devices assert stays asserted. Withdraws live routes. */
void ioapic_reset(struct ioapic *ioapic);

/* After ->state was loaded: announces the routes that differ from those announced so far. */
void ioapic_resume(struct ioapic *ioapic);

/* A @pin that doesn't exist is ignored. Repeating a level is harmless. */
void ioapic_set_irq(struct ioapic *ioapic, uint32_t pin, bool is_asserted);

/* A local APIC has broadcast the end of level interrupt @vector. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);
