/*
 * Every exception, with its error code and where it happened; and double and nested ones.
 */
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

static uint64_t count;
static uint8_t other_stack[8192] __attribute__((aligned(16)));

static void divide_error(void)
{
	EXPECT(TRY("xorl %%edx, %%edx; movl $1, %%eax; xorl %%ecx, %%ecx; divl %%ecx",
		   :
		   :
		   : "rax", "rcx", "rdx"),
	       VECTOR_DE);
	EXPECT(TRY("movl $-1, %%edx; movl $1, %%eax; movl $1, %%ecx; divl %%ecx",
		   :
		   :
		   : "rax", "rcx", "rdx"),
	       VECTOR_DE);
}

static void breakpoint(void)
{
	uint64_t rip;

	/* A trap: RIP is behind the instruction. */
	EXPECT(TRY("leaq 1f(%%rip), %0; int3; 1:", : "=r"(rip)), VECTOR_BP);
	EXPECT(fault.rip, rip);
}

static void breakpoint_of_two_bytes(void)
{
	uint64_t rip;

	EXPECT(TRY("leaq 1f(%%rip), %0; int $3; 1:", : "=r"(rip)), VECTOR_BP);
	EXPECT(fault.rip, rip);
}

static void invalid_opcode(void)
{
	uint64_t rip;

	EXPECT(TRY("leaq 1f(%%rip), %0; 1: ud2", : "=r"(rip)), VECTOR_UD);
	EXPECT(fault.rip, rip);
	EXPECT(TRY(".byte 0x06", :), VECTOR_UD); /* push %es */
	EXPECT(TRY(".byte 0xd6", :), VECTOR_UD);
	EXPECT(TRY("lock; nop", :), VECTOR_UD);
}

static void overflow_and_bound_are_not_for_64_bits(void)
{
	EXPECT(TRY(".byte 0xce", :), VECTOR_UD);
	EXPECT(TRY(".byte 0x62, 0x00", :), VECTOR_UD);
}

static void no_fpu(void)
{
	write_cr0(read_cr0() | CR0_TS);
	EXPECT(TRY("fnop", :), VECTOR_NM);
	EXPECT(TRY("xorps %%xmm0, %%xmm0", :), VECTOR_NM);
	__asm__ volatile("clts");
	EXPECT(TRY("fnop", :), NO_FAULT);
	write_cr0(read_cr0() | CR0_EM);
	EXPECT(TRY("fnop", :), VECTOR_NM);
	EXPECT(TRY("xorps %%xmm0, %%xmm0", :), VECTOR_UD);
}

static void sse_needs_its_bit(void)
{
	write_cr4(read_cr4() & ~(uint64_t)CR4_OSFXSR);
	EXPECT(TRY("xorps %%xmm0, %%xmm0", :), VECTOR_UD);
}

static void fpu_error(void)
{
	const uint16_t unmasked = 0x37b; /* zero divide */

	EXPECT(TRY("fninit; fldcw %0; fld1; fldz; fdivrp; fwait", : : "m"(unmasked)), VECTOR_MF);
	__asm__ volatile("fninit");
}

static void simd_error(void)
{
	const uint32_t unmasked = 0x1f80 & ~0x200u, masked = 0x1f80; /* divide by zero */

	write_cr4(read_cr4() | CR4_OSXMMEXCPT);
	EXPECT(TRY("ldmxcsr %0; movl $1, %%eax; cvtsi2ss %%eax, %%xmm0; xorps %%xmm1, %%xmm1; divss %%xmm1, %%xmm0",
		   :
		   : "m"(unmasked)
		   : "rax"),
	       VECTOR_XF);
	__asm__ volatile("ldmxcsr %0" : : "m"(masked));
}

static void general_protection(void)
{
	EXPECT(TRY("movl $0x1234, %%eax; movw %%ax, %%ds", : : : "rax"), VECTOR_GP);
	EXPECT(fault.error, 0x1234);
	EXPECT(TRY("movq %0, %%rax; movb (%%rax), %%al", : : "r"(BIT(63)) : "rax"), VECTOR_GP);
	EXPECT(fault.error, 0);
}

static void general_protection_names_the_gate(void)
{
	/* 0x82's gate is for ring 0. */
	static const uint8_t code[] = { 0xcd, 0x82 };
	uint64_t rsp, rip = paging_map_user_code(code, sizeof(code), &rsp);

	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_GP);
	EXPECT(fault.error, 0x82 * 8 + 2);
	EXPECT(fault.rip, rip);
}

