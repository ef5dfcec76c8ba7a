/*
 * Interrupts of devices: a vector each, with a handler, on a CPU.
 *
 *   - irq_alloc() gives a vector; irq_message() says what a device has to write for it (MSI, MSI-X, an I/O APIC's entry).
 *   - A handler runs with interrupts off and says whether its device had anything for it. One that is called again and again
 *     for nothing is a storm: its source is masked for a while (irq_set_mask()), and that is said once.
 *   - An interrupt at a vector that nobody has is counted, said a few times, and forgotten.
 *
 * Fields: [I] immutable after irq_alloc()  [V] the vector's CPU, interrupts off
 */
#pragma once

#include "lib/compiler.h"

/* What a device writes where. Intel SDM vol. 3, 11.11 "Message Signalled Interrupts". */
struct irq_message {
	uint64_t address;
	uint32_t data;
};

typedef bool (*irq_handler)(void *data);

/* Silences the source, or opens it again. Any context. */
typedef void (*irq_masker)(void *source, bool is_masked);

/* Once, before any device. */
void irq_init(void);

/* -ENOSPC: no vector left. Context: thread. For good: devices don't leave. */
MUST_CHECK int irq_alloc(const char *name, irq_handler handle, void *data, uint32_t *vector);

void irq_set_mask(uint32_t vector, irq_masker mask, void *source);

struct irq_message irq_message(uint32_t vector);
