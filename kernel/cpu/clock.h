/*
 * Time since the machine started, by the time-stamp counter.
 */
#pragma once

#include "lib/compiler.h"

/* Finds out how fast the counter runs, once. */
void clock_init(void);

/* Nanoseconds since clock_init(); never backwards on one CPU. Any context. */
uint64_t clock_ns(void);

/* Busily. */
void clock_wait(uint64_t ns);

/* What the counter will be at @ns, rounded up; and back. */
uint64_t clock_to_tsc(uint64_t ns);
uint64_t clock_from_tsc(uint64_t tsc);

uint64_t clock_tsc_khz(void);

/* Seconds since 1970 at clock_ns() == 0, from the battery clock: UTC. */
uint64_t clock_boot_time_s(void);

/* For other counters: clock_scale(ns, clock_factor(hz)) is how far one of @hz gets in @ns. No division at use. */
uint64_t clock_factor(uint64_t hz);
uint64_t clock_scale(uint64_t value, uint64_t factor);
