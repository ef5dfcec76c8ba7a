/*
 * Carrying instructions out: what is read and written and in which order; see insn.h. What each operation
 * makes of its operands is in insn_operations.c.
 *
 * The order is the same for all: read the source, read the destination, compute, write the destination, and
 * only then the registers.
 */
#include "kernel/virt/insn_table.h"

enum phase { READ_SRC, READ_DST, COMPUTE, WRITE_DST };

/* ---- registers ---- */

static uint64_t low_bytes(uint64_t value, unsigned bytes)
{
	return bytes >= 8 ? value : value & ((1ull << 8 * bytes) - 1);
}

uint64_t insn_register_get(const struct insn_regs *regs, unsigned reg, unsigned bytes)
{
	if (reg & INSN_REG_HIGH)
		return low_bytes(regs->general[reg & 3] >> 8, bytes);
	return low_bytes(regs->general[reg], bytes);
}

void insn_register_set(struct insn_exec *exec, unsigned reg, unsigned bytes, uint64_t value)
{
	exec->writes[exec->nr_writes++] = (struct insn_register_write){
		.value = value,
		.reg = (uint8_t)reg,
		.bytes = (uint8_t)bytes,
	};
}

/* A write of 4 bytes clears the upper 4; one of 1 or 2 bytes keeps the others. */
static void register_write(struct insn_regs *regs, const struct insn_register_write *write)
{
	unsigned shift = write->reg & INSN_REG_HIGH ? 8 : 0;
	uint64_t *reg = &regs->general[write->reg & (shift ? 3 : 15)];
	uint64_t mask = low_bytes(~0ull, write->bytes) << shift;

	if (write->bytes == 4)
		*reg = 0;
	*reg = (*reg & ~mask) | (write->value << shift & mask);
}

/* ---- addresses ---- */

/* The bit's number is signed and counts from the operand's first bit to wherever it leads. */
static uint64_t bit_displacement(const struct insn *insn, const struct insn_regs *regs)
{
	unsigned shift = 64 - 8u * insn->src.bytes;
	int64_t bit;

	if (insn->op < INSN_BT || insn->op > INSN_BTC || insn->src.kind != INSN_OPERAND_GENERAL)
		return 0;
	bit = (int64_t)(regs->general[insn->src.reg] << shift) >> shift;
	return (uint64_t)(bit >> 3) & ~(uint64_t)(insn->src.bytes - 1);
}

uint64_t insn_effective_address(const struct insn *insn, const struct insn_operand *operand,
				const struct insn_regs *regs)
{
	uint64_t address = (uint64_t)operand->displacement + bit_displacement(insn, regs);

	if (operand->base == INSN_REG_RIP)
		address += regs->rip + insn->length;
	else if (operand->base != INSN_REG_NONE)
		address += regs->general[operand->base];
	if (operand->index != INSN_REG_NONE)
		address += regs->general[operand->index] << operand->scale;
	return low_bytes(address, operand->address_bytes);
}

uint64_t insn_linear_address(const struct insn *insn, const struct insn_operand *operand,
			     const struct insn_regs *regs)
{
	uint64_t offset = insn_effective_address(insn, operand, regs);

	if (insn->code_bytes == 8)
		return offset +
		       (operand->segment < INSN_FS ? 0 : regs->segment_base[operand->segment]);
	return low_bytes(offset + regs->segment_base[operand->segment], 4);
}

/* ---- steps ---- */

static enum insn_step ask(struct insn_exec *exec, const struct insn_operand *operand,
			  struct insn_value *value, bool is_write)
{
	const struct insn *insn = exec->insn;

	exec->value = value;
	exec->bytes = operand->bytes;
	switch (operand->kind) {
	case INSN_OPERAND_MEMORY:
		exec->address = insn_linear_address(insn, operand, exec->regs);
		return is_write ? INSN_STEP_WRITE_MEMORY : INSN_STEP_READ_MEMORY;
	case INSN_OPERAND_PORT:
		exec->address = operand->reg == INSN_REG_NONE
					? insn->immediate
					: insn_register_get(exec->regs, operand->reg, 2);
		return is_write ? INSN_STEP_WRITE_PORT : INSN_STEP_READ_PORT;
	default:
		exec->address = operand->reg;
		return is_write ? INSN_STEP_WRITE_VECTOR : INSN_STEP_READ_VECTOR;
	}
}

static enum insn_step operand_read(struct insn_exec *exec, const struct insn_operand *operand,
				   struct insn_value *value)
{
	if (!(operand->access & INSN_ACCESS_READ))
		return INSN_STEP_DONE;
	if (operand->kind == INSN_OPERAND_GENERAL)
		value->word[0] = insn_register_get(exec->regs, operand->reg, operand->bytes);
	else if (operand->kind == INSN_OPERAND_IMMEDIATE)
		value->word[0] = exec->insn->immediate;
	else
		return ask(exec, operand, value, false);
	return INSN_STEP_DONE;
}

