/*
 * A 16550A serial port: see uart.h.
 */
#include "vmm/platform/byte_io.h"
#include "vmm/platform/uart.h"

enum { /* offsets; two have different names when read and written, two more under LCR_DLAB */
       REG_RBR_THR = 0,
       REG_IER = 1,
       REG_IIR_FCR = 2,
       REG_LCR = 3,
       REG_MCR = 4,
       REG_LSR = 5,
       REG_MSR = 6,
       REG_SCR = 7,
};

enum {
	IER_RECEIVED = 0x01,
	IER_THR_EMPTY = 0x02,
	IER_LINE_STATUS = 0x04,
	IER_MODEM_STATUS = 0x08,
	IER_WRITABLE = 0x0f,
};

enum { /* highest priority first */
       IIR_LINE_STATUS = 0x06,
       IIR_RECEIVED = 0x04,
       IIR_TIMEOUT = 0x0c,
       IIR_THR_EMPTY = 0x02,
       IIR_MODEM_STATUS = 0x00,
       IIR_NONE = 0x01,
       IIR_FIFOS_ENABLED = 0xc0,
};

enum {
	FCR_ENABLE = 0x01,
	FCR_CLEAR_RX = 0x02,
	FCR_TRIGGER_SHIFT = 6,
	FCR_KEPT = 0xc9, /* the trigger level, DMA mode, enable */
};

enum {
	LCR_WORD_LENGTH = 0x03, /* less 5 */
	LCR_DLAB = 0x80,
};

enum {
	MCR_DTR = 0x01,
	MCR_RTS = 0x02,
	MCR_OUT1 = 0x04,
	MCR_OUT2 = 0x08,
	MCR_LOOP = 0x10,
	MCR_WRITABLE = 0x1f,
};

enum {
	LSR_DATA_READY = 0x01,
	LSR_OVERRUN = 0x02,
	LSR_THR_EMPTY = 0x20,
	LSR_TX_EMPTY = 0x40,
};

enum {
	MSR_DELTA_CTS = 0x01,
	MSR_DELTA_DSR = 0x02,
	MSR_RI_FELL = 0x04,
	MSR_DELTA_DCD = 0x08,
	MSR_DELTAS = 0x0f,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80,
	MSR_LINES = 0xf0,
	MSR_DELTA_SHIFT = 4, /* from a line to its delta */
};

/* The peer is always there and always ready. */
enum { PEER_LINES = MSR_CTS | MSR_DSR | MSR_DCD };

enum { DIVISOR_9600_BAUD = 12 };

static_assert(sizeof(struct uart_state) == 40, "uart_state is saved");

static bool has_fifos(const struct uart *uart)
{
	return uart->state.fcr & FCR_ENABLE;
}

static bool is_looped(const struct uart *uart)
{
	return uart->state.mcr & MCR_LOOP;
}

static uint8_t rx_capacity(const struct uart *uart)
{
	return has_fifos(uart) ? UART_FIFO_BYTES : 1;
}

