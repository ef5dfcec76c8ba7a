/*
 * Instructions: encodings worked out by hand from the manuals, what only shows outside 64-bit mode, and the
 * opcode table's own order. The processor judges the rest, in insn_oracle_test.c.
 */
#include <errno.h>
#include <string.h>

#include "kernel/virt/insn_table.h"
#include "tests/support/cmocka.h"

enum { AX, CX, DX, BX, SP, BP, SI, DI, R8, R13 = 13 };
enum { CARRY = 1, ZERO = 0x40, DIRECTION = 0x400, RESUME = 0x10000 };

static const struct insn_mode long_mode = { 8, 8, false };
static const struct insn_mode code32 = { 4, 4, false };
static const struct insn_mode code16 = { 2, 2, false };
static const struct insn_mode real = { 2, 2, true };

#define DECODE(mode, out, ...)                                                                  \
	insn_decode((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), \
		    &(mode), out)

static void assert_memory(const struct insn_operand *operand, uint8_t segment, uint8_t base,
			  uint8_t index, uint8_t scale, int64_t displacement)
{
	assert_int_equal(operand->kind, INSN_OPERAND_MEMORY);
	assert_int_equal(operand->segment, segment);
	assert_int_equal(operand->base, base);
	assert_int_equal(operand->index, index);
	assert_int_equal(operand->scale, scale);
	assert_int_equal(operand->displacement, displacement);
}

/* ---- decoding ---- */

static void a_register_store_says_where_and_what(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0x89, 0x47, 0x20), 0); /* mov [rdi+0x20], eax */
	assert_string_equal(insn.name, "mov");
	assert_int_equal(insn.op, INSN_MOV);
	assert_int_equal(insn.length, 3);
	assert_memory(&insn.dst, INSN_DS, DI, INSN_REG_NONE, 0, 0x20);
	assert_int_equal(insn.dst.access, INSN_ACCESS_WRITE);
	assert_int_equal(insn.dst.bytes, 4);
	assert_int_equal(insn.dst.address_bytes, 8);
	assert_int_equal(insn.src.kind, INSN_OPERAND_GENERAL);
	assert_int_equal(insn.src.reg, AX);
}

static void sib_forms_have_base_index_and_scale(void **state)
{
	struct insn insn;

	(void)state;
	/* mov rax, [rbx+rcx*8-4] */
	assert_int_equal(DECODE(long_mode, &insn, 0x48, 0x8b, 0x44, 0xcb, 0xfc), 0);
	assert_memory(&insn.src, INSN_DS, BX, CX, 3, -4);
	/* mov eax, [rsp]: no index */
	assert_int_equal(DECODE(long_mode, &insn, 0x8b, 0x04, 0x24), 0);
	assert_memory(&insn.src, INSN_SS, SP, INSN_REG_NONE, 0, 0);
	/* mov eax, [r13+0]: R13 has no form without a displacement, and isn't on the stack */
	assert_int_equal(DECODE(long_mode, &insn, 0x41, 0x8b, 0x45, 0x00), 0);
	assert_memory(&insn.src, INSN_DS, R13, INSN_REG_NONE, 0, 0);
	/* mov al, [0x12345678] by SIB without base or index, REX.B notwithstanding */
	assert_int_equal(DECODE(long_mode, &insn, 0x41, 0x8a, 0x04, 0x25, 0x78, 0x56, 0x34, 0x12),
			 0);
	assert_memory(&insn.src, INSN_DS, INSN_REG_NONE, INSN_REG_NONE, 0, 0x12345678);
}

static void rip_relative_counts_from_the_next_instruction(void **state)
{
	struct insn_regs regs = { .rip = 0x1000 };
	struct insn insn;

	(void)state;
	/* mov dword [rip+0x10], 1: the immediate comes after the displacement */
	assert_int_equal(DECODE(long_mode, &insn, 0xc7, 0x05, 0x10, 0, 0, 0, 0x01, 0, 0, 0), 0);
	assert_int_equal(insn.dst.base, INSN_REG_RIP);
	assert_int_equal(insn_linear_address(&insn, &insn.dst, &regs), 0x101a);
	/* the same outside 64-bit mode is an absolute address */
	assert_int_equal(DECODE(code32, &insn, 0xc7, 0x05, 0x10, 0, 0, 0, 0x01, 0, 0, 0), 0);
	assert_int_equal(insn.dst.base, INSN_REG_NONE);
}

