/*
 * Making processors forget translations.
 */
#pragma once

#include "lib/compiler.h"

/* The kernel's half, global entries too, on all CPUs. Waits for them: interrupts must be on, or one CPU run. */
void tlb_flush_kernel(void);

struct mm;

/* What CPUs remember of ring 3's half of @mm. Context: as above. */
void tlb_flush_mm(struct mm *mm);

/*
 * What was taken out of nested page tables before is remembered by no CPU after: all have left their guests, and flush when
 * they enter one again (svm/). Context: as above.
 */
void tlb_flush_guests(void);
