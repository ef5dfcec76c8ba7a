/*
 * Interrupts and exceptions whose delivery itself meets a nested fault: the IDT, the stack, the GDT, the TSS or the handler in memory that
 * the hypervisor hasn't mapped yet. Nothing may be lost, doubled or delivered in another form.
 *
 * Memory from FRESH_AT on is touched for the first time by each of these: every case takes its own pages.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum { FRESH_AT = 8 << 20, FRESH_END = 64 << 20, FRESH_STEP = 4 << 20, VECTOR_A = 0x51 };

static volatile uint32_t count;
static volatile uint64_t seen_rsp;

static uint64_t fresh(void)
{
	static uint64_t next = FRESH_AT;

	if (next == FRESH_END)
		fail("no fresh memory is left");
	next += FRESH_STEP;
	return next - FRESH_STEP;
}

static void note(struct frame *frame)
{
	count++;
	seen_rsp = (uintptr_t)frame;
	if (frame->vector == VECTOR_A)
		apic_eoi();
}

static void send_self(void)
{
	count = 0;
	trap_handle(VECTOR_A, note);
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_A);
}

static void an_interrupt_with_a_fresh_stack(void)
{
	uint64_t end = fresh() + 4096;

	trap_set_ist(1, end);
	trap_set_gate_ist(VECTOR_A, 1);
	send_self();
	take_interrupts();
	EXPECT(count, 1);
	EXPECT_TRUE(seen_rsp < end && seen_rsp > end - 4096);
}

static void an_exception_with_a_fresh_stack(void)
{
	uint64_t end = fresh() + 4096;

	count = 0;
	trap_set_ist(1, end);
	trap_set_gate_ist(VECTOR_UD, 1);
	EXPECT(TRY("ud2a", :), VECTOR_UD);
	EXPECT(fault.error, 0);
}

static void an_exception_with_an_error_code_and_a_fresh_stack(void)
{
	uint64_t end = fresh() + 4096;

	trap_set_ist(1, end);
	trap_set_gate_ist(VECTOR_GP, 1);
	EXPECT(TRY("movw %w0, %%ds", : : "r"(0x1230)), VECTOR_GP);
	EXPECT(fault.error, 0x1230);
}

static void a_page_fault_with_a_fresh_stack(void)
{
	uint64_t end = fresh() + 4096;

	trap_set_ist(1, end);
	trap_set_gate_ist(VECTOR_PF, 1);
	paging_map(PAGING_FREE_AT, 0, 1);
	EXPECT(TRY("movl $1, (%0)", : : "r"(PAGING_FREE_AT + 0x678) : "memory"), VECTOR_PF);
	EXPECT(fault.error, ERROR_WRITE);
	EXPECT(fault.cr2, PAGING_FREE_AT + 0x678);
}

static void a_software_interrupt_with_a_fresh_stack(void)
{
	uint64_t end = fresh() + 4096, rip;

	trap_set_ist(1, end);
	trap_set_gate_ist(0x70, 1);
	EXPECT(TRY("leaq 1f(%%rip), %0; int $0x70; 1:", : "=r"(rip)), 0x70);
	EXPECT(fault.rip, rip);
}

static void a_breakpoint_with_a_fresh_stack(void)
{
	uint64_t end = fresh() + 4096, rip;

	trap_set_ist(1, end);
	trap_set_gate_ist(VECTOR_BP, 1);
	EXPECT(TRY("leaq 1f(%%rip), %0; int3; 1:", : "=r"(rip)), VECTOR_BP);
	EXPECT(fault.rip, rip);
}

static void an_nmi_with_a_fresh_stack(void)
{
	uint64_t end = fresh() + 4096;

	count = 0;
	trap_handle(VECTOR_NMI, note);
	trap_set_ist(1, end);
	trap_set_gate_ist(VECTOR_NMI, 1);
	apic_send(0, ICR_NMI | ICR_ASSERT);
	EXPECT_TRUE(WAIT(count));
	EXPECT(count, 1);
	EXPECT_TRUE(seen_rsp < end && seen_rsp > end - 4096);
}

static void in_the_middle_of_a_repeated_move(void)
{
	uint64_t from = fresh(), to = fresh(), n = 256 << 10;

	send_self();
	/* Every page of both is new, and an interrupt is pending: it is taken between two iterations, once. */
	__asm__ volatile("sti; rep movsb; cli" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	EXPECT(n, 0);
	EXPECT(count, 1);
}

static void a_timer_during_first_touches(void)
{
	uint64_t start = fresh();

	count = 0;
	trap_handle(VECTOR_A, note);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_A);
	apic_write(APIC_TIMER_INITIAL, 300000);
	sti();
	for (uint64_t at_page = start; at_page < start + FRESH_STEP; at_page += 4096)
		mmio64(at_page) = at_page;
	EXPECT_TRUE(WAIT(count >= 2));
	cli();
	apic_write(APIC_TIMER_INITIAL, 0);
	for (uint64_t at_page = start; at_page < start + FRESH_STEP; at_page += 4096)
		EXPECT(mmio64(at_page), at_page);
}

/* Return to ring 3 with a fresh stack for the way back. */
static void from_ring_3_with_a_fresh_stack(void)
{
	static const uint8_t code[] = { 0x0f, 0x0b };
	uint64_t rsp, rip = paging_map_user_code(code, sizeof(code), &rsp), end = fresh() + 4096;

	trap_set_ist(1, end);
	trap_set_gate_ist(VECTOR_UD, 1);
	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_UD);
	EXPECT(fault.rip, rip);
	EXPECT(fault.rsp, rsp);
}

static void page_tables_are_fresh(void)
{
	/* A walk through tables in memory that was never touched: all zero, so nothing is present. */
	uint64_t table = fresh();

	*paging_entry(PAGING_FREE_AT, 2) = table | PTE_RW;
	EXPECT(TRY("movb (%0), %%al", : : "r"(PAGING_FREE_AT) : "rax", "memory"), VECTOR_PF);
	EXPECT(fault.error, 0);
	EXPECT(fault.cr2, PAGING_FREE_AT);
}

const struct test_case test_cases[] = {
	CASE(an_interrupt_with_a_fresh_stack),
	CASE(an_exception_with_a_fresh_stack),
	CASE(an_exception_with_an_error_code_and_a_fresh_stack),
	CASE(a_page_fault_with_a_fresh_stack),
	CASE(a_software_interrupt_with_a_fresh_stack),
	CASE(a_breakpoint_with_a_fresh_stack),
	CASE(an_nmi_with_a_fresh_stack),
	CASE(in_the_middle_of_a_repeated_move),
	CASE(a_timer_during_first_touches),
	CASE(from_ring_3_with_a_fresh_stack),
	CASE(page_tables_are_fresh),
	{ 0 },
};
