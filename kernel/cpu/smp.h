/*
 * All CPUs at once.
 */
#pragma once

/* For a panic: the others halt for good. Does not wait for long. */
void smp_stop_others(void);

/* After a panic: the machine stands still, or ends with a status where it is an emulated one. */
_Noreturn void smp_end_machine(void);
