/*
 * The other processors. They are started for a case that wants them, wait in HLT with interrupts open for
 * something to run, and are stopped after the case.
 */
#pragma once

#include "tests/guest/suite/case.h"

enum {
	CPUS_MAX = 8,
	STARTUP_AT = 0x8000, /* where code for processors in real mode lies */
	STARTUP_BYTES = 0x4000,
};

uint32_t cpus_count(void);
uint32_t cpu_index(void); /* of the one that asks; also its APIC id */

/* Starts all of them; the case ends if one doesn't come. */
void cpus_start(void);
void cpus_stop(void);

/* Has @cpu run @work; cpu_wait() waits for its end, and ends the case if that doesn't come. */
void cpu_begin(uint32_t cpu, void (*work)(void));
void cpu_wait(uint32_t cpu);
void cpu_run(uint32_t cpu, void (*work)(void));

/* INIT, then a start at STARTUP_AT in real mode with @code there. */
void cpu_start_at(uint32_t cpu, const void *code, size_t bytes);
