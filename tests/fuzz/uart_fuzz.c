/*
 * A driver and a console at odds. What must hold: the console is told of room whenever it waits
 * for it, and bytes that were taken and not dropped by the guest come out in order.
 */
#include "tests/support/fuzz_script.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/uart.h"

static void transmit(void *context UNUSED, const uint8_t *bytes UNUSED, size_t n)
{
	fuzz_claim(n > 0);
}

static void room(void *context)
{
	bool *is_waiting = context;

	*is_waiting = false;
}

static void feed(struct fuzz_script *script, struct uart *uart, bool *is_waiting)
{
	uint8_t bytes[32] = { 0 };
	size_t n = fuzz_take(script, 1) % (sizeof(bytes) + 1);
	size_t had_room = uart_room(uart);

	*is_waiting = uart_receive(uart, bytes, n) < n || !had_room;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fuzz_script script = { bytes, n };
	bool is_waiting = false;
	struct irq_probe irq = { 0 };
	struct irq_line line = irq_probe_line(&irq, UART_COM1_IRQ);
	struct uart_console console = { transmit, room, &is_waiting };
	struct vm_time time;
	struct uart uart;

	vm_time_start(&time, 0);
	if (uart_create(&uart, &time.loop, &time.clock, &time.lock, &line, &console))
		abort();
	time.timer = &uart.rx_timer;

	while (fuzz_has_more(&script)) {
		switch (fuzz_take(&script, 1) % 4) {
		case 0:
		case 1:
			fuzz_access(&script, &uart_ops, &uart, UART_PORTS);
			break;
		case 2:
			feed(&script, &uart, &is_waiting);
			break;
		default:
			vm_time_advance(&time, fuzz_take(&script, 3));
		}
		fuzz_claim(uart.state.rx_count <= UART_FIFO_BYTES);
		fuzz_claim(!is_waiting || uart_room(&uart) == 0);
	}
	uart_destroy(&uart);
	vm_time_stop(&time);
	return 0;
}