static void segment_not_present(void)
{
	EXPECT(TRY("movw %w0, %%ds", : : "r"(SEL_ABSENT)), VECTOR_NP);
	EXPECT(fault.error, SEL_ABSENT);
}

static void gate_not_present(void)
{
	idt[0x90].type &= 0x7f;
	EXPECT(TRY("int $0x90", :), VECTOR_NP);
	EXPECT(fault.error, 0x90 * 8 + 2);
	idt[0x90].type |= 0x80;
}

static void stack_fault(void)
{
	EXPECT(TRY("movw %w0, %%ss", : : "r"(SEL_ABSENT)), VECTOR_SS);
	EXPECT(fault.error, SEL_ABSENT);
}

static void a_stack_pointer_that_is_not_canonical(void)
{
	/* It can't be told about on that stack. */
	trap_set_ist(2, (uintptr_t)other_stack + sizeof(other_stack));
	trap_set_gate_ist(VECTOR_SS, 2);
	trap_set_gate_ist(VECTOR_GP, 2);
	EXPECT(TRY("movq %%rsp, %%rbx; movq %0, %%rsp; pushq %%rax; movq %%rbx, %%rsp",
		   :
		   : "r"(BIT(62))
		   : "rbx"),
	       VECTOR_SS);
	EXPECT(fault.error, 0);
}

/* 64-bit mode has no task to return to. */
static void a_nested_task_cannot_return(void)
{
	EXPECT(TRY("pushfq; orq $0x4000, (%%rsp); popfq; iretq", : : : "memory"), VECTOR_GP);
	EXPECT(fault.error, 0);
	__asm__ volatile("pushq $2; popfq");
}

static void page_fault(void)
{
	paging_map(PAGING_FREE_AT, 0, 1);
	EXPECT(TRY("movl $1, (%0)", : : "r"(PAGING_FREE_AT + 0x123) : "memory"), VECTOR_PF);
	EXPECT(fault.error, ERROR_WRITE);
	EXPECT(fault.cr2, PAGING_FREE_AT + 0x123);
}

static void alignment_check(void)
{
	/* pushfq; orl $AC, (%rsp); popfq; movl 1(%rsp), %eax; int $0x81 */
	static const uint8_t code[] = { 0x9c, 0x81, 0x0c, 0x24, 0x00, 0x00, 0x04, 0x00,
					0x9d, 0x8b, 0x44, 0x24, 0xf1, 0xcd, 0x81 };
	uint64_t rsp, rip = paging_map_user_code(code, sizeof(code), &rsp);

	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_RING3_DONE);
	write_cr0(read_cr0() | CR0_AM);
	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_AC);
	EXPECT(fault.error, 0);
	EXPECT(fault.rip, rip + 9);
}

static void software_interrupts(void)
{
	uint64_t rip;

	EXPECT(TRY("leaq 1f(%%rip), %0; int $0x1f; 1:", : "=r"(rip)), 0x1f);
	EXPECT(fault.rip, rip);
	EXPECT(TRY("leaq 1f(%%rip), %0; int $0xfe; 1:", : "=r"(rip)), 0xfe);
	EXPECT(fault.rip, rip);
}

/* int1, ICEBP: a #DB that isn't checked for rights. */
static void the_undocumented_interrupt(void)
{
	uint64_t rip;

	EXPECT(TRY("leaq 1f(%%rip), %0; .byte 0xf1; 1:", : "=r"(rip)), VECTOR_DB);
	EXPECT(fault.rip, rip);
}

static void flags_are_saved_and_restored(void)
{
	const uint64_t flags = FLAG_ONE | FLAG_CF | FLAG_DF | FLAG_OF;
	uint64_t after;

	EXPECT(TRY("pushq %1; popfq; ud2a",
		   : "=r"(after)
		   : "i"(FLAG_ONE | FLAG_CF | FLAG_DF | FLAG_OF)),
	       VECTOR_UD);
	__asm__ volatile("cld");
	EXPECT(fault.rflags & ~(uint64_t)(FLAG_RF | 0x54), flags);
}

