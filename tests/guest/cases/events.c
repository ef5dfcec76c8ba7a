/*
 * When interrupts and NMIs are taken: HLT, the shadows of STI and MOV SS, IRET; single steps and breakpoints over instructions
 * that leave the guest; debug registers.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum {
	VECTOR_A = 0x51,
	DR6_IDLE = 0xffff0ff0u,
	DR6_B0 = 1,
	DR6_BS = 1 << 14,
	DR7_IDLE = 0x400,
	STEPS = 64
};

static volatile uint32_t count, nmis, nested;
static volatile uint64_t seen_rip;

static void note(struct frame *frame)
{
	count++;
	seen_rip = frame->rip;
	apic_eoi();
}

static void send_self(void)
{
	count = 0;
	trap_handle(VECTOR_A, note);
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_A);
}

static void hlt_ends_with_an_interrupt(void)
{
	uint64_t rip;

	send_self();
	__asm__ volatile("leaq 1f(%%rip), %0; sti; hlt; 1: cli" : "=r"(rip) : : "memory");
	EXPECT(count, 1);
	EXPECT(seen_rip, rip);
}

static void sti_has_a_shadow(void)
{
	uint64_t rip;

	send_self();
	/* Taken behind the instruction that follows STI, not before it. */
	__asm__ volatile("leaq 1f(%%rip), %0; sti; nop; 1: nop; cli" : "=r"(rip) : : "memory");
	EXPECT(count, 1);
	EXPECT(seen_rip, rip);
}

static void the_shadow_of_sti_holds_over_an_exit(void)
{
	uint64_t rip;

	send_self();
	__asm__ volatile("leaq 1f(%%rip), %0; sti; outb %%al, $0x80; 1: nop; cli"
			 : "=r"(rip)
			 :
			 : "memory");
	EXPECT(count, 1);
	EXPECT(seen_rip, rip);
	send_self();
	__asm__ volatile("leaq 1f(%%rip), %0; sti; cpuid; 1: nop; cli"
			 : "=r"(rip)
			 : "a"(0)
			 : "memory", "rbx", "rcx", "rdx");
	EXPECT(count, 1);
	EXPECT(seen_rip, rip);
}

static void sti_and_cli_in_a_row_let_nothing_in(void)
{
	send_self();
	for (uint32_t i = 0; i < 20; i++)
		__asm__ volatile("sti; cli" : : : "memory");
	EXPECT(count, 0);
	take_interrupts();
	EXPECT(count, 1);
}

static void mov_ss_has_a_shadow(void)
{
	uint64_t rip;

	send_self();
	__asm__ volatile(
		"leaq 1f(%%rip), %0; xorl %%eax, %%eax; sti; movw %%ax, %%ss; nop; 1: nop; cli"
		: "=r"(rip)
		:
		: "memory", "rax");
	EXPECT(count, 1);
	/* STI's own shadow ends with the move, whose shadow covers the NOP: processors may or may not add them up. */
	EXPECT_TRUE(seen_rip == rip || seen_rip == rip - 1);
}

static void popf_has_no_shadow(void)
{
	uint64_t rip;

	send_self();
	__asm__ volatile("leaq 1f(%%rip), %0; pushq $0x202; popfq; 1: nop; cli"
			 : "=r"(rip)
			 :
			 : "memory");
	EXPECT(count, 1);
	EXPECT(seen_rip, rip);
}

static void an_interrupt_is_taken_behind_an_emulated_instruction(void)
{
	uint64_t rip;

	send_self();
	__asm__ volatile("leaq 1f(%%rip), %0; pushq $0x202; popfq; 1: inb $0x80, %%al; cli"
			 : "=r"(rip)
			 :
			 : "memory", "rax");
	EXPECT(count, 1);
	EXPECT(seen_rip, rip);
}

/* ---- NMI ---- */

static void count_nmi(struct frame *frame __attribute__((unused)))
{
	nmis++;
}

static void send_nmi(void)
{
	apic_send(0, ICR_NMI | ICR_ASSERT);
}

static void nmi_with_another_inside(struct frame *frame __attribute__((unused)))
{
	nmis++;
	if (nmis > 1)
		return;
	send_nmi();
	/* The second waits until the first has returned. */
	for (uint32_t i = 0; i < 20; i++)
		(void)inb(0x80);
	nested = nmis;
}

