/*
 * The local APIC in xAPIC mode: registers, priorities, what is accepted when; and the ways between its modes.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum { VECTOR_A = 0x51, VECTOR_B = 0x52, VECTOR_HIGH = 0xa5 };

static volatile uint32_t taken[8], nr_taken;

static void take(struct frame *frame)
{
	taken[nr_taken++ % COUNT_OF(taken)] = (uint32_t)frame->vector;
	apic_eoi();
}

static void take_without_eoi(struct frame *frame)
{
	taken[nr_taken++ % COUNT_OF(taken)] = (uint32_t)frame->vector;
}

static void handle_all(void (*handler)(struct frame *frame))
{
	nr_taken = 0;
	trap_handle(VECTOR_A, handler);
	trap_handle(VECTOR_B, handler);
	trap_handle(VECTOR_HIGH, handler);
	trap_handle(0x10, handler);
	trap_handle(0x20, handler);
}

static void send_self(uint32_t vector)
{
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_SELF | vector);
}

static void expect_kept(uint32_t reg, uint32_t value)
{
	apic_write(reg, value);
	EXPECT(apic_read(reg), value);
}

static void registers_are_as_after_a_reset(void)
{
	EXPECT(apic_read(APIC_ID), 0);
	EXPECT(apic_read(APIC_TPR), 0);
	EXPECT(apic_read(APIC_PPR), 0);
	EXPECT(apic_read(APIC_DFR), UINT32_MAX);
	EXPECT(apic_read(APIC_LVT_THERMAL), LVT_MASKED);
	EXPECT(apic_read(APIC_LVT_PERFORMANCE), LVT_MASKED);
	EXPECT(apic_read(APIC_LVT_ERROR), LVT_MASKED);
	EXPECT(apic_read(APIC_TIMER_CURRENT), 0);
	for (uint32_t word = 0; word < 8; word++) {
		EXPECT(apic_read(APIC_ISR + 16 * word), 0);
		EXPECT(apic_read(APIC_IRR + 16 * word), 0);
	}
}

static void the_version_is_that_of_an_integrated_one(void)
{
	uint32_t version = apic_read(APIC_VERSION);

	EXPECT(version & 0xff, 0x14);
	EXPECT_TRUE((version >> 16 & 0xff) >= 4 && (version >> 16 & 0xff) <= 6);
}

static void the_version_cannot_be_written(void)
{
	uint32_t before = apic_read(APIC_VERSION);

	apic_write(APIC_VERSION, 0);
	EXPECT(apic_read(APIC_VERSION), before);
}

static void the_logical_id_has_eight_bits(void)
{
	apic_write(APIC_LDR, UINT32_MAX);
	EXPECT(apic_read(APIC_LDR), 0xff000000u);
}

static void the_destination_format_has_four_bits(void)
{
	apic_write(APIC_DFR, 0);
	EXPECT(apic_read(APIC_DFR), 0x0fffffff);
	apic_write(APIC_DFR, UINT32_MAX);
	EXPECT(apic_read(APIC_DFR), UINT32_MAX);
}

static void the_task_priority_has_eight_bits(void)
{
	apic_write(APIC_TPR, 0xffffff30u);
	EXPECT(apic_read(APIC_TPR), 0x30);
	EXPECT(apic_read(APIC_PPR), 0x30);
}

static void the_task_priority_keeps_its_subclass(void)
{
	apic_write(APIC_TPR, 0x35);
	EXPECT(apic_read(APIC_TPR), 0x35);
	EXPECT(apic_read(APIC_PPR), 0x35);
}

static void the_spurious_vector_register_keeps_its_bits(void)
{
	expect_kept(APIC_SVR, 0x1ff);
	expect_kept(APIC_SVR, 0x1a0);
	apic_write(APIC_SVR, 0xfffff1ffu & ~(uint32_t)BIT(12));
	EXPECT(apic_read(APIC_SVR) & 0x1ff, 0x1ff);
	EXPECT(apic_read(APIC_SVR) & 0xffffe000u, 0);
}

static void vector_tables_keep_what_they_have(void)
{
	expect_kept(APIC_LVT_TIMER, LVT_MASKED | LVT_PERIODIC | 0x40);
	expect_kept(APIC_LVT_THERMAL, LVT_MASKED | 0x440);
	expect_kept(APIC_LVT_PERFORMANCE, LVT_MASKED | 0x440);
	expect_kept(APIC_LVT_LINT0, LVT_MASKED | 0xa740);
	expect_kept(APIC_LVT_LINT1, LVT_MASKED | 0x2740);
	expect_kept(APIC_LVT_ERROR, LVT_MASKED | 0x40);
}

static void vector_tables_drop_what_they_dont_have(void)
{
	apic_write(APIC_LVT_ERROR, UINT32_MAX);
	EXPECT(apic_read(APIC_LVT_ERROR) & ~(uint32_t)ICR_BUSY, LVT_MASKED | 0xff);
	apic_write(APIC_LVT_THERMAL, UINT32_MAX);
	EXPECT(apic_read(APIC_LVT_THERMAL) & ~(uint32_t)ICR_BUSY, LVT_MASKED | 0x7ff);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | 0xff00);
	EXPECT(apic_read(APIC_LVT_TIMER) & ~(uint32_t)ICR_BUSY, LVT_MASKED);
}

static void divide_configuration_has_three_bits(void)
{
	apic_write(APIC_TIMER_DIVIDE, UINT32_MAX);
	EXPECT(apic_read(APIC_TIMER_DIVIDE) & 0xb, 0xb);
}

static void registers_that_are_not_there_read_zero(void)
{
	EXPECT(mmio32(APIC_AT + 0x00), 0);
	EXPECT(mmio32(APIC_AT + 0x40), 0);
	EXPECT(mmio32(APIC_AT + 0x3f0), 0);
	EXPECT(mmio32(APIC_AT + 0x800), 0);
}

static void a_byte_of_a_register_can_be_read(void)
{
	uint32_t version = apic_read(APIC_VERSION);

	EXPECT(mmio8(APIC_AT + APIC_VERSION), version & 0xff);
	EXPECT(mmio8(APIC_AT + APIC_VERSION + 2), version >> 16 & 0xff);
}

static void a_self_ipi_arrives(void)
{
	handle_all(take);
	send_self(VECTOR_A);
	EXPECT_TRUE(apic_bit(APIC_IRR, VECTOR_A));
	EXPECT_TRUE(!apic_bit(APIC_ISR, VECTOR_A));
	EXPECT(nr_taken, 0);
	take_interrupts();
	EXPECT(nr_taken, 1);
	EXPECT(taken[0], VECTOR_A);
	EXPECT_TRUE(!apic_bit(APIC_IRR, VECTOR_A));
	EXPECT_TRUE(!apic_bit(APIC_ISR, VECTOR_A));
}

static void two_of_one_vector_are_one(void)
{
	handle_all(take);
	send_self(VECTOR_A);
	send_self(VECTOR_A);
	take_interrupts();
	EXPECT(nr_taken, 1);
}

static void the_higher_vector_comes_first(void)
{
	handle_all(take);
	send_self(VECTOR_A);
	send_self(VECTOR_HIGH);
	send_self(VECTOR_B);
	sti();
	EXPECT_TRUE(WAIT(nr_taken == 3));
	cli();
	EXPECT(taken[0], VECTOR_HIGH);
	EXPECT(taken[1], VECTOR_B);
	EXPECT(taken[2], VECTOR_A);
}

static void what_is_in_service_holds_back_its_class(void)
{
	handle_all(take_without_eoi);
	send_self(VECTOR_A);
	take_interrupts();
	EXPECT(nr_taken, 1);
	EXPECT_TRUE(apic_bit(APIC_ISR, VECTOR_A));
	EXPECT(apic_read(APIC_PPR), 0x50);
	send_self(VECTOR_B);
	take_interrupts();
	EXPECT(nr_taken, 1);
	EXPECT_TRUE(apic_bit(APIC_IRR, VECTOR_B));
	send_self(VECTOR_HIGH);
	take_interrupts();
	EXPECT(nr_taken, 2);
	EXPECT(taken[1], VECTOR_HIGH);
	EXPECT(apic_read(APIC_PPR), 0xa0);
	apic_eoi();
	EXPECT(apic_read(APIC_PPR), 0x50);
	EXPECT_TRUE(!apic_bit(APIC_ISR, VECTOR_HIGH));
	apic_eoi();
	EXPECT(apic_read(APIC_PPR), 0);
	take_interrupts();
	EXPECT(nr_taken, 3);
	EXPECT(taken[2], VECTOR_B);
	apic_eoi();
}

static void an_eoi_without_service_does_nothing(void)
{
	apic_eoi();
	apic_eoi();
	for (uint32_t word = 0; word < 8; word++)
		EXPECT(apic_read(APIC_ISR + 16 * word), 0);
}

static void the_task_priority_holds_interrupts_back(void)
{
	handle_all(take);
	apic_write(APIC_TPR, 0x50);
	send_self(VECTOR_A);
	take_interrupts();
	EXPECT(nr_taken, 0);
	EXPECT(apic_read(APIC_PPR), 0x50);
	send_self(VECTOR_HIGH);
	take_interrupts();
	EXPECT(nr_taken, 1);
	apic_write(APIC_TPR, 0x4f);
	take_interrupts();
	EXPECT(nr_taken, 2);
}

static void cr8_is_the_task_priority(void)
{
	write_cr8(5);
	EXPECT(apic_read(APIC_TPR), 0x50);
	apic_write(APIC_TPR, 0x7f);
	EXPECT(read_cr8(), 7);
	write_cr8(0);
	EXPECT(apic_read(APIC_TPR), 0);
}

static void cr8_holds_interrupts_back(void)
{
	handle_all(take);
	write_cr8(5);
	send_self(VECTOR_A);
	take_interrupts();
	EXPECT(nr_taken, 0);
	sti();
	write_cr8(4);
	EXPECT_TRUE(WAIT(nr_taken == 1));
	cli();
	EXPECT(taken[0], VECTOR_A);
	write_cr8(0);
}

static void cr8_has_four_bits(void)
{
	EXPECT(TRY("mov %0, %%cr8", : : "r"(UINT64_C(0x10)) : "memory"), VECTOR_GP);
	write_cr8(15);
	EXPECT(read_cr8(), 15);
	write_cr8(0);
}

static void vectors_below_16_are_an_error(void)
{
	apic_write(APIC_ESR, 0);
	send_self(0x0f);
	apic_write(APIC_ESR, 0);
	/* A sender's or a receiver's error, or both. */
	EXPECT_TRUE(apic_read(APIC_ESR) & 0x60);
	apic_write(APIC_ESR, 0);
	EXPECT(apic_read(APIC_ESR), 0);
	EXPECT_TRUE(!apic_bit(APIC_IRR, 0x0f));
}