static enum insn_step operand_write(struct insn_exec *exec, const struct insn_operand *operand)
{
	if (!(operand->access & INSN_ACCESS_WRITE))
		return INSN_STEP_DONE;
	if (operand->kind != INSN_OPERAND_GENERAL)
		return ask(exec, operand, &exec->dst, true);
	insn_register_set(exec, operand->reg, operand->bytes, exec->dst.word[0]);
	return INSN_STEP_DONE;
}

/* ---- string instructions: one iteration ---- */

static bool is_string(const struct insn *insn)
{
	return (insn->op >= INSN_MOVS && insn->op <= INSN_STOS) || insn->op == INSN_INS ||
	       insn->op == INSN_OUTS;
}

static bool is_repeated(const struct insn *insn)
{
	return insn->prefixes & (INSN_PREFIX_REP | INSN_PREFIX_REPNE);
}

static uint64_t string_count(const struct insn_exec *exec)
{
	enum { CX = 1 };

	return insn_register_get(exec->regs, CX, exec->insn->address_bytes);
}

static void string_advance(struct insn_exec *exec, const struct insn_operand *operand)
{
	enum { DIRECTION_FLAG = 1 << 10 };
	uint64_t address;

	if (operand->kind != INSN_OPERAND_MEMORY)
		return;
	address = exec->regs->general[operand->base];
	if (exec->regs->rflags & DIRECTION_FLAG)
		address -= operand->bytes;
	else
		address += operand->bytes;
	insn_register_set(exec, operand->base, operand->address_bytes, address);
}

/* CMPS and SCAS go on while ZF is what their prefix says. */
static bool string_ends(const struct insn_exec *exec)
{
	enum { ZERO_FLAG = 1 << 6 };
	const struct insn *insn = exec->insn;

	if (string_count(exec) == 1)
		return true;
	if (insn->op != INSN_CMPS && insn->op != INSN_SCAS)
		return false;
	return !(exec->rflags & ZERO_FLAG) == !(insn->prefixes & INSN_PREFIX_REPNE);
}

static void string_finish(struct insn_exec *exec)
{
	enum { CX = 1 };

	string_advance(exec, &exec->insn->dst);
	string_advance(exec, &exec->insn->src);
	if (!is_repeated(exec->insn))
		return;
	insn_register_set(exec, CX, exec->insn->address_bytes, string_count(exec) - 1);
	exec->is_unfinished = !string_ends(exec);
}

/* ---- the machine ---- */

static enum insn_step finish(struct insn_exec *exec)
{
	enum { RESUME_FLAG = 1 << 16 };
	struct insn_regs *regs = exec->regs;

	if (is_string(exec->insn))
		string_finish(exec);
	for (unsigned i = 0; i < exec->nr_writes; i++)
		register_write(regs, &exec->writes[i]);
	regs->rflags = exec->rflags;
	if (!exec->is_unfinished) {
		regs->rip = exec->rip;
		regs->rflags &= ~(uint64_t)RESUME_FLAG;
	}
	return INSN_STEP_DONE;
}

static uint64_t next_rip(const struct insn *insn, const struct insn_regs *regs)
{
	return low_bytes(regs->rip + insn->length, insn->code_bytes == 8 ? 8 : 4);
}

enum insn_step insn_begin(struct insn_exec *exec, const struct insn *insn, struct insn_regs *regs)
{
	if (!insn_operations[insn->op].execute)
		return INSN_STEP_UNSUPPORTED;

	*exec = (struct insn_exec){
		.insn = insn,
		.regs = regs,
		.rip = next_rip(insn, regs),
		.rflags = regs->rflags,
	};
	if (is_string(insn) && is_repeated(insn) && !string_count(exec)) {
		regs->rip = exec->rip;
		return INSN_STEP_DONE;
	}
	return insn_resume(exec);
}

enum insn_step insn_resume(struct insn_exec *exec)
{
	const struct insn *insn = exec->insn;
	enum insn_step step = INSN_STEP_DONE;

	while (!step) {
		switch (exec->phase++) {
		case READ_SRC:
			step = operand_read(exec, &insn->src, &exec->src);
			break;
		case READ_DST:
			step = operand_read(exec, &insn->dst, &exec->dst);
			break;
		case COMPUTE:
			step = insn_operations[insn->op].execute(exec);
			break;
		case WRITE_DST:
			step = operand_write(exec, &insn->dst);
			break;
		default:
			return finish(exec);
		}
	}
	return step;
}