static void sixteen_bit_addresses_wrap_within_their_segment(void **state)
{
	struct insn_regs regs = { .general = { [BP] = 0xfff0, [SI] = 0x20 } };
	struct insn insn;

	(void)state;
	regs.segment_base[INSN_SS] = 0xf0000;
	assert_int_equal(DECODE(real, &insn, 0x8a, 0x42, 0x05), 0); /* mov al, [bp+si+5] */
	assert_memory(&insn.src, INSN_SS, BP, SI, 0, 5);
	assert_int_equal(insn_effective_address(&insn, &insn.src, &regs), 0x15);
	assert_int_equal(insn_linear_address(&insn, &insn.src, &regs), 0xf0015);
	assert_int_equal(DECODE(real, &insn, 0x8b, 0x16, 0x34, 0x12), 0); /* mov dx, [0x1234] */
	assert_memory(&insn.src, INSN_DS, INSN_REG_NONE, INSN_REG_NONE, 0, 0x1234);
	assert_int_equal(insn.src.bytes, 2);
	/* mov eax, es:[ebx] in 16-bit code takes three prefixes, in any order */
	assert_int_equal(DECODE(real, &insn, 0x67, 0x26, 0x66, 0x8b, 0x03), 0);
	assert_memory(&insn.src, INSN_ES, BX, INSN_REG_NONE, 0, 0);
	assert_int_equal(insn.src.bytes, 4);
}

static void linear_addresses_outside_64_bit_mode_have_32_bits(void **state)
{
	struct insn_regs regs = { .general = { [BX] = 0xfffffff0 } };
	struct insn insn;

	(void)state;
	regs.segment_base[INSN_DS] = 0x20;
	regs.segment_base[INSN_FS] = 0x100;
	assert_int_equal(DECODE(code32, &insn, 0x8b, 0x03), 0); /* mov eax, [ebx] */
	assert_int_equal(insn_linear_address(&insn, &insn.src, &regs), 0x10);
	/* 64-bit mode knows no base of DS, and one of FS */
	assert_int_equal(DECODE(long_mode, &insn, 0x8b, 0x03), 0);
	assert_int_equal(insn_linear_address(&insn, &insn.src, &regs), 0xfffffff0);
	assert_int_equal(DECODE(long_mode, &insn, 0x64, 0x2e, 0x8b, 0x03), 0);
	assert_int_equal(insn_linear_address(&insn, &insn.src, &regs), 0x1000000f0);
}

static void rex_counts_only_right_before_the_opcode(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0x48, 0x66, 0x89, 0x08), 0); /* mov [rax], cx */
	assert_int_equal(insn.dst.bytes, 2);
	assert_int_equal(DECODE(long_mode, &insn, 0x66, 0x48, 0x89, 0x08), 0); /* mov [rax], rcx */
	assert_int_equal(insn.dst.bytes, 8);
	assert_int_equal(DECODE(long_mode, &insn, 0x88, 0x20), 0); /* mov [rax], ah */
	assert_int_equal(insn.src.reg, INSN_REG_HIGH);
	assert_int_equal(DECODE(long_mode, &insn, 0x40, 0x88, 0x20), 0); /* mov [rax], spl */
	assert_int_equal(insn.src.reg, SP);
	assert_int_equal(DECODE(code32, &insn, 0x40, 0x88, 0x20), -EOPNOTSUPP); /* inc eax */
}

static void what_only_privileged_code_does_is_left_to_the_processor(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0x0f, 0x01, 0xf0), 0); /* lmsw ax */
	assert_int_equal(insn.op, INSN_LMSW);
	assert_int_equal(insn.length, 3);
	assert_int_equal(DECODE(long_mode, &insn, 0x0f, 0xa2), -EOPNOTSUPP);	   /* cpuid */
	assert_int_equal(DECODE(long_mode, &insn, 0x0f, 0x01, 0xd9), -EOPNOTSUPP); /* vmmcall */
	assert_int_equal(DECODE(long_mode, &insn, 0x0f, 0x01, 0x10), -EOPNOTSUPP); /* lgdt [rax] */
	assert_int_equal(DECODE(long_mode, &insn, 0xff, 0x18), -EOPNOTSUPP); /* call far [rax] */
}