static void nmi_is_blocked_until_iret(void)
{
	nmis = 0;
	trap_handle(VECTOR_NMI, nmi_with_another_inside);
	send_nmi();
	EXPECT_TRUE(WAIT(nmis == 2));
	EXPECT(nested, 1);
}

static void nmi_with_an_exception_inside(struct frame *frame __attribute__((unused)))
{
	nmis++;
	if (nmis > 1)
		return;
	/* The IRET of this #UD's handler opens NMIs early: as on a processor, so here. */
	(void)TRY("ud2a", :);
	send_nmi();
	(void)inb(0x80);
	(void)inb(0x80);
	nested = nmis;
}

static void any_iret_ends_the_blocking(void)
{
	nmis = 0;
	trap_handle(VECTOR_NMI, nmi_with_an_exception_inside);
	send_nmi();
	EXPECT_TRUE(WAIT(nmis == 2));
	EXPECT(nested, 2);
}

static void nmi_comes_while_interrupts_are_held(void)
{
	nmis = 0;
	trap_handle(VECTOR_NMI, count_nmi);
	send_self();
	send_nmi();
	EXPECT_TRUE(WAIT(nmis == 1));
	EXPECT(count, 0);
	take_interrupts();
	EXPECT(count, 1);
	EXPECT(nmis, 1);
}

static void nmi_goes_before_an_interrupt(void)
{
	nmis = 0;
	trap_handle(VECTOR_NMI, count_nmi);
	for (uint32_t i = 0; i < 20; i++) {
		send_self();
		send_nmi();
		__asm__ volatile("sti; nop; nop; nop; cli" : : : "memory");
		EXPECT(count, 1);
	}
	EXPECT_TRUE(WAIT(nmis == 20));
}

static void interrupts_inside_an_nmi(struct frame *frame __attribute__((unused)))
{
	nmis++;
	take_interrupts();
	nested = count;
}

static void an_nmi_handler_may_take_interrupts(void)
{
	nmis = 0;
	trap_handle(VECTOR_NMI, interrupts_inside_an_nmi);
	send_self();
	send_nmi();
	EXPECT_TRUE(WAIT(nmis == 1));
	EXPECT(nested, 1);
}

/* ---- single steps ---- */

static volatile uint64_t step_rips[STEPS], step_dr6;
static volatile uint32_t nr_steps;

static void note_step(struct frame *frame)
{
	step_dr6 = read_dr6();
	write_dr6(DR6_IDLE);
	if (nr_steps < STEPS)
		step_rips[nr_steps] = frame->rip;
	nr_steps++;
}

static void prepare_steps(void)
{
	nr_steps = 0;
	step_dr6 = 0;
	trap_handle(VECTOR_DB, note_step);
	write_dr6(DR6_IDLE);
}

/* Steps over @text, a single instruction: #DB comes behind it and behind the NOP that follows, with RIP there. */
#define STEP(text, ...)                                                           \
	do {                                                                      \
		uint64_t behind_;                                                 \
                                                                                  \
		prepare_steps();                                                  \
		__asm__ volatile("leaq 1f(%%rip), %0; pushq $0x102; popfq; " text \
				 "; 1: nop; pushq $2; popfq"                      \
				 : "=&r"(behind_)                                 \
				 : __VA_ARGS__                                    \
				 : "memory", "rbx", "r8");                        \
		expect(text, __LINE__, step_rips[0], behind_);                    \
		expect(text, __LINE__, step_rips[1], behind_ + 1);                \
		expect(text, __LINE__, nr_steps, 4);                              \
		expect(text, __LINE__, step_dr6 &(DR6_BS | 15), DR6_BS);          \
	} while (0)

static void steps_over_plain_instructions(void)
{
	STEP("nop", "a"(0));
	STEP("movq $1, %%r8", "a"(0));
}

static void steps_over_cpuid(void)
{
	uint64_t behind, a = 0, c = 0;

	prepare_steps();
	__asm__ volatile("leaq 1f(%%rip), %0; pushq $0x102; popfq; cpuid; 1: nop; pushq $2; popfq"
			 : "=&r"(behind), "+a"(a), "+c"(c)
			 :
			 : "memory", "rbx", "rdx");
	EXPECT(step_rips[0], behind);
	EXPECT(nr_steps, 4);
	EXPECT(step_dr6 & DR6_BS, DR6_BS);
}

