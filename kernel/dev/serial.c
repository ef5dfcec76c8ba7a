/*
 * The first serial port, polled: see serial.h. (PC16550D datasheet.)
 */
#include <linux/serial_reg.h>
#include <stdbool.h>

#include "kernel/arch/io.h"
#include "kernel/dev/ioapic.h"
#include "kernel/dev/irq.h"
#include "kernel/dev/print.h"
#include "kernel/dev/serial.h"

enum {
	PORT = 0x3f8,
	DIVISOR_115200 = 1,
	ISA_IRQ = 4,

	FIFO_BYTES = 16,
	SPINS_MAX = 1000000, /* longer than 16 bytes take at any speed; then the port is given up */
};

static bool is_there;
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

/* One look at the status pays for a FIFO of bytes. */
static void put(char c)
{
	static unsigned int room;

	for (unsigned int spins = 0; !room && spins < SPINS_MAX; spins++)
		if (in8(PORT + UART_LSR) & UART_LSR_THRE)
			room = FIFO_BYTES;
	if (!room) {
		is_there = false;
		return;
	}
	out8(PORT + UART_TX, (uint8_t)c);
	room--;
}

void serial_write(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size && is_there; i++) {
		if (bytes[i] == '\n')
			put('\r');
		put(bytes[i]);
	}
}

static bool on_interrupt(void *data)
{
	bool has_come = false;

	(void)data;
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
	out8(PORT + UART_IER, UART_IER_RDI);
}