static void control_registers_are_those_that_exist(void **state)
{
	struct insn insn;

	(void)state;
	/* mov cr8, rcx; whatever ModRM.mod says */
	assert_int_equal(DECODE(long_mode, &insn, 0x44, 0x0f, 0x22, 0x01), 0);
	assert_int_equal(insn.dst.reg, 8);
	assert_int_equal(insn.src.reg, CX);
	assert_int_equal(insn.length, 4);
	assert_int_equal(DECODE(long_mode, &insn, 0x0f, 0x22, 0xc8), -EINVAL);	     /* cr1 */
	assert_int_equal(DECODE(long_mode, &insn, 0xf0, 0x0f, 0x22, 0xc0), -EINVAL); /* lock */
}

static void ports_and_strings_say_all_that_an_intercept_leaves_out(void **state)
{
	struct insn insn;

	(void)state;
	/* rep outsw from FS:ESI in 16-bit code */
	assert_int_equal(DECODE(code16, &insn, 0xf3, 0x67, 0x64, 0x6f), 0);
	assert_int_equal(insn.prefixes, INSN_PREFIX_REP);
	assert_memory(&insn.src, INSN_FS, SI, INSN_REG_NONE, 0, 0);
	assert_int_equal(insn.src.bytes, 2);
	assert_int_equal(insn.src.address_bytes, 4);
	assert_int_equal(insn.dst.kind, INSN_OPERAND_PORT);
	assert_int_equal(insn.dst.reg, DX);
	/* insb goes to ES whatever is said; REX.W makes insd no larger */
	assert_int_equal(DECODE(long_mode, &insn, 0x65, 0x6c), 0);
	assert_int_equal(insn.dst.segment, INSN_ES);
	assert_int_equal(DECODE(long_mode, &insn, 0x48, 0x6d), 0);
	assert_int_equal(insn.dst.bytes, 4);
	assert_int_equal(DECODE(code32, &insn, 0xe5, 0xf0), 0); /* in eax, 0xf0 */
	assert_int_equal(insn.src.reg, INSN_REG_NONE);
	assert_int_equal(insn.immediate, 0xf0);
}

static void vex_is_told_from_les_and_lds(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xc5, 0xfe, 0x6f, 0x00),
			 0); /* vmovdqu ymm0, [rax] */
	assert_int_equal(insn.op, INSN_MOV_VECTOR);
	assert_int_equal(insn.src.bytes, 32);
	assert_int_equal(DECODE(code32, &insn, 0xc5, 0xfe, 0x6f, 0x00), 0);
	assert_int_equal(DECODE(code32, &insn, 0xc5, 0x3e, 0x6f, 0x00), -EOPNOTSUPP); /* lds */
	assert_int_equal(DECODE(real, &insn, 0xc5, 0xfe, 0x6f, 0x00), -EOPNOTSUPP);
	assert_int_equal(DECODE(long_mode, &insn, 0x66, 0xc5, 0xfe, 0x6f, 0x00), -EINVAL);
}

static void lock_goes_with_few(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xf0, 0x01, 0x08), 0);       /* add [rax], ecx */
	assert_int_equal(DECODE(long_mode, &insn, 0xf0, 0x03, 0x08), -EINVAL); /* add ecx, [rax] */
	assert_int_equal(DECODE(long_mode, &insn, 0xf0, 0x01, 0xc8), -EINVAL); /* add eax, ecx */
	assert_int_equal(DECODE(long_mode, &insn, 0xf0, 0x89, 0x08), -EINVAL); /* mov */
	assert_int_equal(DECODE(long_mode, &insn, 0xf0, 0x39, 0x08), -EINVAL); /* cmp */
}

static void fifteen_bytes_are_the_most(void **state)
{
	uint8_t bytes[16];
	struct insn insn;

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	memcpy(bytes + 13, (const uint8_t[]){ 0x89, 0x08 }, 2);
	assert_int_equal(insn_decode(bytes, 15, &long_mode, &insn), 0);
	assert_int_equal(insn.length, 15);
	memcpy(bytes + 13, (const uint8_t[]){ 0x66, 0x89, 0x08 }, 3);
	assert_int_equal(insn_decode(bytes, 16, &long_mode, &insn), -E2BIG);
	assert_int_equal(insn_decode(bytes, 15, &long_mode, &insn), -E2BIG);
	assert_int_equal(insn_decode(bytes, 14, &long_mode, &insn), -EAGAIN);
	assert_int_equal(insn_decode(bytes, 0, &long_mode, &insn), -EAGAIN);
}

