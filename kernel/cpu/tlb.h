/*
 * Making processors forget translations.
 */
#pragma once

#include <stdint.h>

/* The kernel's half, global entries too, on all CPUs. Waits for them: interrupts must be on, or one CPU run. */
void tlb_flush_kernel(void);

struct mm;

/* What CPUs remember of ring 3's half of @mm. Context: as above. */
void tlb_flush_mm(struct mm *mm);