/* So that the instruction, when it is tried again, isn't stopped at a breakpoint a second time. */
static void a_fault_sets_the_resume_flag(void)
{
	EXPECT(TRY("ud2a", :), VECTOR_UD);
	EXPECT_TRUE(fault.rflags & FLAG_RF);
}

/* ---- faults in handlers, and while they are entered ---- */

static volatile uint64_t double_fault_error, double_fault_rsp, double_fault_rip;

static void take_double_fault(struct frame *frame)
{
	double_fault_error = frame->error;
	double_fault_rsp = (uintptr_t)frame;
	double_fault_rip = frame->rip;
	count++;
	frame->rip = trap_landing;
	frame->rsp = trap_landing_rsp;
	frame->cs = SEL_CODE64;
	frame->ss = 0;
}

static void set_up_double_fault(void)
{
	count = 0;
	trap_set_ist(1, (uintptr_t)other_stack + sizeof(other_stack));
	trap_set_gate_ist(VECTOR_DF, 1);
	trap_handle(VECTOR_DF, take_double_fault);
}

static void a_missing_gate_for_a_page_fault_is_a_double_fault(void)
{
	set_up_double_fault();
	idt[VECTOR_PF].type &= 0x7f;
	paging_map(PAGING_FREE_AT, 0, 1);
	(void)TRY("movl $1, (%0)", : : "r"(PAGING_FREE_AT) : "memory");
	idt[VECTOR_PF].type |= 0x80;
	EXPECT(count, 1);
	EXPECT(double_fault_error, 0);
	EXPECT_TRUE(double_fault_rsp > (uintptr_t)other_stack &&
		    double_fault_rsp < (uintptr_t)other_stack + sizeof(other_stack));
}

static void a_bad_stack_is_a_double_fault(void)
{
	set_up_double_fault();
	paging_map(PAGING_FREE_AT, 0, 1);
	/* #UD, whose frame cannot be pushed: #PF, which cannot be pushed either: #DF. */
	(void)TRY("movq %0, %%rsp; ud2a", : : "r"(PAGING_FREE_AT + 256) : "memory");
	EXPECT(count, 1);
	EXPECT(read_cr2(), PAGING_FREE_AT + 256 - 8);
}

static void a_page_fault_while_an_exception_is_delivered(void)
{
	/* The stack's page isn't there, but #PF has a stack of its own: the #UD is lost, its instruction comes again. */
	paging_map(PAGING_FREE_AT, 0, 1);
	trap_set_ist(2, (uintptr_t)other_stack + sizeof(other_stack));
	trap_set_gate_ist(VECTOR_PF, 2);
	EXPECT(TRY("movq %0, %%rsp; ud2a", : : "r"(PAGING_FREE_AT + 256) : "memory"), VECTOR_PF);
	EXPECT(fault.cr2, PAGING_FREE_AT + 256 - 8);
	EXPECT(fault.error, ERROR_WRITE);
}

static void a_stack_of_the_table_is_used(void)
{
	uint64_t end = (uintptr_t)other_stack + sizeof(other_stack);

	set_up_double_fault();
	trap_set_ist(3, end);
	trap_set_gate_ist(VECTOR_UD, 3);
	trap_handle(VECTOR_UD, take_double_fault);
	(void)TRY("ud2a", :);
	EXPECT(count, 1);
	EXPECT_TRUE(double_fault_rsp < end && double_fault_rsp > end - 512);
}

static void sources_of_general_protection_in_ring_3(void)
{
	static const struct {
		uint8_t bytes[4];
		uint8_t n;
	} codes[] = {
		{ { 0xf4 }, 1 },	     /* hlt */
		{ { 0xfa }, 1 },	     /* cli */
		{ { 0x0f, 0x06 }, 2 },	     /* clts */
		{ { 0x0f, 0x22, 0xd8 }, 3 }, /* mov %rax, %cr3 */
		{ { 0x0f, 0x20, 0xc0 }, 3 }, /* mov %cr0, %rax */
		{ { 0x0f, 0x23, 0xf8 }, 3 }, /* mov %rax, %dr7 */
		{ { 0x0f, 0x01, 0x38 }, 3 }, /* invlpg (%rax) */
		{ { 0x0f, 0x09 }, 2 },	     /* wbinvd */
		{ { 0xe4, 0x80 }, 2 },	     /* in $0x80, %al */
		{ { 0xec }, 1 },	     /* in %dx, %al */
		{ { 0x0f, 0x30 }, 2 },	     /* wrmsr */
	};

	for (uint32_t i = 0; i < COUNT_OF(codes); i++) {
		uint64_t rsp, rip = paging_map_user_code(codes[i].bytes, codes[i].n, &rsp);
		uint64_t vector = ring3_run(rip, rsp, 0, NULL);

		EXPECT(vector, VECTOR_GP);
		EXPECT(fault.error, 0);
		EXPECT(fault.rip, rip);
		paging_restore();
	}
}

