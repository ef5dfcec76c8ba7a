/*
 * This processor as the judge of the executor: every instruction of the opcode table that can be carried out,
 * with random prefixes, operands, addressing, registers and flags, once by itself and once by insn_begin().
 * Registers, flags, vectors and memory must come out the same.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/virt/insn_table.h"
#include "tests/support/cmocka.h"

enum {
	ROUNDS = 150, /* of each row */
	MEMORY_BYTES = 8192,
	CODE_AT = 0,
	INSN_AT = 1024,
	STATE_AT = 4096,
	GS_BASE = 0x40,
	SP = 4,
	DIRECTION_FLAG = 1 << 10,
	FLAGS = 0x8d5 | DIRECTION_FLAG,
};

static const struct insn_mode mode = { .code_bytes = 8, .stack_bytes = 8 };

struct state {
	uint64_t general[16];
	uint64_t rflags;
	uint8_t vector[16][32];
};

struct native {
	struct state state;
	uint64_t host_rsp;
};

/* A row of the opcode table and how to get there. */
struct form {
	const struct insn_row *row;
	uint8_t map, opcode, mandatory, vex;
	int reg; /* of a group; else -1 */
};

static uint8_t *code;	/* what runs, and struct native behind it */
static uint8_t *memory; /* what instructions work on, also within 2 GiB of code */
static uint8_t *shadow; /* the executor's copy */
static sigjmp_buf trapped;

/* ---- dice ---- */

static uint64_t dice_state = 88172645463325252ull;

static uint64_t dice(uint64_t sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return (dice_state >> 11) % sides;
}

static bool one_in(unsigned n)
{
	return !dice(n);
}

static uint64_t random_value(void)
{
	static const uint64_t edges[] = { 0,	      1,	 0x7f,	     0x80,	 0xff,
					  0x7fff,     0x8000,	 0xffff,     0x7fffffff, 0x80000000,
					  0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX };
	uint64_t value = dice(1ull << 32) << 32 | dice(1ull << 32);

	if (one_in(4))
		return edges[dice(ARRAY_SIZE(edges))];
	return one_in(3) ? value & 0xff : value;
}

/* ---- the processor ---- */

static uint8_t *at;

static void emit(const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	at += n;
}

#define EMIT(...) emit((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* The last part of an instruction with a field of struct native as its operand. */
static void emit_field(uint8_t reg, size_t field)
{
	int32_t displacement = (int32_t)((long)(STATE_AT + field) - (at + 5 - code));

	EMIT((uint8_t)((reg & 7) << 3 | 5));
	emit(&displacement, 4);
}

static void emit_general(uint8_t opcode, uint8_t reg)
{
	EMIT(reg < 8 ? 0x48 : 0x4c, opcode);
	emit_field(reg, offsetof(struct native, state.general) + 8ul * reg);
}

static void emit_vector(uint8_t opcode, uint8_t reg)
{
	EMIT(0xc5, reg < 8 ? 0xfe : 0x7e, opcode);
	emit_field(reg, offsetof(struct native, state.vector) + 32ul * reg);
}

