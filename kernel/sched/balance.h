/*
 * Threads go to processors that have less to do.
 *
 * Who wakes is put on an idle processor, if there is one (thread_wake()). For those that seldom sleep, guests that compute:
 *
 *   - a processor without work takes a thread that waits elsewhere;
 *   - where threads wait, one goes to the processor with the least weight, at once if that is idle, else now and then. It
 *     goes, too, where that only swaps the two loads: three threads on two processors take turns at having one
 *     alone, since it is the one that has been longest on the fuller processor.
 *
 * Context: interrupts off, no queue locked; on the processor that it is about.
 */
#pragma once

/* This one has nothing to do. */
void balance_pull(void);

/* A slice is over, and others wait here. */
void balance_push(void);
