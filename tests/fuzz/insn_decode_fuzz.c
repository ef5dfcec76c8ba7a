/*
 * Any bytes as an instruction, in every mode, beside Zydis. What must hold:
 *	- what is decoded has Zydis's length, mnemonic, memory operands, registers and immediates;
 *	- what Zydis decodes, and is of a kind known here, is decoded;
 *	- no byte beyond those given is read, and every beginning of an instruction asks for more.
 */
#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/virt/insn_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct disassembly {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZyanStatus status;
};

static const uint8_t *now_bytes;
static size_t now_n;
static const struct insn_mode *now_mode;

static void claim(bool is_true, const char *what)
{
	if (is_true)
		return;
	fprintf(stderr, "%s: %u-byte code%s:", what, now_mode->code_bytes,
		now_mode->is_real ? ", real" : "");
	for (size_t i = 0; i < now_n; i++)
		fprintf(stderr, " %02x", now_bytes[i]);
	fprintf(stderr, "\n");
	abort();
}

/* ---- names ---- */

static const char *const conditions[] = { "o", "no", "b", "nb", "z", "nz", "be", "nbe",
					  "s", "ns", "p", "np", "l", "nl", "le", "nle" };

/* The name as Zydis forms it. */
static void full_name(const struct insn *insn, char name[static 32])
{
	static const char sizes[] = " bw d   q";
	const char *suffix = "";
	char size[2] = { sizes[insn->dst.bytes < 9 ? insn->dst.bytes : 0], '\0' };

	if (insn->op == INSN_SETCC || insn->op == INSN_CMOVCC)
		suffix = conditions[insn->opcode & 15];
	else if ((insn->op >= INSN_MOVS && insn->op <= INSN_STOS) || insn->op == INSN_INS ||
		 insn->op == INSN_OUTS)
		suffix = size;
	snprintf(name, 32, "%s%s", insn->name, suffix);
}

static bool name_agrees(const struct insn *insn, const ZydisDecodedInstruction *theirs)
{
	const char *their_name = ZydisMnemonicGetString(theirs->mnemonic);
	char name[32];

	full_name(insn, name);
	if (theirs->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
		their_name += *their_name == 'v';
	if (!strcmp(name, their_name))
		return true;
	switch (insn->op) {
	case INSN_CLFLUSH:
		return !strncmp(name, their_name, strlen(name)) || !strcmp(their_name, "clwb");
	case INSN_CMPXCHG8B:
		return !strcmp(their_name, "cmpxchg16b") && insn->dst.bytes == 16;
	case INSN_MOV_VECTOR:
		return !strcmp(name, "movd") && !strcmp(their_name, "movq") &&
		       (insn->dst.bytes == 8 || insn->src.bytes == 8);
	default:
		return false;
	}
}

/* ---- operands ---- */

static uint8_t their_register(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_NONE)
		return INSN_REG_NONE;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return INSN_REG_RIP;
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return (uint8_t)(reg - ZYDIS_REGISTER_AH + INSN_REG_HIGH);
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
		return (uint8_t)(reg - ZYDIS_REGISTER_SPL + 4);
	return (uint8_t)ZydisRegisterGetId(reg);
}

static uint64_t cut(int64_t value, unsigned bytes)
{
	return bytes == 8 ? (uint64_t)value : (uint64_t)value & ((1ull << 8 * bytes) - 1);
}

static bool displacement_agrees(const struct insn *insn, const struct insn_operand *ours,
				const ZydisDecodedOperand *theirs)
{
	int64_t value = theirs->mem.disp.has_displacement ? theirs->mem.disp.value : 0;

	if (theirs->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
	    their_register(theirs->mem.base) == 4)
		return true; /* the stack's slot, whose place Zydis doesn't say */
	if (insn->op == INSN_POP && ours->base == 4)
		value += insn->dst.bytes;
	return cut(ours->displacement, ours->address_bytes) == cut(value, ours->address_bytes);
}

static bool access_agrees(const struct insn_operand *ours, const ZydisDecodedOperand *theirs)
{
	bool is_read = theirs->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
	bool is_written = theirs->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

	if (ours->access == INSN_ACCESS_NONE)
		return true;
	return is_read == !!(ours->access & INSN_ACCESS_READ) &&
	       is_written == !!(ours->access & INSN_ACCESS_WRITE);
}

/*
 * Zydis 4.0.0 takes R13D for the base in a SIB without base after 67 and REX.B. Processors don't, and without
 * 67 Zydis doesn't either.
 */
