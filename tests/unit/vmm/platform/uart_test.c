/*
 * The serial port as a guest's driver and the console see it.
 */
#include <string.h>

#include "tests/support/cmocka.h"
#include "tests/support/irq_probe.h"
#include "tests/support/vm_time.h"
#include "vmm/platform/uart.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { THR = RBR, FCR = IIR };
enum { OUT2 = 0x08, LOOP = 0x10 };
enum {
	FIFOS_TRIGGER_1 = 0x01,
	FIFOS_TRIGGER_4 = 0x41,
	FIFOS_TRIGGER_8 = 0x81,
	FIFOS_TRIGGER_14 = 0xc1
};

struct bench {
	struct vm_time time;
	struct irq_probe irq;
	struct uart uart;
	uint8_t sent[64];
	size_t nr_sent;
	unsigned rooms;
};

static void bench_transmit(void *context, const uint8_t *bytes, size_t n)
{
	struct bench *bench = context;

	assert_true(bench->nr_sent + n <= sizeof(bench->sent));
	memcpy(&bench->sent[bench->nr_sent], bytes, n);
	bench->nr_sent += n;
}

static void bench_room(void *context)
{
	struct bench *bench = context;

	bench->rooms++;
}

static int bench_start(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct uart_console console = { bench_transmit, bench_room, bench };
	struct irq_line line;

	vm_time_start(&bench->time, 0);
	line = irq_probe_line(&bench->irq, UART_COM1_IRQ);
	if (uart_create(&bench->uart, &bench->time.loop, &bench->time.clock, &bench->time.lock,
			&line, &console))
		return -1;
	bench->time.timer = &bench->uart.rx_timer;
	*state = bench;
	return 0;
}

static int bench_stop(void **state)
{
	struct bench *bench = *state;

	uart_destroy(&bench->uart);
	vm_time_stop(&bench->time);
	free(bench);
	return 0;
}

static uint8_t in(struct bench *bench, uint64_t offset)
{
	return (uint8_t)uart_ops.read(&bench->uart, offset, 1);
}

static void out(struct bench *bench, uint64_t offset, uint8_t value)
{
	uart_ops.write(&bench->uart, offset, value, 1);
}

static size_t receive(struct bench *bench, size_t n)
{
	static const uint8_t bytes[] = "abcdefghijklmnopqrstuvwxyz";

	return uart_receive(&bench->uart, bytes, n);
}

static void what_the_guest_writes_is_transmitted_at_once(void **state)
{
	struct bench *bench = *state;

	out(bench, LCR, 0x03);
	out(bench, THR, 'h');
	out(bench, THR, 'i');
	assert_int_equal(bench->nr_sent, 2);
	assert_memory_equal(bench->sent, "hi", 2);
	assert_int_equal(in(bench, LSR), 0x60);
}

static void short_words_lose_their_high_bits(void **state)
{
	struct bench *bench = *state;

	out(bench, LCR, 0x02); /* 7 bits */
	out(bench, THR, 0xc1);
	out(bench, LCR, 0x00); /* 5 bits */
	out(bench, THR, 0xff);
	assert_int_equal(bench->sent[0], 0x41);
	assert_int_equal(bench->sent[1], 0x1f);
}

static void the_divisor_latch_hides_data_and_interrupt_enable(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x05);
	out(bench, LCR, 0x80);
	out(bench, 0, 0x34);
	out(bench, 1, 0x12);
	assert_int_equal(in(bench, 0), 0x34);
	assert_int_equal(in(bench, 1), 0x12);
	out(bench, LCR, 0x03);
	assert_int_equal(in(bench, IER), 0x05);
	assert_int_equal(bench->nr_sent, 0);
}

static void registers_keep_only_their_own_bits(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0xff);
	out(bench, SCR, 0xa5);
	out(bench, MCR, 0xef);
	out(bench, LSR, 0xff);
	out(bench, MSR, 0xff);
	assert_int_equal(in(bench, IER), 0x0f);
	assert_int_equal(in(bench, SCR), 0xa5);
	assert_int_equal(in(bench, MCR), 0x0f);
	assert_int_equal(in(bench, LSR), 0x60);
	assert_int_equal(in(bench, MSR), 0xb0);
}

static void bytes_arrive_in_order_and_then_no_more(void **state)
{
	struct bench *bench = *state;

	out(bench, FCR, FIFOS_TRIGGER_1);
	assert_int_equal(receive(bench, 3), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(in(bench, LSR) & 1, 1);
		assert_int_equal(in(bench, RBR), 'a' + i);
	}
	assert_int_equal(in(bench, LSR) & 1, 0);
}

