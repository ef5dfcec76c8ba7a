/*
 * What the firmware's tables say about this machine; and its end by their registers.
 *
 * Context: acpi_init() once, after memory; the rest any.
 */
#pragma once

#include "kernel/acpi/tables.h"

struct acpi {
	bool has_fadt, has_s5;
	struct madt madt;
	struct mcfg mcfg;
	struct fadt fadt;
	struct hpet hpet;
	struct s5 s5;
};

/* What isn't there is said, and left empty. */
extern struct acpi acpi;

void acpi_init(void);