static void steps_over_rdmsr_and_wrmsr(void)
{
	STEP("rdmsr", "c"(MSR_APIC_BASE), "a"(0), "d"(0));
	STEP("wrmsr", "c"(MSR_SYSENTER_CS), "a"(0), "d"(0));
}

static void steps_over_ports(void)
{
	STEP("inb $0x80, %%al", "a"(0));
	STEP("outb %%al, $0x80", "a"(0));
	STEP("inl %%dx, %%eax", "d"(0x608));
}

static void steps_over_device_memory(void)
{
	STEP("movl (%%rdi), %%r8d", "D"(APIC_AT + APIC_VERSION));
	STEP("movl %%eax, (%%rdi)", "D"(APIC_AT + APIC_EOI), "a"(0));
	STEP("movl (%%rdi), %%r8d", "D"(UINT64_C(0xfec00000)));
	STEP("addl %%eax, (%%rdi)", "D"(APIC_AT + APIC_TPR), "a"(0));
}

static void steps_over_a_write_to_the_monitors_devices(void)
{
	STEP("movl %%eax, (%%rdi)", "D"(UINT64_C(0xd0000000)), "a"(0));
}

static void steps_over_control_registers(void)
{
	STEP("movq %%cr0, %%r8", "a"(0));
	STEP("movq %%rax, %%cr0", "a"(read_cr0()));
	STEP("movq %%rax, %%cr4", "a"(read_cr4()));
	STEP("movq %%rax, %%cr8", "a"(UINT64_C(0)));
}

static void steps_over_a_hypercall(void)
{
	uint64_t behind, a = 1;

	prepare_steps();
	__asm__ volatile("leaq 1f(%%rip), %0; pushq $0x102; popfq; vmmcall; 1: nop; pushq $2; popfq"
			 : "=&r"(behind), "+a"(a)
			 : "b"(UINT64_C(0)), "c"(UINT64_C(0))
			 : "memory");
	EXPECT(step_rips[0], behind);
	EXPECT(nr_steps, 4);
}

static void steps_through_a_repeated_port_instruction(void)
{
	static uint8_t bytes[4];
	uint64_t rdi = (uintptr_t)bytes, n = 3, rip;

	prepare_steps();
	__asm__ volatile(
		"leaq 1f(%%rip), %0; pushq $0x102; popfq; 1: rep insb; nop; pushq $2; popfq"
		: "=&r"(rip), "+D"(rdi), "+c"(n)
		: "d"(0x80)
		: "memory");
	/* A step per iteration, the last with RIP behind it. */
	EXPECT(step_rips[0], rip);
	EXPECT(step_rips[1], rip);
	EXPECT(step_rips[2], rip + 2);
	EXPECT(n, 0);
	EXPECT(nr_steps, 6);
}

static void popf_clears_the_step(void)
{
	prepare_steps();
	__asm__ volatile("pushq $0x102; popfq; pushq $2; popfq" : : : "memory");
	EXPECT(nr_steps, 2);
	EXPECT(read_flags() & FLAG_TF, 0);
}

/* ---- debug registers ---- */

static void debug_registers_keep_addresses(void)
{
	write_dr0(0x1111);
	write_dr1(0x2222);
	write_dr2(UINT64_C(0xffff800000003333));
	write_dr3(0x4444);
	(void)inb(0x80);
	EXPECT(read_dr0(), 0x1111);
	EXPECT(read_dr1(), 0x2222);
	EXPECT(read_dr2(), UINT64_C(0xffff800000003333));
	EXPECT(read_dr3(), 0x4444);
}

static void debug_status_and_control_have_fixed_bits(void)
{
	write_dr6(0);
	EXPECT(read_dr6(), DR6_IDLE);
	write_dr7(0);
	EXPECT(read_dr7(), DR7_IDLE);
	write_dr7(0x303);
	EXPECT(read_dr7(), 0x703);
	write_dr7(DR7_IDLE);
}

static void debug_registers_refuse_upper_halves(void)
{
	EXPECT(TRY("movq %0, %%dr6", : : "r"(BIT(32))), VECTOR_GP);
	EXPECT(TRY("movq %0, %%dr7", : : "r"(BIT(32) | DR7_IDLE)), VECTOR_GP);
}

