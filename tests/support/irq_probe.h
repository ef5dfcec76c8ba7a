/*
 * The far end of an irq_line: the level and how often it rose.
 */
#pragma once

#include "vmm/irq_line.h"

struct irq_probe {
	bool level;
	unsigned long rises;
};

static inline void irq_probe_set(void *chip, uint32_t gsi, bool level)
{
	struct irq_probe *probe = chip;

	(void)gsi;
	probe->rises += level && !probe->level;
	probe->level = level;
}

static inline struct irq_line irq_probe_line(struct irq_probe *probe, uint32_t gsi)
{
	return (struct irq_line){ .set = irq_probe_set, .chip = probe, .gsi = gsi };
}
