/*
 * Classic BPF as seccomp has it: see bpf.h.
 */
#include <string.h>

#include "kernel/proc/bpf.h"

static_assert(BPF_MEMWORDS == 16, "a bit each in 16");

/* --- checking --- */

static bool is_arithmetic_valid(const struct sock_filter *at)
{
	bool is_constant = BPF_SRC(at->code) == BPF_K;

	switch (BPF_OP(at->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return true;
	case BPF_DIV:
		return !is_constant || at->k;
	case BPF_LSH:
	case BPF_RSH:
		return !is_constant || at->k < 32;
	case BPF_NEG:
		return is_constant;
	default:
		return false;
	}
}

/* @left: how many instructions follow. */
static bool is_jump_valid(const struct sock_filter *at, uint32_t left)
{
	switch (BPF_OP(at->code)) {
	case BPF_JA:
		return BPF_SRC(at->code) == BPF_K && at->k < left;
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET:
		return at->jt < left && at->jf < left;
	default:
		return false;
	}
}

static bool is_valid(const struct sock_filter *at, uint32_t left)
{
	if (at->code > UINT8_MAX)
		return false;
	switch (BPF_CLASS(at->code)) {
	case BPF_LD:
		if (at->code == (BPF_LD | BPF_W | BPF_ABS))
			return at->k < sizeof(struct seccomp_data) && at->k % 4 == 0;
		if (at->code == (BPF_LD | BPF_MEM))
			return at->k < BPF_MEMWORDS;
		return at->code == (BPF_LD | BPF_IMM) || at->code == (BPF_LD | BPF_W | BPF_LEN);
	case BPF_LDX:
		if (at->code == (BPF_LDX | BPF_MEM))
			return at->k < BPF_MEMWORDS;
		return at->code == (BPF_LDX | BPF_IMM) || at->code == (BPF_LDX | BPF_W | BPF_LEN);
	case BPF_ST:
	case BPF_STX:
		return at->code == BPF_CLASS(at->code) && at->k < BPF_MEMWORDS;
	case BPF_ALU:
		return is_arithmetic_valid(at);
	case BPF_JMP:
		return is_jump_valid(at, left);
	case BPF_RET:
		return at->code == (BPF_RET | BPF_K) || at->code == (BPF_RET | BPF_A);
	default:
		return at->code == (BPF_MISC | BPF_TAX) || at->code == (BPF_MISC | BPF_TXA);
	}
}

static bool is_memory_written_first(const struct sock_filter *program, uint32_t count,
				    struct bpf_scratch *written)
{
	uint16_t now = 0;

	memset(written, 0xff, sizeof(*written));
	for (uint32_t i = 0; i < count; i++) {
		const struct sock_filter *at = &program[i];
		uint32_t next = i + 1;

		now &= written->words[i];
		switch (BPF_CLASS(at->code)) {
		case BPF_ST:
		case BPF_STX:
			now |= (uint16_t)(1 << at->k);
			break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(at->code) == BPF_MEM && !(now & 1 << at->k))
				return false;
			break;
		case BPF_JMP:
			if (BPF_OP(at->code) == BPF_JA) {
				written->words[next + at->k] &= now;
			} else {
				written->words[next + at->jt] &= now;
				written->words[next + at->jf] &= now;
			}
			now = UINT16_MAX; /* nothing falls through from here */
			break;
		}
	}
	return true;
}

int bpf_check(const struct sock_filter *program, uint32_t count, struct bpf_scratch *scratch)
{
	for (uint32_t i = 0; i < count; i++)
		if (!is_valid(&program[i], count - i - 1))
			return -EINVAL;
	if (BPF_CLASS(program[count - 1].code) != BPF_RET)
		return -EINVAL;
	return is_memory_written_first(program, count, scratch) ? 0 : -EINVAL;
}

/* --- running --- */

struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
};

static uint32_t operand_of(const struct machine *machine, const struct sock_filter *at)
{
	return BPF_SRC(at->code) == BPF_X ? machine->x : at->k;
}

/* Not a division by zero. */
static uint32_t calculate(uint16_t code, uint32_t a, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		return a + operand;
	case BPF_SUB:
		return a - operand;
	case BPF_MUL:
		return a * operand;
	case BPF_DIV:
		return a / operand;
	case BPF_AND:
		return a & operand;
	case BPF_OR:
		return a | operand;
	case BPF_XOR:
		return a ^ operand;
	case BPF_LSH:
		return a << (operand & 31);
	case BPF_RSH:
		return a >> (operand & 31);
	default:
		return -a;
	}
}

static bool holds(uint16_t code, uint32_t a, uint32_t operand)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == operand;
	case BPF_JGT:
		return a > operand;
	case BPF_JGE:
		return a >= operand;
	default:
		return a & operand;
	}
}

static uint32_t jump_of(const struct machine *machine, const struct sock_filter *at)
{
	if (BPF_OP(at->code) == BPF_JA)
		return at->k;
	return holds(at->code, machine->a, operand_of(machine, at)) ? at->jt : at->jf;
}

static uint32_t value_of(const struct machine *machine, const struct sock_filter *at,
			 const struct seccomp_data *data)
{
	uint32_t value;

	switch (BPF_MODE(at->code)) {
	case BPF_ABS:
		memcpy(&value, (const uint8_t *)data + at->k, sizeof(value));
		return value;
	case BPF_MEM:
		return machine->memory[at->k];
	case BPF_LEN:
		return sizeof(*data);
	default:
		return at->k;
	}
}

uint32_t bpf_run(const struct sock_filter *program, const struct seccomp_data *data,
		 bool *has_seen_more)
{
	struct machine machine = { 0 };

	for (const struct sock_filter *at = program;; at++) {
		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
			if (BPF_MODE(at->code) == BPF_ABS &&
			    at->k >= offsetof(struct seccomp_data, instruction_pointer))
				*has_seen_more = true;
			machine.a = value_of(&machine, at, data);
			break;
		case BPF_LDX:
			machine.x = value_of(&machine, at, data);
			break;
		case BPF_ST:
			machine.memory[at->k] = machine.a;
			break;
		case BPF_STX:
			machine.memory[at->k] = machine.x;
			break;
		case BPF_ALU:
			if (BPF_OP(at->code) == BPF_DIV && !operand_of(&machine, at))
				return 0; /* a division by zero ends the program */
			machine.a = calculate(at->code, machine.a, operand_of(&machine, at));
			break;
		case BPF_JMP:
			at += jump_of(&machine, at);
			break;
		case BPF_RET:
			return BPF_RVAL(at->code) == BPF_A ? machine.a : at->k;
		default:
			if (BPF_MISCOP(at->code) == BPF_TAX)
				machine.x = machine.a;
			else
				machine.a = machine.x;
		}
	}
}