static void without_fifos_one_byte_fits(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(uart_room(&bench->uart), 1);
	assert_int_equal(receive(bench, 5), 1);
	assert_int_equal(uart_room(&bench->uart), 0);
	assert_int_equal(in(bench, RBR), 'a');
}

static void with_fifos_sixteen_bytes_fit_and_none_is_lost(void **state)
{
	struct bench *bench = *state;

	out(bench, FCR, FIFOS_TRIGGER_14);
	assert_int_equal(receive(bench, 20), 16);
	assert_int_equal(receive(bench, 4), 0);
	assert_int_equal(in(bench, LSR) & 2, 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(in(bench, RBR), 'a' + i);
}

static void the_console_hears_of_room_only_if_it_waits_for_it(void **state)
{
	struct bench *bench = *state;

	out(bench, FCR, FIFOS_TRIGGER_1);
	receive(bench, 16);
	in(bench, RBR);
	assert_int_equal(bench->rooms, 0);
	receive(bench, 3);
	in(bench, RBR);
	in(bench, RBR);
	assert_int_equal(bench->rooms, 1);
}

static void asking_for_room_in_vain_is_waiting_for_it(void **state)
{
	struct bench *bench = *state;

	receive(bench, 1);
	assert_int_equal(uart_room(&bench->uart), 0);
	in(bench, RBR);
	assert_int_equal(bench->rooms, 1);
}

static void a_guest_that_clears_its_fifo_makes_room(void **state)
{
	struct bench *bench = *state;

	out(bench, FCR, FIFOS_TRIGGER_1);
	receive(bench, 17);
	out(bench, FCR, FIFOS_TRIGGER_1 | 0x02);
	assert_int_equal(bench->rooms, 1);
	assert_int_equal(uart_room(&bench->uart), 16);
	assert_int_equal(in(bench, LSR) & 1, 0);
}

static void in_loopback_input_waits_outside(void **state)
{
	struct bench *bench = *state;

	out(bench, MCR, LOOP);
	assert_int_equal(receive(bench, 1), 0);
	assert_int_equal(bench->rooms, 0);
	out(bench, MCR, 0);
	assert_int_equal(bench->rooms, 1);
	assert_int_equal(receive(bench, 1), 1);
}

static void in_loopback_output_comes_back_and_goes_nowhere(void **state)
{
	struct bench *bench = *state;

	out(bench, LCR, 0x03);
	out(bench, MCR, LOOP);
	out(bench, THR, 0x5a);
	assert_int_equal(in(bench, RBR), 0x5a);
	assert_int_equal(bench->nr_sent, 0);
}

static void in_loopback_modem_control_becomes_modem_status(void **state)
{
	static const uint8_t status_of_control[][2] = {
		{ 0x00, 0x00 }, { 0x01, 0x20 }, { 0x02, 0x10 }, { 0x04, 0x40 }, { 0x08, 0x80 },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(status_of_control); i++) {
		out(bench, MCR, LOOP | status_of_control[i][0]);
		assert_int_equal(in(bench, MSR) & 0xf0, status_of_control[i][1]);
	}
}

static void modem_status_notes_changes_until_it_is_read(void **state)
{
	struct bench *bench = *state;

	out(bench, MCR, LOOP | 0x0f);
	in(bench, MSR);
	out(bench, MCR, LOOP); /* CTS, DSR and DCD change, the ring ends */
	assert_int_equal(in(bench, MSR), 0x0f);
	assert_int_equal(in(bench, MSR), 0x00);
	out(bench, MCR, LOOP | 0x04); /* a ring that begins is not noted */
	assert_int_equal(in(bench, MSR), 0x40);
}

static void an_overrun_in_loopback_keeps_the_fifo_and_is_reported_once(void **state)
{
	struct bench *bench = *state;

	out(bench, LCR, 0x03);
	out(bench, FCR, FIFOS_TRIGGER_1);
	out(bench, MCR, LOOP);
	for (int i = 0; i < 17; i++)
		out(bench, THR, (uint8_t)i);
	assert_int_equal(in(bench, LSR), 0x63);
	assert_int_equal(in(bench, LSR), 0x61);
	for (int i = 0; i < 16; i++)
		assert_int_equal(in(bench, RBR), i);
}

static void no_interrupt_is_pending_after_reset(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(in(bench, IIR), 0x01);
	out(bench, FCR, FIFOS_TRIGGER_1);
	assert_int_equal(in(bench, IIR), 0xc1);
	assert_false(bench->irq.level);
}

static void interrupts_reach_the_line_only_with_out2(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x01);
	receive(bench, 1);
	assert_int_equal(in(bench, IIR), 0x04);
	assert_false(bench->irq.level);
	out(bench, MCR, OUT2);
	assert_true(bench->irq.level);
}

