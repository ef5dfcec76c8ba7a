/*
 * The processor's own local APIC: acknowledging interrupts, interrupting other CPUs, the timer.
 */
#pragma once

#include "lib/compiler.h"

/* On the first CPU, before the others start: finds and maps it. Then on every CPU. */
void apic_init(void);
void apic_init_cpu(void);

uint32_t apic_id(void);

/* The end of an interrupt's handler. */
void irq_end(void);

/* What starts a CPU: the one, then the other with the number of the page where it begins. */
enum { SEND_INIT = 5 << 8, SEND_STARTUP = 6 << 8 };

/* Interrupts the CPU whose APIC has @apic_id with a vector, or with one of these. */
void apic_send(uint32_t apic_id, uint32_t what);

/* VECTOR_TIMER once, at @when on the clock (cpu/clock.h), or as soon after it as may be; UINT64_MAX: not at all. */
void apic_timer_set(uint64_t when_ns);
