/*
 * What each instruction does with its operands: exec->src and exec->dst hold their values, exec->dst takes the
 * result. One table names them all.
 *
 * Arithmetic is done by the same instruction of this processor, on the guest's values and flags, so its flags
 * are right for every width, those that the manuals leave undefined as well.
 */
#include "kernel/virt/insn_table.h"

enum { AX = 0, CX = 1, DX = 2, BX = 3, SP = 4 };

enum {
	CARRY_FLAG = 1 << 0,
	PARITY_FLAG = 1 << 2,
	AUXILIARY_FLAG = 1 << 4,
	ZERO_FLAG = 1 << 6,
	SIGN_FLAG = 1 << 7,
	OVERFLOW_FLAG = 1 << 11,
	LOW_FLAGS = CARRY_FLAG | PARITY_FLAG | AUXILIARY_FLAG | ZERO_FLAG | SIGN_FLAG,
};

static unsigned operand_bytes(const struct insn_exec *exec)
{
	return exec->insn->dst.bytes;
}

/* ---- done by this processor ---- */

/* AH as LAHF and SAHF have it, AL the overflow flag. */
static uint16_t flags_pack(uint64_t rflags)
{
	return (uint16_t)((rflags & LOW_FLAGS) << 8 | !!(rflags & OVERFLOW_FLAG));
}

static uint64_t flags_unpack(uint64_t rflags, uint16_t packed)
{
	rflags &= ~(uint64_t)(LOW_FLAGS | OVERFLOW_FLAG);
	return rflags | (packed >> 8 & LOW_FLAGS) | (packed & 1 ? OVERFLOW_FLAG : 0);
}

/*
 * POPF would reach flags that aren't the guest's to set, and the stack. The ADD overflows if AL is 1, and SAHF
 * leaves that alone.
 */
#define RUN(text)                                                               \
	asm volatile("addb $127, %%al\n\tsahf\n\t" text "\n\tlahf\n\tseto %%al" \
		     : "+a"(flags), [dst] "+&r"(dst), [high] "+&d"(high)        \
		     : [src] "c"(src)                                           \
		     : "cc")

#define NATIVE(...) NATIVE_EXPANDED(__VA_ARGS__)
#define NATIVE_EXPANDED(name, byte_text, word_text, long_text, quad_text)                     \
	static enum insn_step name(struct insn_exec *exec)                                    \
	{                                                                                     \
		uint64_t dst = exec->dst.word[0], src = exec->src.word[0], high = exec->high; \
		uint16_t flags = flags_pack(exec->rflags);                                    \
                                                                                              \
		switch (operand_bytes(exec)) {                                                \
		case 1:                                                                       \
			RUN(byte_text);                                                       \
			break;                                                                \
		case 2:                                                                       \
			RUN(word_text);                                                       \
			break;                                                                \
		case 4:                                                                       \
			RUN(long_text);                                                       \
			break;                                                                \
		default:                                                                      \
			RUN(quad_text);                                                       \
			break;                                                                \
		}                                                                             \
		exec->dst.word[0] = dst;                                                      \
		exec->high = high;                                                            \
		exec->rflags = flags_unpack(exec->rflags, flags);                             \
		return INSN_STEP_DONE;                                                        \
	}

/* clang-format off */
#define UNARY(op)  op "b %b[dst]", op "w %w[dst]", op "l %k[dst]", op "q %q[dst]"
#define BINARY(op) op "b %b[src], %b[dst]", WIDE(op)
#define WIDE_ONLY(op) "", WIDE(op)
#define WIDE(op)   op "w %w[src], %w[dst]", op "l %k[src], %k[dst]", op "q %q[src], %q[dst]"
#define SHIFT(op)  op "b %%cl, %b[dst]", op "w %%cl, %w[dst]", op "l %%cl, %k[dst]", op "q %%cl, %q[dst]"
#define DOUBLE_SHIFT(op) "", op "w %%cl, %w[high], %w[dst]", op "l %%cl, %k[high], %k[dst]", \
	op "q %%cl, %q[high], %q[dst]"