/* ---- carrying out ---- */

/* Takes one step's write and goes on. */
static enum insn_step resume_written(struct insn_exec *exec, uint64_t address, uint64_t value)
{
	assert_int_equal(exec->address, address);
	assert_int_equal(exec->value->word[0], value);
	return insn_resume(exec);
}

static enum insn_step resume_read(struct insn_exec *exec, uint64_t address, uint64_t value)
{
	assert_int_equal(exec->address, address);
	exec->value->word[0] = value;
	return insn_resume(exec);
}

static void registers_change_only_at_the_end(void **state)
{
	struct insn_regs regs = { .general = { [AX] = 5, [BX] = 0x1000 },
				  .rip = 0x10,
				  .rflags = 2 };
	struct insn_regs before = regs;
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xf0, 0x0f, 0xc1, 0x03),
			 0); /* lock xadd [rbx], eax */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(exec.bytes, 4);
	assert_int_equal(resume_read(&exec, 0x1000, 0xffffffff), INSN_STEP_WRITE_MEMORY);
	assert_memory_equal(&regs, &before, sizeof(regs));
	assert_int_equal(resume_written(&exec, 0x1000, 4), INSN_STEP_DONE);
	assert_int_equal(regs.general[AX], 0xffffffff);
	assert_int_equal(regs.rip, 0x14);
	assert_true(regs.rflags & CARRY);
}

static void an_iteration_of_a_repeated_move_is_one_execution(void **state)
{
	struct insn_regs regs = { .general = { [CX] = 2, [SI] = 0x100, [DI] = 0x200 },
				  .rip = 0x10,
				  .rflags = RESUME };
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xf3, 0x48, 0xa5), 0); /* rep movsq */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(regs.rip, 0x10);
		assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
		assert_int_equal(resume_read(&exec, 0x100 + 8 * i, i), INSN_STEP_WRITE_MEMORY);
		assert_int_equal(resume_written(&exec, 0x200 + 8 * i, i), INSN_STEP_DONE);
		assert_int_equal(regs.general[CX], 1 - i);
	}
	assert_int_equal(regs.rip, 0x13);
	assert_false(regs.rflags & RESUME);
	/* and with nothing left it does nothing */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_DONE);
	assert_int_equal(regs.rip, 0x16);
	assert_int_equal(regs.general[SI], 0x110);
}

static void a_dropped_iteration_has_not_happened(void **state)
{
	struct insn_regs regs = { .general = { [CX] = 9, [SI] = 0x100, [DI] = 0x200 } };
	struct insn_regs before = regs;
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(code32, &insn, 0xf3, 0xa4), 0);
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x100, 1), INSN_STEP_WRITE_MEMORY);
	assert_memory_equal(&regs, &before, sizeof(regs));
}

static void strings_in_16_bit_code_keep_upper_halves_and_go_down(void **state)
{
	struct insn_regs regs = {
		.general = { [CX] = 0xaaaa0001, [DI] = 0xbbbb0000, [AX] = 0x1234 },
		.rflags = DIRECTION
	};
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	regs.segment_base[INSN_ES] = 0xb8000;
	assert_int_equal(DECODE(real, &insn, 0xf3, 0xab), 0); /* rep stosw */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_WRITE_MEMORY);
	assert_int_equal(resume_written(&exec, 0xb8000, 0x1234), INSN_STEP_DONE);
	assert_int_equal(regs.general[DI], 0xbbbbfffe);
	assert_int_equal(regs.general[CX], 0xaaaa0000);
	assert_int_equal(regs.rip, 2);
}

static void a_repeated_comparison_stops_at_a_difference(void **state)
{
	struct insn_regs regs = { .general = { [CX] = 9, [SI] = 0x100, [DI] = 0x200 } };
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xf3, 0xa6), 0); /* repe cmpsb */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x200, 2), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x100, 1), INSN_STEP_DONE);
	assert_int_equal(regs.rip, 2);
	assert_int_equal(regs.general[CX], 8);
	assert_true(regs.rflags & CARRY); /* [rSI] - [rDI] */
	assert_false(regs.rflags & ZERO);
}

