/*
 * All CPUs at once.
 */
#pragma once

#include "lib/compiler.h"

/*
 * Calls @function on every other CPU, in interrupt context, and returns when all have. One such call at a time.
 * Context: interrupts on, no spinlock held: the others may be waiting for it.
 */
void smp_call_others(void (*function)(void));

/* Before the other CPUs start. */
void smp_init(void);

/* For a panic: the others halt for good. Does not wait for long. */
void smp_stop_others(void);

/* The machine stands still; or ends with @status (0 to 111) where it is an emulated one that has a port for this. */
_Noreturn void smp_end_machine(uint8_t status);
