/*
 * A wire from a device to the platform's interrupt controllers.
 *
 * The device calls irq_line_set() with the level it drives; repeating a level is harmless. Edge-triggered
 * users pulse: true, then false. Context: the holder of vm->lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct irq_line {
	void (*set)(void *chip, uint32_t gsi, bool level);
	void *chip;
	uint32_t gsi; /* "global system interrupt": IOAPIC pin, and ISA IRQ below 16 */
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->chip, line->gsi, level);
}