static ZydisDecodedOperand without_slip(const ZydisDecodedInstruction *insn,
					const ZydisDecodedOperand *operand)
{
	ZydisDecodedOperand right = *operand;

	if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && insn->address_width == 32 &&
	    insn->raw.modrm.mod == 0 && insn->raw.modrm.rm == 4 &&
	    operand->mem.base == ZYDIS_REGISTER_R13D) {
		right.mem.base = ZYDIS_REGISTER_NONE;
		right.mem.disp.has_displacement = true;
		right.mem.disp.value = insn->raw.disp.value;
	}
	return right;
}

static bool memory_agrees(const struct insn *insn, const struct insn_operand *ours,
			  const ZydisDecodedOperand *theirs)
{
	const ZydisDecodedOperandMem *mem = &theirs->mem;

	return theirs->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       their_register(mem->segment) == ours->segment &&
	       their_register(mem->base) == ours->base &&
	       their_register(mem->index) == ours->index &&
	       (mem->scale ? mem->scale : 1) == 1 << ours->scale &&
	       (theirs->size == 8 * ours->bytes || ours->access == INSN_ACCESS_NONE) &&
	       access_agrees(ours, theirs) && displacement_agrees(insn, ours, theirs);
}

static bool immediate_agrees(const struct insn *insn, const struct insn_operand *ours,
			     const ZydisDecodedOperand *theirs)
{
	if (theirs->type == ZYDIS_OPERAND_TYPE_POINTER)
		return insn->immediate == ((uint64_t)theirs->ptr.segment << 8 * (ours->bytes - 2) |
					   theirs->ptr.offset);
	if (theirs->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return false;
	return cut((int64_t)insn->immediate, ours->bytes) ==
	       cut((int64_t)theirs->imm.value.u, ours->bytes);
}

static bool operand_agrees(const struct insn *insn, const struct insn_operand *ours,
			   const ZydisDecodedOperand *theirs)
{
	bool is_register = theirs->type == ZYDIS_OPERAND_TYPE_REGISTER &&
			   their_register(theirs->reg.value) == ours->reg;

	switch (ours->kind) {
	case INSN_OPERAND_MEMORY:
		return memory_agrees(insn, ours, theirs);
	case INSN_OPERAND_GENERAL:
		/* Zydis gives MOVSXD's source 2 bytes if the destination has 2. */
		return is_register && (theirs->size == 8 * ours->bytes || insn->op == INSN_MOVSXD);
	case INSN_OPERAND_IMMEDIATE:
		return immediate_agrees(insn, ours, theirs);
	case INSN_OPERAND_PORT:
		return ours->reg == INSN_REG_NONE ? theirs->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
							    theirs->imm.value.u == insn->immediate
						  : is_register;
	default:
		return is_register;
	}
}

static void check_operand(const struct insn *insn, const struct insn_operand *ours,
			  const struct disassembly *theirs)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

	if (ours->kind == INSN_OPERAND_NONE)
		return;
	for (unsigned i = 0; i < theirs->insn.operand_count; i++)
		operands[i] = without_slip(&theirs->insn, &theirs->operands[i]);
	for (unsigned i = 0; i < theirs->insn.operand_count; i++)
		if (operand_agrees(insn, ours, &operands[i]))
			return;
	claim(false, "Zydis has no such operand");
}

static unsigned count_memory(const struct disassembly *theirs)
{
	unsigned count = 0;

	for (unsigned i = 0; i < theirs->insn.operand_count; i++)
		count += theirs->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY;
	return count;
}

/* A product's and a quotient's AX, of which we say AL. */
static bool has_untold_half(const struct insn *insn)
{
	bool is_wide = insn->op == INSN_MUL || insn->op == INSN_IMUL_WIDE || insn->op == INSN_DIV ||
		       insn->op == INSN_IDIV;

	return is_wide && insn->dst.bytes == 1;
}

static void check_decoded(const struct insn *insn, const struct disassembly *theirs)
{
	unsigned nr_memory =
		(insn->dst.kind == INSN_OPERAND_MEMORY) + (insn->src.kind == INSN_OPERAND_MEMORY);

	claim(ZYAN_SUCCESS(theirs->status), "Zydis doesn't decode this");
	claim(insn->length == theirs->insn.length, "Zydis has another length");
	claim(name_agrees(insn, &theirs->insn), "Zydis has another mnemonic");
	claim(insn->address_bytes * 8 == theirs->insn.address_width,
	      "Zydis has another address width");
	if (!has_untold_half(insn))
		check_operand(insn, &insn->dst, theirs);
	check_operand(insn, &insn->src, theirs);
	check_operand(insn, &insn->third, theirs);
	claim(nr_memory == count_memory(theirs), "Zydis has another number of memory operands");
}

/* ---- the other way round ---- */

enum known { UNKNOWN, WITH_MEMORY, IN_ANY_FORM, VECTOR };