static void received_data_interrupts_from_the_trigger_level_up(void **state)
{
	static const struct {
		uint8_t fcr, level;
	} rows[] = {
		{ FIFOS_TRIGGER_1, 1 },
		{ FIFOS_TRIGGER_4, 4 },
		{ FIFOS_TRIGGER_8, 8 },
		{ FIFOS_TRIGGER_14, 14 },
	};
	struct bench *bench = *state;

	out(bench, IER, 0x01);
	out(bench, MCR, OUT2);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		out(bench, FCR, rows[i].fcr | 0x02);
		receive(bench, rows[i].level - 1u);
		assert_int_equal(in(bench, IIR), 0xc1);
		receive(bench, 1);
		assert_int_equal(in(bench, IIR), 0xc4);
		assert_true(bench->irq.level);
		in(bench, RBR);
		assert_int_equal(in(bench, IIR), 0xc1);
		assert_false(bench->irq.level);
	}
}

static void bytes_below_the_trigger_time_out(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x01);
	out(bench, MCR, OUT2);
	out(bench, FCR, FIFOS_TRIGGER_8);
	receive(bench, 3);
	vm_time_advance(&bench->time, UART_RX_TIMEOUT_NS - 1);
	assert_int_equal(in(bench, IIR), 0xc1);
	vm_time_advance(&bench->time, 1);
	assert_int_equal(in(bench, IIR), 0xcc);
	assert_true(bench->irq.level);
}

static void reading_a_byte_clears_the_timeout_and_restarts_it(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x01);
	out(bench, MCR, OUT2);
	out(bench, FCR, FIFOS_TRIGGER_8);
	receive(bench, 2);
	vm_time_advance(&bench->time, UART_RX_TIMEOUT_NS);
	in(bench, RBR);
	assert_int_equal(in(bench, IIR), 0xc1);
	vm_time_advance(&bench->time, UART_RX_TIMEOUT_NS);
	assert_int_equal(in(bench, IIR), 0xcc);
	assert_int_equal(bench->irq.rises, 2);
}

static void another_byte_restarts_the_timeout(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x01);
	out(bench, FCR, FIFOS_TRIGGER_8);
	receive(bench, 1);
	vm_time_advance(&bench->time, UART_RX_TIMEOUT_NS - 1);
	receive(bench, 1);
	vm_time_advance(&bench->time, UART_RX_TIMEOUT_NS - 1);
	assert_int_equal(in(bench, IIR), 0xc1);
}

static void no_timer_is_armed_for_a_guest_that_polls(void **state)
{
	struct bench *bench = *state;

	out(bench, FCR, FIFOS_TRIGGER_8);
	receive(bench, 3);
	assert_true(bench->uart.rx_timer.deadline_ns == VTIMER_NEVER);
	out(bench, IER, 0x01);
	assert_false(bench->uart.rx_timer.deadline_ns == VTIMER_NEVER);
}

static void enabling_the_thr_interrupt_raises_it(void **state)
{
	struct bench *bench = *state;

	out(bench, MCR, OUT2);
	out(bench, IER, 0x02);
	assert_true(bench->irq.level);
	assert_int_equal(in(bench, IIR), 0x02);
	assert_int_equal(in(bench, IIR), 0x01);
	assert_false(bench->irq.level);
	out(bench, IER, 0x00);
	out(bench, IER, 0x02);
	assert_int_equal(in(bench, IIR), 0x02);
}

static void every_byte_written_makes_the_thr_interrupt_rise_again(void **state)
{
	struct bench *bench = *state;

	out(bench, MCR, OUT2);
	out(bench, IER, 0x02);
	out(bench, THR, 'a');
	out(bench, THR, 'b');
	assert_true(bench->irq.level);
	assert_int_equal(bench->irq.rises, 3);
}

static void reading_iir_clears_the_thr_interrupt_only_when_it_reports_it(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x03);
	receive(bench, 1);
	assert_int_equal(in(bench, IIR), 0x04);
	in(bench, RBR);
	assert_int_equal(in(bench, IIR), 0x02);
}

