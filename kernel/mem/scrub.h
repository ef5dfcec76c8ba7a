/*
 * Free memory is zeroed ahead of use by processors that have nothing else to do, so that a guest's first touch of its memory
 * needn't wait for that: 2 MiB each time.
 *
 * Context: the idle thread, interrupts off; a call takes no longer than a page.
 */
#pragma once

#include <stdbool.h>

/* Zeroes a page; false: there is nothing to do. */
bool scrub_page(void);

/* The processor gets other work: what it was at goes back. */
void scrub_stop(void);