static void vectors_from_16_on_are_accepted(void)
{
	handle_all(take);
	send_self(0x20);
	take_interrupts();
	EXPECT(nr_taken, 1);
	EXPECT(taken[0], 0x20);
}

static void the_delivery_status_is_idle(void)
{
	send_self(VECTOR_A);
	EXPECT(apic_read(APIC_ICR) & ICR_BUSY, 0);
	EXPECT(apic_read(APIC_ICR), (uint32_t)(ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_A));
}

static void the_upper_half_of_the_command_keeps_the_destination(void)
{
	apic_write(APIC_ICR_HIGH, 0x05000000);
	EXPECT(apic_read(APIC_ICR_HIGH), 0x05000000);
	apic_write(APIC_ICR_HIGH, UINT32_MAX);
	EXPECT(apic_read(APIC_ICR_HIGH), 0xff000000u);
}

static void switched_off_by_software_it_masks_its_tables(void)
{
	apic_write(APIC_LVT_TIMER, 0x40);
	apic_write(APIC_LVT_ERROR, 0x41);
	apic_write(APIC_SVR, 0xff);
	EXPECT(apic_read(APIC_LVT_TIMER), LVT_MASKED | 0x40);
	EXPECT(apic_read(APIC_LVT_ERROR), LVT_MASKED | 0x41);
	apic_write(APIC_LVT_TIMER, 0x40);
	EXPECT(apic_read(APIC_LVT_TIMER), LVT_MASKED | 0x40);
	apic_write(APIC_SVR, 0xff | SVR_ENABLED);
	EXPECT(apic_read(APIC_LVT_TIMER), LVT_MASKED | 0x40);
	apic_write(APIC_LVT_TIMER, 0x40);
	EXPECT(apic_read(APIC_LVT_TIMER), 0x40);
}

