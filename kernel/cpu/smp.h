/*
 * All CPUs at once.
 */
#pragma once

/* For a panic: the others halt for good. Does not wait for long. */
void smp_stop_others(void);

/* The machine ends: off, or at least still. */
_Noreturn void smp_end_machine(void);
