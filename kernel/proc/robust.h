/*
 * What a thread leaves behind in ring 3's memory when it ends or gets a new program: locks that it holds, and its number.
 *
 * Source: Linux, Documentation/locking/robust-futexes.rst, robust-futex-ABI.rst; set_tid_address(2).
 */
#pragma once

/* Marks the locks on the calling thread's list as their dead owner's, clears its number, wakes who waits for either. */
void robust_leave(void);