static void switched_off_by_software_it_takes_no_interrupts(void)
{
	handle_all(take);
	apic_write(APIC_SVR, 0xff);
	apic_send(0, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	take_interrupts();
	EXPECT(nr_taken, 0);
}

static void switched_off_for_good_it_is_no_device(void)
{
	apic_set_mode(0);
	EXPECT(rdmsr(MSR_APIC_BASE), APIC_AT | APIC_BASE_BSP);
	/* Its place is that of any other address without a device: what is written is lost. */
	mmio32(APIC_AT + APIC_TPR) = 0x30;
	EXPECT(mmio32(APIC_AT + APIC_TPR), UINT32_MAX);
	apic_set_mode(APIC_BASE_ENABLED);
	EXPECT(apic_read(APIC_TPR), 0);
}

static void switched_on_again_it_is_as_after_a_reset(void)
{
	apic_write(APIC_LVT_LINT0, 0x10700);
	apic_write(APIC_LDR, 0x42000000);
	apic_set_mode(0);
	apic_set_mode(APIC_BASE_ENABLED);
	EXPECT(apic_read(APIC_SVR), 0xff);
	EXPECT(apic_read(APIC_LDR), 0);
	EXPECT(apic_read(APIC_LVT_LINT1), LVT_MASKED);
	EXPECT(apic_read(APIC_ID), 0);
}

static void the_modes_have_an_order(void)
{
	const uint64_t base = APIC_AT | APIC_BASE_BSP, both = APIC_BASE_ENABLED | APIC_BASE_X2APIC;

	/* x2APIC without "enabled" doesn't exist. */
	EXPECT(try_wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC), VECTOR_GP);
	EXPECT(try_wrmsr(MSR_APIC_BASE, base | both), NO_FAULT);
	/* Back to xAPIC only through "off". */
	EXPECT(try_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLED), VECTOR_GP);
	EXPECT(rdmsr(MSR_APIC_BASE), base | both);
	EXPECT(try_wrmsr(MSR_APIC_BASE, base), NO_FAULT);
	/* From "off" not straight into x2APIC. */
	EXPECT(try_wrmsr(MSR_APIC_BASE, base | both), VECTOR_GP);
	EXPECT(try_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLED), NO_FAULT);
}