/* Is there an operation of that name, in any of its forms? */
static enum known known_as(const ZydisDecodedInstruction *theirs)
{
	static const uint8_t sizes[] = { 1, 2, 4, 8, 16 };
	struct insn insn = { .op = INSN_MOV_VECTOR };

	for (size_t i = 0; i < insn_nr_prefixed; i++) {
		insn.name = insn_prefixed[i].name;
		if (insn.name && name_agrees(&insn, theirs))
			return VECTOR;
	}
	for (unsigned op = 1; op < INSN_OP_COUNT; op++) {
		insn.op = (uint8_t)op;
		insn.name = insn_operations[op].name;
		for (unsigned size = 0; size < sizeof(sizes); size++) {
			insn.dst.bytes = sizes[size];
			for (insn.opcode = 0; insn.opcode < 16; insn.opcode++)
				if (name_agrees(&insn, theirs))
					return insn_operations[op].execute ? WITH_MEMORY
									   : IN_ANY_FORM;
		}
	}
	return UNKNOWN;
}

static enum known known_before(const ZydisDecodedInstruction *theirs)
{
	static uint8_t known[ZYDIS_MNEMONIC_MAX_VALUE + 1]; /* plus 1; 0: not looked up yet */
	uint8_t *entry = &known[theirs->mnemonic];

	if (!*entry)
		*entry = (uint8_t)(known_as(theirs) + 1);
	return *entry - 1;
}

static bool is_register_of(const ZydisDecodedOperand *operand, ZydisRegisterClass class)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       ZydisRegisterGetClass(operand->reg.value) == class;
}

/* Zydis calls some strings and some vectors the same. */
static bool is_ours(const struct disassembly *theirs)
{
	enum known known = known_before(&theirs->insn);
	bool has_memory = false, has_vector = false;

	if (known == UNKNOWN || (theirs->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
				 theirs->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX))
		return false;
	for (unsigned i = 0; i < theirs->insn.operand_count; i++) {
		const ZydisDecodedOperand *operand = &theirs->operands[i];

		if (is_register_of(operand, ZYDIS_REGCLASS_SEGMENT) ||
		    is_register_of(operand, ZYDIS_REGCLASS_MMX))
			return false;
		has_vector |= is_register_of(operand, ZYDIS_REGCLASS_XMM) ||
			      is_register_of(operand, ZYDIS_REGCLASS_YMM);
		has_memory |= operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
			      operand->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN;
	}
	if (known == IN_ANY_FORM)
		return true;
	return has_memory && has_vector == (known == VECTOR);
}

/* 66 with a near branch in 64-bit mode is an operand of 8 bytes to Intel and of 2 to AMD. Far ones aren't known. */
static bool is_refused(const struct disassembly *theirs)
{
	if (theirs->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
		return true;
	return (theirs->insn.mnemonic == ZYDIS_MNEMONIC_CALL ||
		theirs->insn.mnemonic == ZYDIS_MNEMONIC_JMP) &&
	       theirs->insn.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE &&
	       theirs->insn.machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
}

/* ---- */

static const struct {
	struct insn_mode mode;
	ZydisMachineMode machine;
	ZydisStackWidth stack;
} modes[] = {
	{ { 8, 8, false }, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	{ { 4, 4, false }, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
	{ { 2, 2, false }, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
	{ { 2, 2, true }, ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16 },
};

static void disassemble(unsigned mode, const uint8_t *bytes, size_t n, struct disassembly *out)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, modes[mode].machine, modes[mode].stack);
	ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, false);
	out->status = ZydisDecoderDecodeFull(&decoder, bytes, n, &out->insn, out->operands);
}

/* Copied, so that the sanitizer sees a read beyond the end. */
static int decode(const uint8_t *bytes, size_t n, const struct insn_mode *mode, struct insn *out)
{
	uint8_t *copy = malloc(n);
	int err;

	claim(copy || !n, "no memory");
	if (n)
		memcpy(copy, bytes, n);
	err = insn_decode(copy, n, mode, out);
	free(copy);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct disassembly theirs;
	struct insn insn, shorter;

	for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		int err = decode(bytes, n, &modes[mode].mode, &insn);

		now_mode = &modes[mode].mode;
		now_bytes = bytes;
		now_n = n;
		disassemble(mode, bytes, n, &theirs);
		if (!err) {
			check_decoded(&insn, &theirs);
			for (size_t i = 0; i < insn.length; i++)
				claim(decode(bytes, i, now_mode, &shorter) == -EAGAIN,
				      "a beginning doesn't ask for more");
		} else if (ZYAN_SUCCESS(theirs.status)) {
			claim(err == -EOPNOTSUPP, "Zydis does decode this");
			claim(!is_ours(&theirs) || is_refused(&theirs),
			      "a known instruction in an unknown form");
		}
	}
	return 0;
}