#define THROUGH_AX(op, src) "movq %q[dst], %%rax\n\t" op " " src "\n\tmovq %%rax, %q[dst]"
#define ACCUMULATE(op) THROUGH_AX(op "b", "%b[src]"), THROUGH_AX(op "w", "%w[src]"), \
	THROUGH_AX(op "l", "%k[src]"), THROUGH_AX(op "q", "%q[src]")

NATIVE(native_add, BINARY("add"))
NATIVE(native_or, BINARY("or"))
NATIVE(native_adc, BINARY("adc"))
NATIVE(native_sbb, BINARY("sbb"))
NATIVE(native_and, BINARY("and"))
NATIVE(native_sub, BINARY("sub"))
NATIVE(native_xor, BINARY("xor"))
NATIVE(native_cmp, BINARY("cmp"))
NATIVE(native_test, BINARY("test"))
NATIVE(native_not, UNARY("not"))
NATIVE(native_neg, UNARY("neg"))
NATIVE(native_inc, UNARY("inc"))
NATIVE(native_dec, UNARY("dec"))
NATIVE(native_rol, SHIFT("rol"))
NATIVE(native_ror, SHIFT("ror"))
NATIVE(native_rcl, SHIFT("rcl"))
NATIVE(native_rcr, SHIFT("rcr"))
NATIVE(native_shl, SHIFT("shl"))
NATIVE(native_shr, SHIFT("shr"))
NATIVE(native_sar, SHIFT("sar"))
NATIVE(native_shld, DOUBLE_SHIFT("shld"))
NATIVE(native_shrd, DOUBLE_SHIFT("shrd"))
NATIVE(native_bt, WIDE_ONLY("bt"))
NATIVE(native_bts, WIDE_ONLY("bts"))
NATIVE(native_btr, WIDE_ONLY("btr"))
NATIVE(native_btc, WIDE_ONLY("btc"))
NATIVE(native_bsf, WIDE_ONLY("bsf"))
NATIVE(native_bsr, WIDE_ONLY("bsr"))
NATIVE(native_imul, WIDE_ONLY("imul"))
NATIVE(native_mul_wide, ACCUMULATE("mul"))
NATIVE(native_imul_wide, ACCUMULATE("imul"))
NATIVE(native_div, ACCUMULATE("div"))
NATIVE(native_idiv, ACCUMULATE("idiv"))
/* clang-format on */

/* ---- three operands, and pairs of registers ---- */

static uint64_t third_operand(const struct insn_exec *exec)
{
	const struct insn_operand *third = &exec->insn->third;

	if (third->kind == INSN_OPERAND_IMMEDIATE)
		return exec->insn->immediate;
	return insn_register_get(exec->regs, third->reg, third->bytes);
}

static enum insn_step imul(struct insn_exec *exec)
{
	if (exec->insn->third.kind)
		exec->dst.word[0] = third_operand(exec);
	return native_imul(exec);
}

static enum insn_step double_shift(struct insn_exec *exec)
{
	exec->high = exec->src.word[0];
	exec->src.word[0] = third_operand(exec);
	return exec->insn->op == INSN_SHLD ? native_shld(exec) : native_shrd(exec);
}

/* Finds no bit in 0, and then leaves the register alone, its upper half too. */
static enum insn_step bit_scan(struct insn_exec *exec)
{
	const struct insn_operand *dst = &exec->insn->dst;

	if (exec->insn->op == INSN_BSF)
		native_bsf(exec);
	else
		native_bsr(exec);
	if (!(exec->rflags & ZERO_FLAG))
		insn_register_set(exec, dst->reg, dst->bytes, exec->dst.word[0]);
	return INSN_STEP_DONE;
}

/* The pair is AX for bytes, else rDX:rAX. */
static enum insn_step accumulate(struct insn_exec *exec,
				 enum insn_step (*native)(struct insn_exec *))
{
	unsigned bytes = operand_bytes(exec);

