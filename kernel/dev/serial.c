/*
 * The first serial port, polled: see serial.h. (PC16550D datasheet.)
 */
#include <stdbool.h>

#include "kernel/arch/io.h"
#include "kernel/dev/ioapic.h"
#include "kernel/dev/irq.h"
#include "kernel/dev/print.h"
#include "kernel/dev/serial.h"

enum {
	PORT = 0x3f8,
	DATA = PORT,
	INTERRUPT_ENABLE = PORT + 1,
	FIFO_CONTROL = PORT + 2,
	LINE_CONTROL = PORT + 3,
	MODEM_CONTROL = PORT + 4,
	LINE_STATUS = PORT + 5,
	SCRATCH = PORT + 7,

	DIVISOR_115200 = 1,
	LINE_8N1 = 0x03,
	LINE_DIVISOR_ACCESS = 0x80,
	FIFO_ENABLE_AND_CLEAR = 0x07,
	MODEM_DTR_RTS_OUT2 = 0x0b,
	STATUS_DATA_READY = 0x01,
	STATUS_TRANSMITTER_READY = 0x20,
	INTERRUPT_ON_DATA = 0x01,
	ISA_IRQ = 4,

	FIFO_BYTES = 16,
	SPINS_MAX = 1000000, /* longer than 16 bytes take at any speed; then the port is given up */
};

static bool is_there;
static void (*on_byte)(uint8_t byte);

void serial_init(void)
{
	out8(SCRATCH, 0x5a);
	is_there = in8(SCRATCH) == 0x5a;
	if (!is_there)
		return;
	out8(INTERRUPT_ENABLE, 0);
	out8(LINE_CONTROL, LINE_8N1 | LINE_DIVISOR_ACCESS);
	out8(DATA, DIVISOR_115200);
	out8(DATA + 1, 0);
	out8(LINE_CONTROL, LINE_8N1);
	out8(FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
	out8(MODEM_CONTROL, MODEM_DTR_RTS_OUT2);
}

/* One look at the status pays for a FIFO of bytes. */
static void put(char c)
{
	static unsigned int room;

	for (unsigned int spins = 0; !room && spins < SPINS_MAX; spins++)
		if (in8(LINE_STATUS) & STATUS_TRANSMITTER_READY)
			room = FIFO_BYTES;
	if (!room) {
		is_there = false;
		return;
	}
	out8(DATA, (uint8_t)c);
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
	while (in8(LINE_STATUS) & STATUS_DATA_READY) {
		on_byte(in8(DATA));
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
	out8(INTERRUPT_ENABLE, INTERRUPT_ON_DATA);
}
