/*
 * How busy the machine is: the mean number of threads that run or wait for a CPU, as Linux reports it.
 */
#pragma once

#include <stdint.h>

/* Over 1, 5 and 15 minutes, in 1/65536. */
enum { LOADS = 3, LOAD_SHIFT = 16 };

void load_read(uint64_t loads[LOADS]);

/* Starts counting. Once, when threads run. */
void load_init(void);
