/*
 * The first serial port. Output is polled: the way out that works before and after everything else. Input comes by interrupt.
 */
#pragma once

#include "lib/compiler.h"

void serial_init(void);

/* A newline becomes carriage return and newline. A port that isn't there swallows everything. */
void serial_write(const char *bytes, size_t size);

/* Until the port takes at least SERIAL_BYTES at once, or has taken none for long. Context: thread. */
enum { SERIAL_BYTES = 16 };
void serial_wait(void);

/* From here on every byte that comes in is given to @received, with interrupts off. Once, after irq_init() and ioapic_init(). */
void serial_start_input(void (*received)(uint8_t byte));