	exec->dst.word[0] = exec->regs->general[AX];
	exec->high = exec->regs->general[DX];
	native(exec);
	insn_register_set(exec, AX, bytes == 1 ? 2 : bytes, exec->dst.word[0]);
	if (bytes > 1)
		insn_register_set(exec, DX, bytes, exec->high);
	return INSN_STEP_DONE;
}

static enum insn_step mul(struct insn_exec *exec)
{
	return accumulate(exec, native_mul_wide);
}

static enum insn_step imul_wide(struct insn_exec *exec)
{
	return accumulate(exec, native_imul_wide);
}

/* Would the quotient not fit? Without dividing: n / d >= limit if n >= limit * d, and so is it with d = 0. */
static bool divide_overflows(const struct insn_exec *exec, bool is_signed)
{
	unsigned bits = 8 * operand_bytes(exec);
	uint64_t low = exec->regs->general[AX];
	uint64_t high = bits == 8 ? low >> 8 : exec->regs->general[DX];
	unsigned __int128 one = 1, mask = (one << bits) - 1, limit = one << bits;
	unsigned __int128 dividend = (high & mask) << bits | (low & mask);
	unsigned __int128 divisor = exec->src.word[0] & mask;
	bool is_dividend_negative = is_signed && dividend >> (2 * bits - 1);
	bool is_divisor_negative = is_signed && divisor >> (bits - 1);

	if (is_dividend_negative)
		dividend = -dividend & (mask << bits | mask);
	if (is_divisor_negative)
		divisor = -divisor & mask;
	if (is_signed)
		limit = limit / 2 + (is_dividend_negative != is_divisor_negative);
	return dividend >= limit * divisor;
}

static enum insn_step div(struct insn_exec *exec)
{
	return divide_overflows(exec, false) ? INSN_STEP_DIVIDE_ERROR
					     : accumulate(exec, native_div);
}

static enum insn_step idiv(struct insn_exec *exec)
{
	return divide_overflows(exec, true) ? INSN_STEP_DIVIDE_ERROR
					    : accumulate(exec, native_idiv);
}

/* ---- moves ---- */

static enum insn_step nothing(struct insn_exec *exec UNUSED)
{
	return INSN_STEP_DONE;
}

static enum insn_step move(struct insn_exec *exec)
{
	exec->dst = exec->src;
	return INSN_STEP_DONE;
}

static enum insn_step move_signed(struct insn_exec *exec)
{
	unsigned shift = 64 - 8u * exec->insn->src.bytes;

	exec->dst.word[0] = (uint64_t)((int64_t)(exec->src.word[0] << shift) >> shift);
	return INSN_STEP_DONE;
}

static enum insn_step move_swapped(struct insn_exec *exec)
{
	exec->dst.word[0] = __builtin_bswap64(exec->src.word[0]) >> (64 - 8 * operand_bytes(exec));
	return INSN_STEP_DONE;
}

/* Conditions come in pairs, the second the opposite of the first. */
static bool condition_holds(const struct insn_exec *exec)
{
	uint64_t flags = exec->rflags;
	bool is_less = !(flags & SIGN_FLAG) != !(flags & OVERFLOW_FLAG);
	bool holds[] = {
		flags & OVERFLOW_FLAG,
		flags & CARRY_FLAG,
		flags & ZERO_FLAG,
		flags & (CARRY_FLAG | ZERO_FLAG),
		flags & SIGN_FLAG,
		flags & PARITY_FLAG,
		is_less,
		is_less || flags & ZERO_FLAG,
	};

	return holds[exec->insn->opcode >> 1 & 7] != (exec->insn->opcode & 1);
}

static enum insn_step move_if(struct insn_exec *exec)
{
	return condition_holds(exec) ? move(exec) : INSN_STEP_DONE;
}

static enum insn_step set_if(struct insn_exec *exec)
{
	exec->dst.word[0] = condition_holds(exec);
	return INSN_STEP_DONE;
}

/* ---- exchanges ---- */

static enum insn_step exchange(struct insn_exec *exec)
{
	insn_register_set(exec, exec->insn->src.reg, operand_bytes(exec), exec->dst.word[0]);
	return move(exec);
}

