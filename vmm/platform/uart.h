/*
 * A 16550A serial port with its FIFOs.
 *
 *   - The line is infinitely fast: what the guest writes is transmitted within the write, and the divisor
 *     latch is only storage. The one time that exists is the receive timeout, UART_RX_TIMEOUT_NS.
 *   - Input is never lost: uart_receive() takes what fits, and once it has taken less than it was
 *     offered (or uart_room() has said 0), console->room() is called as soon as there is room again.
 *     In loopback nothing fits: the guest isn't listening to the line.
 *   - Interrupts reach the line while MCR's OUT2 is set, as a PC wires it.
 *   - Not here: parity, framing and break, which no console sends.
 *
 * Context: the holder of vm->lock, except the timer's callback, which takes it.
 * Source: National Semiconductor PC16550D, "Registers" and "FIFO Interrupt Mode Operation".
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq_line.h"
#include "vmm/vtimer.h"

enum {
	UART_COM1_PORT = 0x3f8,
	UART_COM1_IRQ = 4,
	UART_PORTS = 8,
	UART_FIFO_BYTES = 16,
};

/* Four characters of 10 bits at 115200 baud: what a waiting byte below the trigger level waits. */
#define UART_RX_TIMEOUT_NS UINT64_C(347222)

struct uart_state {
	uint64_t rx_timeout_ns;	     /* on the VM's clock; VTIMER_NEVER */
	uint8_t rx[UART_FIFO_BYTES]; /* a ring */
	uint8_t rx_first, rx_count;
	uint8_t is_rx_timed_out;
	uint8_t is_thr_empty_pending; /* the THRE interrupt, until IIR is read or THR written */
	uint8_t ier, fcr, lcr, mcr;
	uint8_t lsr_overrun; /* 0 or the bit */
	uint8_t msr, scratch;
	uint8_t divisor_low, divisor_high;
	uint8_t reserved[3];
};

/* Who sits at the other end of the line. Both functions may call uart_receive() and uart_room(). */
struct uart_console {
	void (*transmit)(void *context, const uint8_t *bytes, size_t n); /* @bytes is borrowed */
	void (*room)(void *context);					 /* may be NULL */
	void *context;
};

struct uart {
	struct uart_state state; /* guest-visible: all that is saved */
	struct irq_line irq;
	struct vtimer rx_timer;
	pthread_mutex_t *lock; /* borrowed: vm->lock */
	struct uart_console console;
	bool is_room_awaited; /* the console holds input back */
};

extern const struct bus_ops uart_ops; /* UART_PORTS */

/*
 * @loop, @clock and @lock are borrowed until uart_destroy(); @irq and @console are copied.
 * Returns 0 or -errno (no descriptor for the timer).
 */
MUST_CHECK int uart_create(struct uart *uart, struct loop *loop, const struct vmclock *clock,
			   pthread_mutex_t *lock, const struct irq_line *irq,
			   const struct uart_console *console);
void uart_destroy(struct uart *uart);

/* Power-on state. Received bytes that the guest hadn't read are dropped, as by a reset of the chip. */
void uart_reset(struct uart *uart);

/* After ->state was loaded or the clock thawed: arms the timer and drives the line. */
void uart_resume(struct uart *uart);

/* Returns how many of @bytes were taken, from the first on. Keep the rest until console->room(). */
size_t uart_receive(struct uart *uart, const uint8_t *bytes, size_t n);

/* How many bytes uart_receive() would take now. */
size_t uart_room(struct uart *uart);