static void debug_registers_4_and_5_are_others_names(void)
{
	uint64_t value = 0;

	EXPECT(TRY(".byte 0x0f, 0x21, 0xe0", : "=a"(value)), NO_FAULT); /* mov %dr4, %rax */
	EXPECT(value, DR6_IDLE);
	write_cr4(read_cr4() | CR4_DE);
	EXPECT(TRY(".byte 0x0f, 0x21, 0xe0", : "=a"(value)), VECTOR_UD);
}

/* The handler must set RF, or the same instruction breaks again for ever. */
static void note_breakpoint(struct frame *frame)
{
	note_step(frame);
	frame->rflags |= FLAG_RF;
}

static void an_instruction_breakpoint_faults_before_it(void)
{
	uint64_t rip;

	prepare_steps();
	trap_handle(VECTOR_DB, note_breakpoint);
	__asm__ volatile(
		"leaq 1f(%%rip), %0; movq %0, %%dr0; movq %1, %%dr7; nop; 1: nop; nop; movq %2, %%dr7"
		: "=&r"(rip)
		: "r"(UINT64_C(0x402)), "r"((uint64_t)DR7_IDLE)
		: "memory");
	EXPECT(nr_steps, 1);
	EXPECT(step_rips[0], rip);
	EXPECT(step_dr6 & (15 | DR6_BS), DR6_B0);
}

static volatile uint32_t watched;

static void a_data_breakpoint_traps_behind_it(void)
{
	prepare_steps();
	write_dr0((uintptr_t)&watched);
	write_dr7(DR7_IDLE | 2 | 0xd << 16); /* writes of 4 bytes */
	watched = 1;
	write_dr7(DR7_IDLE);
	EXPECT(nr_steps, 1);
	EXPECT(step_dr6 & (15 | DR6_BS), DR6_B0);
	prepare_steps();
	write_dr7(DR7_IDLE | 2 | 0xd << 16);
	(void)watched;
	write_dr7(DR7_IDLE);
	EXPECT(nr_steps, 0);
}

static void a_watched_read_traps(void)
{
	prepare_steps();
	write_dr1((uintptr_t)&watched);
	write_dr7(DR7_IDLE | 8 | 0xf << 20);
	(void)watched;
	write_dr7(DR7_IDLE);
	EXPECT(nr_steps, 1);
	EXPECT(step_dr6 & (15 | DR6_BS), 2);
}

static void breakpoints_survive_exits(void)
{
	prepare_steps();
	write_dr0((uintptr_t)&watched);
	write_dr7(DR7_IDLE | 2 | 0xd << 16);
	for (uint32_t i = 0; i < 10; i++)
		(void)inb(0x80);
	EXPECT(read_dr7(), DR7_IDLE | 2 | 0xd << 16);
	watched = 1;
	write_dr7(DR7_IDLE);
	EXPECT(nr_steps, 1);
}

const struct test_case test_cases[] = {
	CASE(hlt_ends_with_an_interrupt),
	CASE(sti_has_a_shadow),
	CASE(the_shadow_of_sti_holds_over_an_exit),
	CASE(sti_and_cli_in_a_row_let_nothing_in),
	CASE(mov_ss_has_a_shadow),
	CASE(popf_has_no_shadow),
	CASE(an_interrupt_is_taken_behind_an_emulated_instruction),
	CASE(nmi_is_blocked_until_iret),
	CASE(any_iret_ends_the_blocking),
	CASE(nmi_comes_while_interrupts_are_held),
	CASE(nmi_goes_before_an_interrupt),
	CASE(an_nmi_handler_may_take_interrupts),
	CASE(steps_over_plain_instructions),
	CASE(steps_over_cpuid),
	CASE(steps_over_rdmsr_and_wrmsr),
	CASE(steps_over_ports),
	CASE(steps_over_device_memory),
	CASE(steps_over_a_write_to_the_monitors_devices),
	CASE(steps_over_control_registers),
	CASE(steps_over_a_hypercall),
	CASE(steps_through_a_repeated_port_instruction),
	CASE(popf_clears_the_step),
	CASE(debug_registers_keep_addresses),
	CASE(debug_status_and_control_have_fixed_bits),
	CASE(debug_registers_refuse_upper_halves),
	CASE(debug_registers_4_and_5_are_others_names),
	CASE(an_instruction_breakpoint_faults_before_it),
	CASE(a_data_breakpoint_traps_behind_it),
	CASE(a_watched_read_traps),
	CASE(breakpoints_survive_exits),
	{ 0 },
};