static void ring_3_comes_and_goes(void)
{
	static const uint8_t code[] = {
		0x48, 0x8d, 0x47, 0x01, 0xcd, 0x81
	}; /* lea 1(%rdi), %rax */
	uint64_t rsp, rax, rip = paging_map_user_code(code, sizeof(code), &rsp);

	for (uint64_t i = 0; i < 100; i++) {
		EXPECT(ring3_run(rip, rsp, i, &rax), VECTOR_RING3_DONE);
		EXPECT(rax, i + 1);
	}
	EXPECT(fault.rsp, rsp);
}

static void syscall_enters_and_sysret_returns(void)
{
	/* mov %rdi, %rax; syscall; int $0x81 */
	static const uint8_t code[] = { 0x48, 0x89, 0xf8, 0x0f, 0x05, 0xcd, 0x81 };
	uint64_t rsp, rax, rip = paging_map_user_code(code, sizeof(code), &rsp);
	uint64_t entry;

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	/* SYSRET takes CS from the upper base + 16, SS from + 8. */
	wrmsr(MSR_STAR,
	      (uint64_t)(SEL_USER32 & ~3u) << 48 | (uint64_t)SEL_CODE64 << 32 | 3ull << 48);
	wrmsr(MSR_FMASK, FLAG_IF | FLAG_DF);
	__asm__ volatile("leaq 1f(%%rip), %0; jmp 2f; 1: addq $5, %%rax; sysretq; 2:"
			 : "=r"(entry));
	wrmsr(MSR_LSTAR, entry);
	EXPECT(ring3_run(rip, rsp, 37, &rax), VECTOR_RING3_DONE);
	EXPECT(rax, 42);
	EXPECT(fault.rip, rip + sizeof(code));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE);
	EXPECT(ring3_run(rip, rsp, 37, &rax), VECTOR_UD);
	EXPECT(fault.rip, rip + 3);
}

static void user_mode_instruction_prevention(void)
{
	static const uint8_t code[] = {
		0x0f, 0x01, 0x4c, 0x24, 0xe0, 0xcd, 0x81
	}; /* sidt -32(%rsp) */
	uint64_t rsp, rip;

	if (!(cpuid(7, 0).ecx & BIT(2)))
		skip("no UMIP");
	rip = paging_map_user_code(code, sizeof(code), &rsp);
	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_RING3_DONE);
	write_cr4(read_cr4() | CR4_UMIP);
	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_GP);
}

const struct test_case test_cases[] = {
	CASE(divide_error),
	CASE(breakpoint),
	CASE(breakpoint_of_two_bytes),
	CASE(invalid_opcode),
	CASE(overflow_and_bound_are_not_for_64_bits),
	CASE(no_fpu),
	CASE(sse_needs_its_bit),
	CASE(fpu_error),
	CASE(simd_error),
	CASE(general_protection),
	CASE(general_protection_names_the_gate),
	CASE(segment_not_present),
	CASE(gate_not_present),
	CASE(stack_fault),
	CASE(a_stack_pointer_that_is_not_canonical),
	CASE(a_nested_task_cannot_return),
	CASE(page_fault),
	CASE(alignment_check),
	CASE(software_interrupts),
	CASE(the_undocumented_interrupt),
	CASE(flags_are_saved_and_restored),
	CASE(a_fault_sets_the_resume_flag),
	CASE(a_missing_gate_for_a_page_fault_is_a_double_fault),
	CASE(a_bad_stack_is_a_double_fault),
	CASE(a_page_fault_while_an_exception_is_delivered),
	CASE(a_stack_of_the_table_is_used),
	CASE(sources_of_general_protection_in_ring_3),
	CASE(ring_3_comes_and_goes),
	CASE(syscall_enters_and_sysret_returns),
	CASE(user_mode_instruction_prevention),
	{ 0 },
};