static void port_instructions_ask_for_ports(void **state)
{
	struct insn_regs regs = { .general = {
					  [AX] = 0x11223344, [DX] = 0xffff03f8, [DI] = 0x200 } };
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xee), 0); /* out dx, al */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_WRITE_PORT);
	assert_int_equal(exec.bytes, 1);
	assert_int_equal(resume_written(&exec, 0x3f8, 0x44), INSN_STEP_DONE);
	assert_int_equal(DECODE(long_mode, &insn, 0x66, 0xe5, 0x60), 0); /* in ax, 0x60 */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_PORT);
	assert_int_equal(resume_read(&exec, 0x60, 0xabcd), INSN_STEP_DONE);
	assert_int_equal(regs.general[AX], 0x1122abcd);
	assert_int_equal(DECODE(long_mode, &insn, 0x6c), 0); /* insb */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_PORT);
	assert_int_equal(resume_read(&exec, 0x3f8, 0x77), INSN_STEP_WRITE_MEMORY);
	assert_int_equal(resume_written(&exec, 0x200, 0x77), INSN_STEP_DONE);
	assert_int_equal(regs.general[DI], 0x201);
}

static void a_bit_number_leads_out_of_the_operand(void **state)
{
	struct insn_regs regs = { .general = { [CX] = (uint64_t)-1, [BX] = 0x1000 } };
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0x0f, 0xa3, 0x0b), 0); /* bt [rbx], ecx */
	assert_int_equal(insn_linear_address(&insn, &insn.dst, &regs), 0xffc);
	regs.general[CX] = 100;
	assert_int_equal(insn_linear_address(&insn, &insn.dst, &regs), 0x100c);
	assert_int_equal(DECODE(long_mode, &insn, 0x48, 0x0f, 0xba, 0x23, 0x64),
			 0); /* bt [rbx], 100 */
	assert_int_equal(insn_linear_address(&insn, &insn.dst, &regs), 0x1000);
}

static void stack_operands_follow_the_stack_segments_width(void **state)
{
	static const struct insn_mode mixed = { 4, 2, false };
	struct insn_regs regs = { .general = { [SP] = 0x50000, [BX] = 0x1000 } };
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	regs.segment_base[INSN_SS] = 0x100000;
	assert_int_equal(DECODE(mixed, &insn, 0xff, 0x33), 0); /* push dword [ebx], SS.B = 0 */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x1000, 7), INSN_STEP_WRITE_MEMORY);
	assert_int_equal(resume_written(&exec, 0x10fffc, 7), INSN_STEP_DONE);
	assert_int_equal(regs.general[SP], 0x5fffc);
	/* pop [esp]: the address is made after ESP has grown */
	assert_int_equal(DECODE(code32, &insn, 0x8f, 0x04, 0x24), 0);
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x15fffc, 7), INSN_STEP_WRITE_MEMORY);
	assert_int_equal(resume_written(&exec, 0x160000, 7), INSN_STEP_DONE);
	assert_int_equal(regs.general[SP], 0x60000);
}

static void branches_go_where_memory_says(void **state)
{
	struct insn_regs regs = { .general = { [SP] = 0x8000, [BX] = 0x1000 }, .rip = 0x10 };
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xff, 0x13), 0); /* call [rbx] */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x1000, 0x4000), INSN_STEP_WRITE_MEMORY);
	assert_int_equal(resume_written(&exec, 0x7ff8, 0x12), INSN_STEP_DONE);
	assert_int_equal(regs.rip, 0x4000);
	/* 66 with a near branch is something else for each vendor */
	assert_int_equal(DECODE(long_mode, &insn, 0x66, 0xff, 0x13), -EOPNOTSUPP);
}

static void a_quotient_too_large_is_a_divide_error(void **state)
{
	struct insn_regs regs = { .general = {
					  [AX] = 1ull << 31, [DX] = UINT32_MAX, [BX] = 0x1000 } };
	struct insn_regs before = regs;
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0xf7, 0x3b), 0); /* idiv dword [rbx] */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x1000, UINT32_MAX), INSN_STEP_DIVIDE_ERROR);
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x1000, 0), INSN_STEP_DIVIDE_ERROR);
	assert_memory_equal(&regs, &before, sizeof(regs));
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_READ_MEMORY);
	assert_int_equal(resume_read(&exec, 0x1000, 1), INSN_STEP_DONE);
	assert_int_equal(regs.general[AX], 1ull << 31);
}