static uint8_t rx_trigger(const struct uart *uart)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return has_fifos(uart) ? levels[uart->state.fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The enabled interrupt of highest priority, as IIR names it. */
static uint8_t pending_interrupt(const struct uart *uart)
{
	const struct uart_state *s = &uart->state;

	if ((s->ier & IER_LINE_STATUS) && s->lsr_overrun)
		return IIR_LINE_STATUS;
	if ((s->ier & IER_RECEIVED) && s->rx_count >= rx_trigger(uart))
		return IIR_RECEIVED;
	if ((s->ier & IER_RECEIVED) && s->is_rx_timed_out)
		return IIR_TIMEOUT;
	if ((s->ier & IER_THR_EMPTY) && s->is_thr_empty_pending)
		return IIR_THR_EMPTY;
	if ((s->ier & IER_MODEM_STATUS) && (s->msr & MSR_DELTAS))
		return IIR_MODEM_STATUS;
	return IIR_NONE;
}

static void drive_irq(struct uart *uart)
{
	bool is_pending = pending_interrupt(uart) != IIR_NONE;

	irq_line_set(&uart->irq, is_pending && (uart->state.mcr & MCR_OUT2));
}

/*
 * Call when the receive FIFO was touched: bytes below the trigger level, left alone for a while from now,
 * are a timeout. One who doesn't want the interrupt costs no timer.
 */
static void restart_rx_timeout(struct uart *uart)
{
	struct uart_state *s = &uart->state;
	bool is_waiting = has_fifos(uart) && s->rx_count && s->rx_count < rx_trigger(uart);

	s->is_rx_timed_out = false;
	if (is_waiting && (s->ier & IER_RECEIVED)) {
		s->rx_timeout_ns = vmclock_now_ns(uart->rx_timer.clock) + UART_RX_TIMEOUT_NS;
		vtimer_arm(&uart->rx_timer, s->rx_timeout_ns);
	} else {
		s->rx_timeout_ns = VTIMER_NEVER;
		vtimer_cancel(&uart->rx_timer);
	}
}

static void rx_timer_expired(void *context)
{
	struct uart *uart = context;

	pthread_mutex_lock(uart->lock);
	if (vmclock_now_ns(uart->rx_timer.clock) >= uart->state.rx_timeout_ns) {
		uart->state.rx_timeout_ns = VTIMER_NEVER;
		uart->state.is_rx_timed_out = true;
		drive_irq(uart);
	}
	pthread_mutex_unlock(uart->lock);
}

static void rx_clear(struct uart *uart)
{
	uart->state.rx_first = 0;
	uart->state.rx_count = 0;
	restart_rx_timeout(uart);
}

/* The FIFO must have room. */
static void rx_push(struct uart *uart, uint8_t byte)
{
	struct uart_state *s = &uart->state;

	s->rx[(s->rx_first + s->rx_count) % UART_FIFO_BYTES] = byte;
	s->rx_count++;
}

static uint8_t rx_pop(struct uart *uart)
{
	struct uart_state *s = &uart->state;
	uint8_t byte = s->rx[s->rx_first % UART_FIFO_BYTES];

	if (s->rx_count) {
		s->rx_count--;
		s->rx_first = (uint8_t)((s->rx_first + 1u) % UART_FIFO_BYTES);
	}
	restart_rx_timeout(uart);
	return byte;
}

/* Last in whatever may have made room, since the console may call uart_receive() from it. */
static void tell_of_room(struct uart *uart)
{
	if (!uart->is_room_awaited || !uart_room(uart))
		return;
	uart->is_room_awaited = false;
	if (uart->console.room)
		uart->console.room(uart->console.context);
}

size_t uart_room(struct uart *uart)
{
	uint8_t capacity = rx_capacity(uart);
	size_t room = 0;

	if (!is_looped(uart) && uart->state.rx_count < capacity)
		room = (size_t)(capacity - uart->state.rx_count);
	if (!room)
		uart->is_room_awaited = true;
	return room;
}

size_t uart_receive(struct uart *uart, const uint8_t *bytes, size_t n)
{
	size_t taken = min_u64(n, uart_room(uart));

	for (size_t i = 0; i < taken; i++)
		rx_push(uart, bytes[i]);
	if (taken < n)
		uart->is_room_awaited = true;
	if (taken) {
		restart_rx_timeout(uart);
		drive_irq(uart);
	}
	return taken;
}

/* The transmitter's end is tied to the receiver's: the one place where input can overrun. */
static void loop_back(struct uart *uart, uint8_t byte)
{
	struct uart_state *s = &uart->state;

	if (s->rx_count < rx_capacity(uart)) {
		rx_push(uart, byte);
	} else {
		s->lsr_overrun = LSR_OVERRUN;
		if (!has_fifos(uart)) /* the new byte replaces the one in RBR */
			s->rx[s->rx_first % UART_FIFO_BYTES] = byte;
	}
	restart_rx_timeout(uart);
}

static void transmit(struct uart *uart, uint8_t byte)
{
	byte &= (uint8_t)(0xff >> (3 - (uart->state.lcr & LCR_WORD_LENGTH)));

	/* The interrupt goes away and comes back: an edge, for controllers that wait for one. */
	uart->state.is_thr_empty_pending = false;
	drive_irq(uart);
	if (is_looped(uart))
		loop_back(uart, byte);
	else
		uart->console.transmit(uart->console.context, &byte, 1);
	uart->state.is_thr_empty_pending = true;
}

/* The reads that change something; all others leave the interrupt and the room as they are. */

static uint8_t read_rbr(struct uart *uart)
{
	uint8_t byte = rx_pop(uart);

	drive_irq(uart);
	tell_of_room(uart);
	return byte;
}

static uint8_t read_iir(struct uart *uart)
{
	uint8_t interrupt = pending_interrupt(uart);

	if (interrupt == IIR_THR_EMPTY) {
		uart->state.is_thr_empty_pending = false;
		drive_irq(uart);
	}
	return has_fifos(uart) ? interrupt | IIR_FIFOS_ENABLED : interrupt;
}

static uint8_t read_lsr(struct uart *uart)
{
	uint8_t lsr = LSR_THR_EMPTY | LSR_TX_EMPTY | uart->state.lsr_overrun;

	if (uart->state.lsr_overrun) {
		uart->state.lsr_overrun = 0;
		drive_irq(uart);
	}
	return uart->state.rx_count ? lsr | LSR_DATA_READY : lsr;
}

static uint8_t read_msr(struct uart *uart)
{
	uint8_t msr = uart->state.msr;

	uart->state.msr &= MSR_LINES;
	drive_irq(uart);
	return msr;
}

static uint8_t modem_lines(const struct uart *uart)
{
	uint8_t mcr = uart->state.mcr;

	if (!is_looped(uart))
		return PEER_LINES;
	return (uint8_t)((mcr & MCR_DTR ? MSR_DSR : 0) | (mcr & MCR_RTS ? MSR_CTS : 0) |
			 (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* Ring's bit notes only the end of a ring; the others note every change. */
static void sample_modem_lines(struct uart *uart)
{
	uint8_t lines = modem_lines(uart);
	uint8_t changed = (lines ^ uart->state.msr) & MSR_LINES;
	uint8_t noted = changed & (uint8_t) ~(lines & MSR_RI);

	uart->state.msr = lines | (uart->state.msr & MSR_DELTAS) | noted >> MSR_DELTA_SHIFT;
}

static void write_ier(struct uart *uart, uint8_t value)
{
	uint8_t enabled = value & (uint8_t)~uart->state.ier;

	uart->state.ier = value & IER_WRITABLE;
	if (enabled & IER_THR_EMPTY)
		uart->state.is_thr_empty_pending = true;
	if (enabled & IER_RECEIVED)
		restart_rx_timeout(uart);
}

/* A write without the enable bit turns the FIFOs off and programs nothing else. */
static void write_fcr(struct uart *uart, uint8_t value)
{
	bool is_enabling = value & FCR_ENABLE;
	bool is_cleared = is_enabling != has_fifos(uart) || (is_enabling && value & FCR_CLEAR_RX);

	uart->state.fcr = is_enabling ? value & FCR_KEPT : 0;
	if (is_cleared)
		rx_clear(uart);
	else
		restart_rx_timeout(uart);
}

static uint8_t uart_read_byte(void *device, uint64_t offset)
{
	struct uart *uart = device;
	const struct uart_state *s = &uart->state;
	bool has_divisor = s->lcr & LCR_DLAB;

	switch (offset) {
	case REG_RBR_THR:
		return has_divisor ? s->divisor_low : read_rbr(uart);
	case REG_IER:
		return has_divisor ? s->divisor_high : s->ier;
	case REG_IIR_FCR:
		return read_iir(uart);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(uart);
	case REG_MSR:
		return read_msr(uart);
	default:
		return s->scratch;
	}
}

static void uart_write_byte(void *device, uint64_t offset, uint8_t value)
{
	struct uart *uart = device;
	struct uart_state *s = &uart->state;
	bool has_divisor = s->lcr & LCR_DLAB;

	switch (offset) {
	case REG_RBR_THR:
		if (has_divisor)
			s->divisor_low = value;
		else
			transmit(uart, value);
		break;
	case REG_IER:
		if (has_divisor)
			s->divisor_high = value;
		else
			write_ier(uart, value);
		break;
	case REG_IIR_FCR:
		write_fcr(uart, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value & MCR_WRITABLE;
		sample_modem_lines(uart);
		break;
	case REG_SCR:
		s->scratch = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

static uint64_t uart_read(void *device, uint64_t offset, uint32_t size)
{
	return byte_io_read(device, offset, size, uart_read_byte);
}

static void uart_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	byte_io_write(device, offset, value, size, uart_write_byte);
	drive_irq(device);
	tell_of_room(device);
}

const struct bus_ops uart_ops = { .read = uart_read, .write = uart_write };

int uart_create(struct uart *uart, struct loop *loop, const struct vmclock *clock,
		pthread_mutex_t *lock, const struct irq_line *irq,
		const struct uart_console *console)
{
	int err;

	*uart = (struct uart){ .irq = *irq, .lock = lock, .console = *console };
	err = vtimer_create(&uart->rx_timer, loop, clock, rx_timer_expired, uart);
	if (err)
		return err;
	uart_reset(uart);
	return 0;
}

void uart_destroy(struct uart *uart)
{
	vtimer_destroy(&uart->rx_timer);
}

void uart_reset(struct uart *uart)
{
	uart->state = (struct uart_state){
		.rx_timeout_ns = VTIMER_NEVER,
		.msr = PEER_LINES,
		.divisor_low = DIVISOR_9600_BAUD,
	};
	uart_resume(uart);
	tell_of_room(uart);
}

void uart_resume(struct uart *uart)
{
	vtimer_arm(&uart->rx_timer, uart->state.rx_timeout_ns);
	drive_irq(uart);
}