static const uint8_t saved[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
static const uint8_t restored[] = { 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b };

static void emit_prologue(void)
{
	at = code;
	emit(saved, sizeof(saved));
	EMIT(0x48, 0x89); /* mov [host_rsp], rsp */
	emit_field(SP, offsetof(struct native, host_rsp));
	for (uint8_t reg = 0; reg < 16; reg++)
		emit_vector(0x6f, reg);
	EMIT(0xff); /* push [rflags]; popfq */
	emit_field(6, offsetof(struct native, state.rflags));
	EMIT(0x9d);
	for (uint8_t reg = 0; reg < 16; reg++)
		emit_general(0x8b, reg);
	while (at < code + INSN_AT)
		EMIT(0x90);
}

static void emit_epilogue(void)
{
	for (uint8_t reg = 0; reg < 16; reg++)
		emit_general(0x89, reg);
	EMIT(0x48, 0x8b); /* mov rsp, [host_rsp] */
	emit_field(SP, offsetof(struct native, host_rsp));
	EMIT(0x9c, 0x8f); /* pushfq; pop [rflags]; cld */
	emit_field(0, offsetof(struct native, state.rflags));
	EMIT(0xfc);
	for (uint8_t reg = 0; reg < 16; reg++)
		emit_vector(0x7f, reg);
	EMIT(0xc5, 0xf8, 0x77); /* vzeroupper */
	emit(restored, sizeof(restored));
	EMIT(0xc3);
}

static void trap(int signal)
{
	siglongjmp(trapped, signal);
}

/* For each test anew, because cmocka has put its own handlers in. */
static void catch_traps(void)
{
	static const int signals[] = { SIGILL, SIGFPE, SIGSEGV, SIGBUS };
	struct sigaction action = { .sa_handler = trap, .sa_flags = SA_ONSTACK | SA_NODEFER };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* Returns 0 or the signal that came of it. */
static int run_native(const uint8_t *bytes, size_t n, struct state *state)
{
	struct native *native = (struct native *)(code + STATE_AT);
	int signal = sigsetjmp(trapped, 1);

	if (signal)
		return signal;
	native->state = *state;
	at = code + INSN_AT;
	emit(bytes, n);
	emit_epilogue();
	asm volatile("call *%0"
		     :
		     : "r"(code)
		     : "memory", "cc", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
		       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
		       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	*state = native->state;
	return 0;
}

/* ---- the executor ---- */

static uint8_t *in_shadow(const struct insn_exec *exec)
{
	uint64_t offset = exec->address - (uintptr_t)memory;

	assert_true(offset < MEMORY_BYTES && exec->bytes <= MEMORY_BYTES - offset);
	return shadow + offset;
}

static void serve(struct insn_exec *exec, enum insn_step step, struct state *state)
{
	switch (step) {
	case INSN_STEP_READ_MEMORY:
		memcpy(exec->value, in_shadow(exec), exec->bytes);
		break;
	case INSN_STEP_WRITE_MEMORY:
		memcpy(in_shadow(exec), exec->value, exec->bytes);
		break;
	case INSN_STEP_READ_VECTOR:
		memcpy(exec->value, state->vector[exec->address], exec->bytes);
		break;
	case INSN_STEP_WRITE_VECTOR:
		memcpy(state->vector[exec->address], exec->value, exec->bytes);
		break;
	default:
		fail_msg("step %d", step);
	}
}

/* Returns 0 or the signal that the exception would be. */
static int run_executor(const struct insn *insn, struct state *state, uint64_t *out_rip)
{
	struct insn_regs regs = { .rip = (uintptr_t)code + INSN_AT, .rflags = state->rflags };
	uint64_t begin = regs.rip;
	struct insn_exec exec;

	memcpy(regs.general, state->general, sizeof(regs.general));
	regs.segment_base[INSN_GS] = GS_BASE;
	while (regs.rip == begin) {
		enum insn_step step = insn_begin(&exec, insn, &regs);

		for (; step != INSN_STEP_DONE; step = insn_resume(&exec)) {
			if (step == INSN_STEP_DIVIDE_ERROR)
				return SIGFPE;
			assert_memory_equal(regs.general, state->general, sizeof(regs.general));
			serve(&exec, step, state);
		}
		memcpy(state->general, regs.general, sizeof(regs.general));
	}
	state->rflags = regs.rflags;
	*out_rip = regs.rip;
	return 0;
}

/* ---- encodings ---- */

struct encoding {
	uint8_t bytes[32];
	size_t n;
	size_t displacement_at, displacement_bytes;
};

static void put(struct encoding *e, uint64_t byte)
{
	e->bytes[e->n++] = (uint8_t)byte;
}

static void put_many(struct encoding *e, unsigned n)
{
	while (n--)
		put(e, dice(256));
}

static void put_displacement(struct encoding *e, unsigned bytes)
{
	int32_t value = (int32_t)dice(256) - 128;

	e->displacement_at = e->n;
	e->displacement_bytes = bytes;
	memset(e->bytes + e->n, value < 0 ? 0xff : 0, bytes);
	e->bytes[e->n] = (uint8_t)value;
	e->n += bytes;
}

static void put_prefixes(const struct form *form, struct encoding *e)
{
	bool is_string = form->map == MAP_1 && form->opcode >= 0xa4 && form->opcode <= 0xaf;

	if (one_in(6))
		put(e, 0x67);
	if (one_in(6))
		put(e, 0x65);
	if (form->vex == VEX_NEVER && form->mandatory == PREFIX_NONE && one_in(3))
		put(e, 0x66);
	if (form->vex == VEX_NEVER && form->mandatory == PREFIX_NONE && one_in(8))
		put(e, 0xf0);
	if (is_string && one_in(2))
		put(e, 0xf2 + dice(2));
}

static void put_opcode(const struct form *form, struct encoding *e)
{
	static const uint8_t mandatory[] = { 0, 0x66, 0xf3, 0xf2 };

	if (form->vex != VEX_NEVER && one_in(2)) {
		put(e, 0xc4);
		put(e, dice(8) << 5 | form->map);
		put(e, dice(2) << 7 | 0x78 | dice(2) << 2 | form->mandatory);
		put(e, form->opcode);
		return;
	}
	if (form->mandatory)
		put(e, mandatory[form->mandatory]);
	if (one_in(2))
		put(e, 0x40 + dice(16));
	if (form->map != MAP_1)
		put(e, 0x0f);
	if (form->map == MAP_0F38)
		put(e, 0x38);
	put(e, form->opcode);
}

static void put_modrm(const struct form *form, struct encoding *e)
{
	uint64_t mod = dice(4), rm = dice(8), sib = dice(256);
	uint64_t reg = form->reg >= 0 ? (uint64_t)form->reg : dice(8);

	put(e, mod << 6 | reg << 3 | rm);
	if (mod == 3)
		return;
	if (rm == 4)
		put(e, sib);
	if (mod == 1)
		put_displacement(e, 1);
	else if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		put_displacement(e, 4);
}

static bool uses(const struct insn_row *row, uint8_t first, uint8_t last)
{
	return (row->dst.addressing >= first && row->dst.addressing <= last) ||
	       (row->src.addressing >= first && row->src.addressing <= last);
}

static void encode(const struct form *form, struct encoding *e)
{
	*e = (struct encoding){ 0 };
	put_prefixes(form, e);
	put_opcode(form, e);
	if (form->reg >= 0 || uses(form->row, BY_E, BY_C))
		put_modrm(form, e);
	if (uses(form->row, BY_O, BY_O))
		put_displacement(e, memchr(e->bytes, 0x67, e->n) ? 4 : 8);
	put_many(e, 8); /* an immediate, or nothing */
}

/* ---- registers that lead into memory ---- */

static void fill_randomly(struct state *state)
{
	for (unsigned i = 0; i < 16; i++)
		state->general[i] = random_value();
	state->general[SP] = (uintptr_t)memory + MEMORY_BYTES / 2 + 8 * dice(64);
	state->rflags = (dice(1 << 12) & FLAGS) | 0x202;
	for (unsigned i = 0; i < 16; i++)
		for (unsigned j = 0; j < 32; j++)
			state->vector[i][j] = (uint8_t)dice(256);
	for (unsigned i = 0; i < MEMORY_BYTES; i++)
		memory[i] = (uint8_t)(one_in(4) ? 0 : dice(256));
}

static bool is_bit_string(const struct insn *insn)
{
	return insn->op >= INSN_BT && insn->op <= INSN_BTC &&
	       insn->src.kind == INSN_OPERAND_GENERAL;
}

static uint64_t address_of(const struct insn *insn, const struct insn_operand *operand,
			   const struct state *state)
{
	struct insn_regs regs = { .rip = (uintptr_t)code + INSN_AT };

	memcpy(regs.general, state->general, sizeof(regs.general));
	regs.segment_base[INSN_GS] = GS_BASE;
	return insn_linear_address(insn, operand, &regs);
}

/* Makes @operand's address @target by way of its base or its displacement. Returns whether it can. */
static bool aim(struct encoding *e, struct insn *insn, const struct insn_operand *operand,
		struct state *state, uint64_t target)
{
	uint64_t distance;

	if (operand->base == operand->index && operand->base != INSN_REG_NONE)
		return false;
	if (operand->index != INSN_REG_NONE)
		state->general[operand->index] = dice(64);
	if (is_bit_string(insn)) {
		if (insn->src.reg == operand->base || insn->src.reg == operand->index ||
		    insn->src.reg == SP)
			return false;
		state->general[insn->src.reg] = dice(4096) - 2048;
	}
	distance = target - address_of(insn, operand, state);
	if (operand->base < 16) {
		state->general[operand->base] += distance;
	} else {
		uint64_t displacement = (uint64_t)operand->displacement + distance;

		memcpy(e->bytes + e->displacement_at, &displacement, e->displacement_bytes);
	}
	return insn_decode(e->bytes, e->n, &mode, insn) == 0 &&
	       address_of(insn, operand, state) == target;
}

static bool is_string(const struct insn *insn)
{
	return insn->op >= INSN_MOVS && insn->op <= INSN_STOS;
}

/* The operand that ModRM says, if it is in memory: not the stack's slot. */
static const struct insn_operand *aimed_operand(const struct insn *insn)
{
	const struct insn_operand *operand = &insn->dst;

	if (insn->op == INSN_PUSH || insn->op == INSN_CALL)
		operand = &insn->src;
	else if (insn->op != INSN_POP && operand->kind != INSN_OPERAND_MEMORY)
		operand = &insn->src;
	return operand->kind == INSN_OPERAND_MEMORY ? operand : NULL;
}

static bool prepare(struct encoding *e, struct insn *insn, struct state *state)
{
	uint64_t target = (uintptr_t)memory + MEMORY_BYTES / 2 - 512 + dice(1024);
	const struct insn_operand *operand = aimed_operand(insn);

	fill_randomly(state);
	if (!is_string(insn)) {
		if (operand && operand->bytes >= 16)
			target &= ~31ull;
		return !operand || aim(e, insn, operand, state, target);
	}

	state->general[1] = dice(6) | (insn->address_bytes == 4 ? random_value() << 32 : 0);
	if (insn->src.kind == INSN_OPERAND_MEMORY &&
	    !aim(e, insn, &insn->src, state, target + dice(64)))
		return false;
	return insn->dst.kind != INSN_OPERAND_MEMORY || aim(e, insn, &insn->dst, state, target);
}

/* A branch must lead to what follows it, or nobody comes back. Returns whether it does. */
static bool lead_back(const struct insn *insn, struct state *state)
{
	uint64_t next = (uintptr_t)code + INSN_AT + insn->length;

	if (insn->op != INSN_JMP && insn->op != INSN_CALL)
		return true;
	if (insn->src.kind == INSN_OPERAND_MEMORY)
		memcpy((void *)address_of(insn, &insn->src, state), &next, sizeof(next));
	else
		state->general[insn->src.reg] = next;
	return state->general[SP] != next;
}

/* ---- the comparison ---- */

static void explain(const struct insn *insn, const struct encoding *e, const struct state *before)
{
	fprintf(stderr, "# %s:", insn->name);
	for (unsigned i = 0; i < insn->length; i++)
		fprintf(stderr, " %02x", e->bytes[i]);
	fprintf(stderr, "\n# before:");
	for (unsigned i = 0; i < 16; i++)
		fprintf(stderr, " %lx", before->general[i]);
	fprintf(stderr, " flags %lx\n", before->rflags);
}

static bool is_same(const struct state *native, const struct state *ours)
{
	bool is_memory_same = !memcmp(memory, shadow, MEMORY_BYTES);

	for (unsigned i = 0; i < 16; i++)
		if (native->general[i] != ours->general[i])
			fprintf(stderr, "# register %u is %lx, should be %lx\n", i,
				ours->general[i], native->general[i]);
	if ((native->rflags ^ ours->rflags) & FLAGS)
		fprintf(stderr, "# flags are %lx, should be %lx\n", ours->rflags & FLAGS,
			native->rflags & FLAGS);
	if (!is_memory_same)
		fprintf(stderr, "# memory differs\n");
	if (memcmp(native->vector, ours->vector, sizeof(ours->vector)))
		fprintf(stderr, "# vectors differ\n");
	return is_memory_same && !((native->rflags ^ ours->rflags) & FLAGS) &&
	       !memcmp(native->general, ours->general, sizeof(ours->general)) &&
	       !memcmp(native->vector, ours->vector, sizeof(ours->vector));
}

/* Returns whether there was something to compare. */
static bool compare_once(const struct form *form)
{
	struct encoding e;
	struct insn insn;
	struct state before, native, ours;
	uint64_t rip = 0;
	int native_signal, our_signal;

	encode(form, &e);
	if (insn_decode(e.bytes, e.n, &mode, &insn) || !prepare(&e, &insn, &before) ||
	    !lead_back(&insn, &before))
		return false;
	memcpy(shadow, memory, MEMORY_BYTES);
	native = ours = before;

	native_signal = run_native(e.bytes, insn.length, &native);
	if (native_signal == SIGILL)
		return false; /* this processor hasn't got it */
	our_signal = run_executor(&insn, &ours, &rip);
	if (native_signal != our_signal || !is_same(&native, &ours)) {
		explain(&insn, &e, &before);
		fail_msg("signal %d, should be %d", our_signal, native_signal);
	}
	if (!our_signal)
		assert_int_equal(rip, (uintptr_t)code + INSN_AT + insn.length);
	return true;
}

static bool is_for_the_oracle(const struct insn_row *row)
{
	return !(row->flags & ROW_GROUP) && insn_operations[row->op].execute &&
	       !(row->flags & ROW_NOT_64) && !(row->op >= INSN_IN && row->op <= INSN_OUTS);
}

static void compare_form(struct form form)
{
	unsigned compared = 0;

	if (form.row->flags & ROW_GROUP) {
		const struct insn_row *group = insn_groups[form.row->op];
		bool is_only_legacy = form.row->flags & ROW_NOT_64;

		for (form.reg = 0; !is_only_legacy && form.reg < GROUP_ROWS; form.reg++) {
			form.row = &group[form.reg];
			if (is_for_the_oracle(form.row))
				compare_form(form);
		}
		return;
	}
	if (!is_for_the_oracle(form.row))
		return;
	for (unsigned i = 0; i < ROUNDS; i++)
		compared += compare_once(&form);
	/* Not every processor has what needs a prefix. */
	if (!form.mandatory && form.map != MAP_0F38)
		assert_int_not_equal(compared, 0);
}

static void the_one_byte_opcodes_do_what_the_processor_does(void **state)
{
	(void)state;
	catch_traps();
	for (unsigned opcode = 0; opcode < MAP_ROWS; opcode++)
		compare_form((struct form){ &insn_map_1[opcode], MAP_1, (uint8_t)opcode,
					    PREFIX_NONE, VEX_NEVER, -1 });
}

static void the_two_byte_opcodes_do_what_the_processor_does(void **state)
{
	(void)state;
	catch_traps();
	for (unsigned opcode = 0; opcode < MAP_ROWS; opcode++)
		compare_form((struct form){ &insn_map_0f[opcode], MAP_0F, (uint8_t)opcode,
					    PREFIX_NONE, VEX_NEVER, -1 });
}

static void the_prefixed_opcodes_do_what_the_processor_does(void **state)
{
	(void)state;
	if (!__builtin_cpu_supports("avx2"))
		skip();
	catch_traps();
	for (size_t i = 0; i < insn_nr_prefixed; i++) {
		const struct insn_prefixed_row *row = &insn_prefixed[i];

		compare_form((struct form){ &row->row, row->map, row->opcode, row->mandatory,
					    row->vex, -1 });
	}
}

/* ---- */

static void *map_low(size_t size, int protection)
{
	void *p = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int set_up(void **state)
{
	stack_t stack = { .ss_sp = map_low(1 << 16, PROT_READ | PROT_WRITE), .ss_size = 1 << 16 };

	(void)state;
	if (!__builtin_cpu_supports("avx"))
		return 0;
	code = map_low(STATE_AT + 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memory = map_low(MEMORY_BYTES, PROT_READ | PROT_WRITE);
	shadow = map_low(MEMORY_BYTES, PROT_READ | PROT_WRITE);
	if (!stack.ss_sp || !code || !memory || !shadow || sigaltstack(&stack, NULL))
		return -1;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE))
		return -1;
	emit_prologue();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_byte_opcodes_do_what_the_processor_does),
		cmocka_unit_test(the_two_byte_opcodes_do_what_the_processor_does),
		cmocka_unit_test(the_prefixed_opcodes_do_what_the_processor_does),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
