/*
 * The first serial port, polled: see serial.h. (PC16550D datasheet.)
 */
#include <linux/serial_reg.h>

#include "kernel/arch/io.h"
#include "kernel/cpu/clock.h"
#include "kernel/dev/ioapic.h"
#include "kernel/dev/irq.h"
#include "kernel/dev/print.h"
#include "kernel/dev/serial.h"
#include "kernel/sched/deadline.h"
#include "kernel/sched/waitq.h"

enum {
	PORT = 0x3f8,
	DIVISOR_115200 = 1,
	ISA_IRQ = 4,

	FIFO_BYTES = 16,
	SPINS_MAX = 1000000, /* longer than 16 bytes take at any speed */
};

/* How long who can wait does so for somebody to read at the other end. */
#define PATIENCE_NS UINT64_C(10000000000)

static bool is_there, has_interrupt;
static bool is_stalled; /* it has taken nothing for long: what is said is lost until it does */
static unsigned int fifo_room; /* bytes that it takes without another look */
static struct waitq room_came = WAITQ(room_came);
static void (*on_byte)(uint8_t byte);

void serial_init(void)
{
	out8(PORT + UART_SCR, 0x5a);
	is_there = in8(PORT + UART_SCR) == 0x5a;
	if (!is_there)
		return;
	out8(PORT + UART_IER, 0);
	out8(PORT + UART_LCR, UART_LCR_WLEN8 | UART_LCR_DLAB);
	out8(PORT + UART_DLL, DIVISOR_115200);
	out8(PORT + UART_DLM, 0);
	out8(PORT + UART_LCR, UART_LCR_WLEN8);
	out8(PORT + UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR | UART_FCR_CLEAR_XMIT);
	out8(PORT + UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
}

static bool is_transmitter_ready(void)
{
	return in8(PORT + UART_LSR) & UART_LSR_THRE;
}

/* One look at the status pays for a FIFO of bytes. */
static void put(char c)
{
	unsigned int tries = is_stalled ? 1 : SPINS_MAX;

	while (!fifo_room && tries--)
		if (is_transmitter_ready())
			fifo_room = FIFO_BYTES;
	is_stalled = !fifo_room;
	if (is_stalled)
		return;
	out8(PORT + UART_TX, (uint8_t)c);
	fifo_room--;
}

void serial_write(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size && is_there; i++) {
		if (bytes[i] == '\n')
			put('\r');
		put(bytes[i]);
	}
}

/* If not, an interrupt tells when. */
static bool has_room(void)
{
	if (is_transmitter_ready())
		return true;
	out8(PORT + UART_IER, UART_IER_RDI | UART_IER_THRI);
	return is_transmitter_ready();
}

void serial_wait(void)
{
	struct deadline deadline;

	if (!has_interrupt || is_stalled || has_room())
		return;
	deadline_start(&deadline, clock_ns() + PATIENCE_NS);
	/* Whether it came, or the wait ended otherwise: the caller goes on. */
	(void)waitq_wait_killable(&room_came, has_room() || deadline_has_passed(&deadline));
	deadline_stop(&deadline);
}

static bool on_interrupt(void *data UNUSED)
{
	bool has_come = false;

	if (is_transmitter_ready()) {
		out8(PORT + UART_IER, UART_IER_RDI);
		waitq_wake(&room_came);
		has_come = true;
	}
	while (in8(PORT + UART_LSR) & UART_LSR_DR) {
		on_byte(in8(PORT + UART_RX));
		has_come = true;
	}
	return has_come;
}

void serial_start_input(void (*received)(uint8_t byte))
{
	uint32_t vector;

	if (!is_there)
		return;
	on_byte = received;
	if (irq_alloc("serial", on_interrupt, NULL, &vector) ||
	    ioapic_route(ioapic_isa_line(ISA_IRQ), vector)) {
		print_warn("the serial port has no interrupt: no input from it");
		return;
	}
	has_interrupt = true;
	out8(PORT + UART_IER, UART_IER_RDI);
}