static void its_registers_can_be_mapped_elsewhere(void)
{
	const uint64_t va = PAGING_FREE_AT;

	paging_map(va, APIC_AT | PTE_RW, 1);
	EXPECT(mmio32(va + APIC_VERSION), apic_read(APIC_VERSION));
	mmio32(va + APIC_TPR) = 0x20;
	EXPECT(apic_read(APIC_TPR), 0x20);
}

static void the_pic_comes_through_lint0(void)
{
	enum { PIC_VECTOR = 0x30 };

	handle_all(take_without_eoi);
	trap_handle(PIC_VECTOR, take_without_eoi);
	apic_write(APIC_LVT_LINT0, 0x700);
	outb(0x20, 0x11); /* ICW1 to 4: vectors from 0x30, automatic EOI */
	outb(0x21, PIC_VECTOR);
	outb(0x21, 4);
	outb(0x21, 3);
	outb(0x21, 0xfe);
	outb(0x43, 0x30); /* channel 0, mode 0 */
	outb(0x40, 100);
	outb(0x40, 0);
	sti();
	EXPECT_TRUE(WAIT(nr_taken));
	cli();
	EXPECT(taken[0], PIC_VECTOR);
	EXPECT(nr_taken, 1);
	outb(0x21, 0xff);
	apic_write(APIC_LVT_LINT0, LVT_MASKED | 0x700);
}

enum { IOAPIC_PIN_PIT = 2 };

static const uint64_t ioapic_at = 0xfec00000;

static void ioapic_write(uint32_t reg, uint32_t value)
{
	mmio32(ioapic_at) = reg;
	mmio32(ioapic_at + 0x10) = value;
}

static void pit_once(void)
{
	outb(0x43, 0x30);
	outb(0x40, 100);
	outb(0x40, 0);
}

