/*
 * What happens before ring 3 goes on: another thread's turn, the thread's end, signals.
 */
#pragma once

struct trap_frame;

/* Interrupts are off, and off again when it returns: nothing that came in between was missed. */
void user_return(struct trap_frame *frame);