static enum insn_step exchange_add(struct insn_exec *exec)
{
	insn_register_set(exec, exec->insn->src.reg, operand_bytes(exec), exec->dst.word[0]);
	return native_add(exec);
}

/* The destination is written in either case, as the processor does it. */
static enum insn_step compare_exchange(struct insn_exec *exec)
{
	unsigned bytes = operand_bytes(exec);
	uint64_t old = exec->dst.word[0], new = exec->src.word[0];

	exec->dst.word[0] = insn_register_get(exec->regs, AX, bytes);
	exec->src.word[0] = old;
	native_cmp(exec);
	exec->dst.word[0] = exec->rflags & ZERO_FLAG ? new : old;
	if (!(exec->rflags & ZERO_FLAG))
		insn_register_set(exec, AX, bytes, old);
	return INSN_STEP_DONE;
}

/* rDX:rAX with the operand, two registers wide; rCX:rBX replaces it. */
static enum insn_step compare_exchange_pair(struct insn_exec *exec)
{
	unsigned half = operand_bytes(exec) / 2;
	uint64_t *words = exec->dst.word;
	uint64_t low = half == 8 ? words[0] : words[0] & 0xffffffff;
	uint64_t high = half == 8 ? words[1] : words[0] >> 32;

	if (low != insn_register_get(exec->regs, AX, half) ||
	    high != insn_register_get(exec->regs, DX, half)) {
		exec->rflags &= ~(uint64_t)ZERO_FLAG;
		insn_register_set(exec, AX, half, low);
		insn_register_set(exec, DX, half, high);
		return INSN_STEP_DONE;
	}

	exec->rflags |= ZERO_FLAG;
	low = insn_register_get(exec->regs, BX, half);
	high = insn_register_get(exec->regs, CX, half);
	words[0] = half == 8 ? low : low | high << 32;
	words[1] = half == 8 ? high : 0;
	return INSN_STEP_DONE;
}

/* ---- stack and jumps ---- */

static void stack_pointer_add(struct insn_exec *exec, uint64_t bytes)
{
	insn_register_set(exec, SP, exec->insn->stack_bytes, exec->regs->general[SP] + bytes);
}

static enum insn_step push(struct insn_exec *exec)
{
	stack_pointer_add(exec, -(uint64_t)operand_bytes(exec));
	return move(exec);
}

static enum insn_step pop(struct insn_exec *exec)
{
	stack_pointer_add(exec, operand_bytes(exec));
	return move(exec);
}

static enum insn_step jump(struct insn_exec *exec)
{
	exec->rip = exec->src.word[0];
	return INSN_STEP_DONE;
}

static enum insn_step call(struct insn_exec *exec)
{
	stack_pointer_add(exec, -(uint64_t)operand_bytes(exec));
	exec->dst.word[0] = exec->rip;
	return jump(exec);
}

/* ---- the table ---- */

#define READ  INSN_ACCESS_READ
#define WRITE INSN_ACCESS_WRITE
#define BOTH  INSN_ACCESS_BOTH
#define NONE  INSN_ACCESS_NONE