static void the_ioapic_delivers_edges(void)
{
	handle_all(take);
	ioapic_write(0x11 + 2 * IOAPIC_PIN_PIT, 0);
	ioapic_write(0x10 + 2 * IOAPIC_PIN_PIT, VECTOR_A);
	ioapic_write(0x11, 0);
	ioapic_write(0x10, VECTOR_A);
	pit_once();
	sti();
	EXPECT_TRUE(WAIT(nr_taken));
	cli();
	EXPECT(nr_taken, 1);
	EXPECT_TRUE(!apic_bit(APIC_TMR, VECTOR_A));
	ioapic_write(0x10 + 2 * IOAPIC_PIN_PIT, LVT_MASKED);
	ioapic_write(0x10, LVT_MASKED);
}

static uint32_t ioapic_entry(uint32_t pin)
{
	mmio32(ioapic_at) = 0x10 + 2 * pin;
	return mmio32(ioapic_at + 0x10);
}

/* The serial port's interrupt stays asserted until its cause is gone: the EOI must come through to the I/O APIC. */
static void the_end_of_a_level_interrupt_reaches_the_ioapic(void)
{
	enum { PIN_COM1 = 4, REMOTE_IRR = 1 << 14, LEVEL = 1 << 15 };

	handle_all(take_without_eoi);
	ioapic_write(0x11 + 2 * PIN_COM1, 0);
	ioapic_write(0x10 + 2 * PIN_COM1, LEVEL | VECTOR_A);
	outb(0x3fc, 8); /* OUT2 */
	outb(0x3f9, 2); /* transmitter empty */
	sti();
	EXPECT_TRUE(WAIT(nr_taken));
	cli();
	EXPECT(nr_taken, 1);
	EXPECT_TRUE(apic_bit(APIC_TMR, VECTOR_A));
	EXPECT_TRUE(ioapic_entry(PIN_COM1) & REMOTE_IRR);
	apic_eoi();
	/* Still asserted, so it comes again. */
	sti();
	EXPECT_TRUE(WAIT(nr_taken == 2));
	cli();
	outb(0x3f9, 0);
	apic_eoi();
	EXPECT(ioapic_entry(PIN_COM1) & REMOTE_IRR, 0);
	take_interrupts();
	EXPECT(nr_taken, 2);
	ioapic_write(0x10 + 2 * PIN_COM1, LVT_MASKED);
}

const struct test_case test_cases[] = {
	CASE(registers_are_as_after_a_reset),
	CASE(the_version_is_that_of_an_integrated_one),
	CASE(the_version_cannot_be_written),
	CASE(the_logical_id_has_eight_bits),
	CASE(the_destination_format_has_four_bits),
	CASE(the_task_priority_has_eight_bits),
	CASE(the_task_priority_keeps_its_subclass),
	CASE(the_spurious_vector_register_keeps_its_bits),
	CASE(vector_tables_keep_what_they_have),
	CASE(vector_tables_drop_what_they_dont_have),
	CASE(divide_configuration_has_three_bits),
	CASE(registers_that_are_not_there_read_zero),
	CASE(a_byte_of_a_register_can_be_read),
	CASE(a_self_ipi_arrives),
	CASE(two_of_one_vector_are_one),
	CASE(the_higher_vector_comes_first),
	CASE(what_is_in_service_holds_back_its_class),
	CASE(an_eoi_without_service_does_nothing),
	CASE(the_task_priority_holds_interrupts_back),
	CASE(cr8_is_the_task_priority),
	CASE(cr8_holds_interrupts_back),
	CASE(cr8_has_four_bits),
	CASE(vectors_below_16_are_an_error),
	CASE(vectors_from_16_on_are_accepted),
	CASE(the_delivery_status_is_idle),
	CASE(the_upper_half_of_the_command_keeps_the_destination),
	CASE(switched_off_by_software_it_masks_its_tables),
	CASE(switched_off_by_software_it_takes_no_interrupts),
	CASE(switched_off_for_good_it_is_no_device),
	CASE(switched_on_again_it_is_as_after_a_reset),
	CASE(the_modes_have_an_order),
	CASE(its_registers_can_be_mapped_elsewhere),
	CASE(the_pic_comes_through_lint0),
	CASE(the_ioapic_delivers_edges),
	CASE(the_end_of_a_level_interrupt_reaches_the_ioapic),
	{ 0 },
};