static void interrupts_are_reported_by_priority(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x0f);
	out(bench, MCR, LOOP);
	out(bench, THR, 'a');
	out(bench, THR, 'b'); /* overruns the one-byte receiver */
	assert_int_equal(in(bench, IIR), 0x06);
	in(bench, LSR);
	assert_int_equal(in(bench, IIR), 0x04);
	in(bench, RBR);
	assert_int_equal(in(bench, IIR), 0x02);
	assert_int_equal(in(bench, IIR), 0x00);
	in(bench, MSR);
	assert_int_equal(in(bench, IIR), 0x01);
}

static void turning_fifos_on_or_off_empties_them(void **state)
{
	struct bench *bench = *state;

	receive(bench, 1);
	out(bench, FCR, FIFOS_TRIGGER_1);
	assert_int_equal(in(bench, LSR) & 1, 0);
	receive(bench, 5);
	out(bench, FCR, 0);
	assert_int_equal(in(bench, LSR) & 1, 0);
	assert_int_equal(in(bench, IIR), 0x01);
}

static void a_wide_access_is_one_per_byte(void **state)
{
	struct bench *bench = *state;

	uart_ops.write(&bench->uart, LCR, 0xa50300000003, 8);
	assert_int_equal(in(bench, LCR), 0x03);
	assert_int_equal(uart_ops.read(&bench->uart, LCR, 4), 0xb0600003);
}

static void reset_drops_the_interrupt_and_tells_of_room(void **state)
{
	struct bench *bench = *state;

	out(bench, IER, 0x01);
	out(bench, MCR, OUT2);
	receive(bench, 2);
	assert_true(bench->irq.level);
	uart_reset(&bench->uart);
	assert_false(bench->irq.level);
	assert_int_equal(bench->rooms, 1);
}

static void a_loaded_state_goes_on_with_its_timeout(void **state)
{
	struct bench *bench = *state;
	struct uart_state saved;

	out(bench, IER, 0x01);
	out(bench, MCR, OUT2);
	out(bench, FCR, FIFOS_TRIGGER_8);
	receive(bench, 2);
	saved = bench->uart.state;
	uart_reset(&bench->uart);
	bench->uart.state = saved;
	uart_resume(&bench->uart);
	vm_time_advance(&bench->time, UART_RX_TIMEOUT_NS);
	assert_true(bench->irq.level);
	assert_int_equal(in(bench, RBR), 'a');
}

#define uart_test(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		uart_test(what_the_guest_writes_is_transmitted_at_once),
		uart_test(short_words_lose_their_high_bits),
		uart_test(the_divisor_latch_hides_data_and_interrupt_enable),
		uart_test(registers_keep_only_their_own_bits),
		uart_test(bytes_arrive_in_order_and_then_no_more),
		uart_test(without_fifos_one_byte_fits),
		uart_test(with_fifos_sixteen_bytes_fit_and_none_is_lost),
		uart_test(the_console_hears_of_room_only_if_it_waits_for_it),
		uart_test(asking_for_room_in_vain_is_waiting_for_it),
		uart_test(a_guest_that_clears_its_fifo_makes_room),
		uart_test(in_loopback_input_waits_outside),
		uart_test(in_loopback_output_comes_back_and_goes_nowhere),
		uart_test(in_loopback_modem_control_becomes_modem_status),
		uart_test(modem_status_notes_changes_until_it_is_read),
		uart_test(an_overrun_in_loopback_keeps_the_fifo_and_is_reported_once),
		uart_test(no_interrupt_is_pending_after_reset),
		uart_test(interrupts_reach_the_line_only_with_out2),
		uart_test(received_data_interrupts_from_the_trigger_level_up),
		uart_test(bytes_below_the_trigger_time_out),
		uart_test(reading_a_byte_clears_the_timeout_and_restarts_it),
		uart_test(another_byte_restarts_the_timeout),
		uart_test(no_timer_is_armed_for_a_guest_that_polls),
		uart_test(enabling_the_thr_interrupt_raises_it),
		uart_test(every_byte_written_makes_the_thr_interrupt_rise_again),
		uart_test(reading_iir_clears_the_thr_interrupt_only_when_it_reports_it),
		uart_test(interrupts_are_reported_by_priority),
		uart_test(turning_fifos_on_or_off_empties_them),
		uart_test(a_wide_access_is_one_per_byte),
		uart_test(reset_drops_the_interrupt_and_tells_of_room),
		uart_test(a_loaded_state_goes_on_with_its_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
