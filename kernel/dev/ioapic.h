/*
 * The host's I/O APICs: lines of devices that can't send messages (the serial port, old disks).
 *
 * A line is named by its global system interrupt (GSI); ISA's own numbers are translated by ioapic_isa_line().
 * Context: thread; masking: any.
 * Source: 82093AA datasheet; ACPI 6.4, 5.2.12.3 "I/O APIC Structure".
 */
#pragma once

#include "lib/compiler.h"

/* Maps them and masks every line. After acpi_init(). */
void ioapic_init(void);

struct ioapic_line {
	uint32_t gsi;
	bool is_level, is_low;
};

/* ISA interrupt @irq, as the firmware wired it. */
struct ioapic_line ioapic_isa_line(uint8_t irq);

/* Sends @line to the CPU of @vector (dev/irq.h), which can from then on be masked. -ENODEV: no such line. */
MUST_CHECK int ioapic_route(struct ioapic_line line, uint32_t vector);