static void what_is_only_decoded_is_not_carried_out(void **state)
{
	struct insn_regs regs = { 0 };
	struct insn_exec exec;
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(long_mode, &insn, 0x0f, 0x01, 0xf0), 0); /* lmsw ax */
	assert_int_equal(insn_begin(&exec, &insn, &regs), INSN_STEP_UNSUPPORTED);
}

/* ---- the table ---- */

static void mark(bool *has_row, const struct insn_row *row)
{
	if (row->flags & ROW_GROUP)
		assert_in_range(row->op, 0, insn_nr_groups - 1);
	else
		has_row[row->op] = true;
}

static void every_operation_has_a_row_and_a_name(void **state)
{
	bool has_row[INSN_OP_COUNT] = { false };

	(void)state;
	for (unsigned i = 0; i < MAP_ROWS; i++) {
		mark(has_row, &insn_map_1[i]);
		mark(has_row, &insn_map_0f[i]);
	}
	for (size_t i = 0; i < insn_nr_groups; i++)
		for (unsigned j = 0; j < GROUP_ROWS; j++)
			mark(has_row, &insn_groups[i][j]);
	for (size_t i = 0; i < insn_nr_prefixed; i++)
		mark(has_row, &insn_prefixed[i].row);
	for (unsigned op = INSN_INVALID + 1; op < INSN_OP_COUNT; op++) {
		assert_true(has_row[op]);
		assert_non_null(insn_operations[op].name);
		assert_int_equal(!!insn_operations[op].execute, op < INSN_MOV_TO_CR);
	}
}

static void no_two_prefixed_rows_are_the_same_opcode(void **state)
{
	(void)state;
	for (size_t i = 0; i < insn_nr_prefixed; i++) {
		const struct insn_prefixed_row *a = &insn_prefixed[i];
		const struct insn_row *main = a->map == MAP_1 ? &insn_map_1[a->opcode]
							      : &insn_map_0f[a->opcode];

		for (size_t j = 0; j < i; j++)
			assert_true(a->map != insn_prefixed[j].map ||
				    a->opcode != insn_prefixed[j].opcode ||
				    a->mandatory != insn_prefixed[j].mandatory);
		if (a->map != MAP_0F38)
			assert_true((!main->op && !main->flags) || main->flags & ROW_NOT_F3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_register_store_says_where_and_what),
		cmocka_unit_test(sib_forms_have_base_index_and_scale),
		cmocka_unit_test(rip_relative_counts_from_the_next_instruction),
		cmocka_unit_test(sixteen_bit_addresses_wrap_within_their_segment),
		cmocka_unit_test(linear_addresses_outside_64_bit_mode_have_32_bits),
		cmocka_unit_test(rex_counts_only_right_before_the_opcode),
		cmocka_unit_test(what_only_privileged_code_does_is_left_to_the_processor),
		cmocka_unit_test(control_registers_are_those_that_exist),
		cmocka_unit_test(ports_and_strings_say_all_that_an_intercept_leaves_out),
		cmocka_unit_test(vex_is_told_from_les_and_lds),
		cmocka_unit_test(lock_goes_with_few),
		cmocka_unit_test(fifteen_bytes_are_the_most),
		cmocka_unit_test(registers_change_only_at_the_end),
		cmocka_unit_test(an_iteration_of_a_repeated_move_is_one_execution),
		cmocka_unit_test(a_dropped_iteration_has_not_happened),
		cmocka_unit_test(strings_in_16_bit_code_keep_upper_halves_and_go_down),
		cmocka_unit_test(a_repeated_comparison_stops_at_a_difference),
		cmocka_unit_test(port_instructions_ask_for_ports),
		cmocka_unit_test(a_bit_number_leads_out_of_the_operand),
		cmocka_unit_test(stack_operands_follow_the_stack_segments_width),
		cmocka_unit_test(branches_go_where_memory_says),
		cmocka_unit_test(a_quotient_too_large_is_a_divide_error),
		cmocka_unit_test(what_is_only_decoded_is_not_carried_out),
		cmocka_unit_test(every_operation_has_a_row_and_a_name),
		cmocka_unit_test(no_two_prefixed_rows_are_the_same_opcode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
