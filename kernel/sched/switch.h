/*
 * What else changes when another thread gets the CPU: address space, FS base, FPU.
 */
#pragma once

#include "kernel/sched/thread.h"

/* Interrupts are off. */
void thread_state_switch(struct thread *previous, struct thread *next);
