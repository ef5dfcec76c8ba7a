/*
 * A clock whose rate is written down, to find out the rate of the one that we use: the HPET, ACPI's PM timer, or the PIT.
 *
 * Source: IA-PC HPET Specification 1.0a, 2.3 "Memory Mapped Registers"; ACPI 6.4, 4.8.3.3 "Power Management Timer".
 */
#pragma once

#include "lib/compiler.h"

struct reference {
	const char *name;
	uint64_t period_fs; /* of a tick: 10^-15 s */
	uint64_t mask;	    /* of its counter */
	uint64_t (*read)(void);
};

/* NULL: this machine has none of them. Context: boot, after acpi_init(). */
const struct reference *reference_find(void);