/* clang-format off */
const struct insn_operation insn_operations[INSN_OP_COUNT] = {
	/*                     name        dst    lock   what it does */
	[INSN_MOV]         = { "mov",      WRITE, false, move },
	[INSN_MOVZX]       = { "movzx",    WRITE, false, move },
	[INSN_MOVSX]       = { "movsx",    WRITE, false, move_signed },
	[INSN_MOVSXD]      = { "movsxd",   WRITE, false, move_signed },
	[INSN_MOVBE]       = { "movbe",    WRITE, false, move_swapped },
	[INSN_MOVNTI]      = { "movnti",   WRITE, false, move },
	[INSN_MOV_VECTOR]  = { "movdqu",   WRITE, false, move },
	[INSN_CMOVCC]      = { "cmov",     BOTH,  false, move_if },
	[INSN_SETCC]       = { "set",      WRITE, false, set_if },
	[INSN_ADD]         = { "add",      BOTH,  true,  native_add },
	[INSN_OR]          = { "or",       BOTH,  true,  native_or },
	[INSN_ADC]         = { "adc",      BOTH,  true,  native_adc },
	[INSN_SBB]         = { "sbb",      BOTH,  true,  native_sbb },
	[INSN_AND]         = { "and",      BOTH,  true,  native_and },
	[INSN_SUB]         = { "sub",      BOTH,  true,  native_sub },
	[INSN_XOR]         = { "xor",      BOTH,  true,  native_xor },
	[INSN_CMP]         = { "cmp",      READ,  false, native_cmp },
	[INSN_TEST]        = { "test",     READ,  false, native_test },
	[INSN_NOT]         = { "not",      BOTH,  true,  native_not },
	[INSN_NEG]         = { "neg",      BOTH,  true,  native_neg },
	[INSN_INC]         = { "inc",      BOTH,  true,  native_inc },
	[INSN_DEC]         = { "dec",      BOTH,  true,  native_dec },
	[INSN_MUL]         = { "mul",      NONE,  false, mul },
	[INSN_IMUL_WIDE]   = { "imul",     NONE,  false, imul_wide },
	[INSN_IMUL]        = { "imul",     BOTH,  false, imul },
	[INSN_DIV]         = { "div",      NONE,  false, div },
	[INSN_IDIV]        = { "idiv",     NONE,  false, idiv },
	[INSN_ROL]         = { "rol",      BOTH,  false, native_rol },
	[INSN_ROR]         = { "ror",      BOTH,  false, native_ror },
	[INSN_RCL]         = { "rcl",      BOTH,  false, native_rcl },
	[INSN_RCR]         = { "rcr",      BOTH,  false, native_rcr },
	[INSN_SHL]         = { "shl",      BOTH,  false, native_shl },
	[INSN_SHR]         = { "shr",      BOTH,  false, native_shr },
	[INSN_SAR]         = { "sar",      BOTH,  false, native_sar },
	[INSN_SHLD]        = { "shld",     BOTH,  false, double_shift },
	[INSN_SHRD]        = { "shrd",     BOTH,  false, double_shift },
	[INSN_BT]          = { "bt",       READ,  false, native_bt },
	[INSN_BTS]         = { "bts",      BOTH,  true,  native_bts },
	[INSN_BTR]         = { "btr",      BOTH,  true,  native_btr },
	[INSN_BTC]         = { "btc",      BOTH,  true,  native_btc },
	[INSN_BSF]         = { "bsf",      READ,  false, bit_scan },
	[INSN_BSR]         = { "bsr",      READ,  false, bit_scan },
	[INSN_XCHG]        = { "xchg",     BOTH,  true,  exchange },
	[INSN_XADD]        = { "xadd",     BOTH,  true,  exchange_add },
	[INSN_CMPXCHG]     = { "cmpxchg",  BOTH,  true,  compare_exchange },
	[INSN_CMPXCHG8B]   = { "cmpxchg8b", BOTH, true,  compare_exchange_pair },
	[INSN_PUSH]        = { "push",     WRITE, false, push },
	[INSN_POP]         = { "pop",      WRITE, false, pop },
	[INSN_CALL]        = { "call",     WRITE, false, call },
	[INSN_JMP]         = { "jmp",      NONE,  false, jump },
	[INSN_MOVS]        = { "movs",     WRITE, false, move },
	[INSN_CMPS]        = { "cmps",     READ,  false, native_cmp },
	[INSN_SCAS]        = { "scas",     READ,  false, native_cmp },
	[INSN_LODS]        = { "lods",     WRITE, false, move },
	[INSN_STOS]        = { "stos",     WRITE, false, move },
	[INSN_IN]          = { "in",       WRITE, false, move },
	[INSN_OUT]         = { "out",      WRITE, false, move },
	[INSN_INS]         = { "ins",      WRITE, false, move },
	[INSN_OUTS]        = { "outs",     WRITE, false, move },
	[INSN_CLFLUSH]     = { "clflush",  NONE,  false, nothing },

	[INSN_MOV_TO_CR]   = { "mov",      WRITE },
	[INSN_LMSW]        = { "lmsw" },
};
/* clang-format on */
