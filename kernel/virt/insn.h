/*
 * x86 instructions: what the bytes at a guest's RIP mean, and carrying them out when the processor can't.
 *
 * A guest's access to a device ends in a nested page fault, and the processor says only where. So:
 *	insn_decode()   says what the instruction is, how long, and where its memory operands lie;
 *	insn_begin()    starts to carry it out and says what it needs first: a read, a write, or nothing;
 *	insn_resume()   goes on after the caller has done that. Days may pass between: a device answers from
 *	                user space, and all state is in struct insn_exec.
 * Nothing of the guest changes before INSN_STEP_DONE: drop the struct insn_exec at any step (a page fault in
 * a string move's other operand) and the instruction has not happened, apart from the writes already made.
 *
 * One iteration of a string instruction is one execution. After INSN_STEP_DONE with RIP where it was, either
 * let the guest run into it again or begin again with the same struct insn.
 *
 * Pure: no allocation, no globals, no locks, no floating point; safe on any bytes and any register values.
 * Left to the caller: segment limits and rights (the processor has checked them for the access that faulted),
 * paging, a trap after the instruction (RFLAGS.TF), ending the interrupt shadow, and refusing a new RIP that
 * isn't canonical. Nothing here is atomic, so a LOCK prefix is obeyed for devices only, which see one access
 * at a time.
 *
 * Source: AMD APM vol. 3, 1 "Instruction Encoding", A "Opcode and Operand Encodings".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"

enum { INSN_BYTES_MAX = 15, INSN_VALUE_BYTES = 32 };

enum insn_op {
	INSN_INVALID,

	/* carried out by insn_begin() */
	INSN_MOV,
	INSN_MOVZX,
	INSN_MOVSX,
	INSN_MOVSXD,
	INSN_MOVBE,
	INSN_MOVNTI,
	INSN_MOV_VECTOR, /* the plain SSE and AVX moves of 4 to 32 bytes */
	INSN_CMOVCC,
	INSN_SETCC,
	INSN_ADD,
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_TEST,
	INSN_NOT,
	INSN_NEG,
	INSN_INC,
	INSN_DEC,
	INSN_MUL,
	INSN_IMUL_WIDE, /* rDX:rAX */
	INSN_IMUL,
	INSN_DIV,
	INSN_IDIV,
	INSN_ROL,
	INSN_ROR,
	INSN_RCL,
	INSN_RCR,
	INSN_SHL,
	INSN_SHR,
	INSN_SAR,
	INSN_SHLD,
	INSN_SHRD,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
	INSN_BSF,
	INSN_BSR,
	INSN_XCHG,
	INSN_XADD,
	INSN_CMPXCHG,
	INSN_CMPXCHG8B, /* and CMPXCHG16B */
	INSN_PUSH,
	INSN_POP,
	INSN_CALL,
	INSN_JMP,
	INSN_MOVS,
	INSN_CMPS,
	INSN_SCAS,
	INSN_LODS,
	INSN_STOS,
	INSN_IN,
	INSN_OUT,
	INSN_INS,
	INSN_OUTS,
	INSN_CLFLUSH, /* and CLFLUSHOPT, CLWB: nothing to do */

	/* decoded only */
	INSN_MOV_TO_CR, /* dst.reg the control register */
	INSN_LMSW,

	INSN_OP_COUNT
};

/* What the guest's segment registers say at RIP. */
struct insn_mode {
	uint8_t code_bytes;  /* 8 if EFER.LMA and CS.L, else 4 if CS.D, else 2 */
	uint8_t stack_bytes; /* 8 with code_bytes 8, else 4 if SS.B, else 2 */
	bool is_real;	     /* real or virtual-8086 mode: no VEX prefix */
};

/* As segment registers are encoded; the index into insn_regs.segment_base. */
enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS };

enum {
	INSN_REG_NONE = 0xff, /* no base, no index */
	INSN_REG_RIP = 0xfe,  /* as a base: the next instruction's address */
	INSN_REG_HIGH = 0x10, /* AH CH DH BH are 0x10 to 0x13 */
};

enum insn_operand_kind {
	INSN_OPERAND_NONE,
	INSN_OPERAND_MEMORY,
	INSN_OPERAND_PORT,    /* its number: .reg, which is DX, or .immediate */
	INSN_OPERAND_VECTOR,  /* .reg: xmm or ymm */
	INSN_OPERAND_GENERAL, /* .reg: rAX, rCX, rDX, rBX, ... as encoded */
	INSN_OPERAND_IMMEDIATE,
	INSN_OPERAND_CONTROL, /* .reg: CRn or DRn */
};

enum insn_access { INSN_ACCESS_NONE, INSN_ACCESS_READ, INSN_ACCESS_WRITE, INSN_ACCESS_BOTH };

struct insn_operand {
	uint8_t kind;	/* enum insn_operand_kind */
	uint8_t access; /* enum insn_access */
	uint8_t bytes;
	uint8_t reg; /* INSN_REG_NONE of a port: it is the immediate */

	/* of memory: (base + (index << scale) + displacement) cut to address_bytes, in the segment */
	uint8_t segment;
	uint8_t address_bytes;
	uint8_t base, index, scale;
	int64_t displacement;
};

enum { INSN_PREFIX_LOCK = 1, INSN_PREFIX_REPNE = 2, INSN_PREFIX_REP = 4 };

struct insn {
	const char *name; /* lower case, without the string instructions' size */
	uint8_t op;	  /* enum insn_op */
	uint8_t length;
	uint8_t opcode; /* its last byte: says which condition */
	uint8_t prefixes;
	uint8_t operand_bytes, address_bytes;
	uint8_t code_bytes, stack_bytes;
	struct insn_operand dst, src; /* CMPS: dst is at rSI; a stack's slot is an operand too */
	struct insn_operand third;    /* what else IMUL, SHLD and SHRD read */
	uint64_t immediate;	      /* sign-extended, but for a vector or a port */
};

struct insn_regs {
	uint64_t general[16];
	uint64_t rip, rflags;
	uint64_t segment_base[6];
};

/**
 * insn_decode() - what an instruction is
 * @bytes: those at RIP; @n of them are there, and no more than INSN_BYTES_MAX are looked at
 * @out:   written only on success
 *
 * Returns 0;
 * -EINVAL: an encoding that raises #UD;
 * -E2BIG: longer than 15 bytes, which raises #GP;
 * -EAGAIN: @n bytes are only its beginning;
 * -EOPNOTSUPP: nothing that is known here, be it legal or not.
 * Control registers are checked for existence; LOCK with MOV to and from CR0 (AMD's other name of CR8) is #UD.
 */
MUST_CHECK int insn_decode(const uint8_t *bytes, size_t n, const struct insn_mode *mode,
			   struct insn *out);

/**
 * insn_effective_address() - the offset within its segment
 * @operand: a memory operand of @insn
 * Bit instructions with a register as the bit's number reach beyond their operand: that is included.
 */
uint64_t insn_effective_address(const struct insn *insn, const struct insn_operand *operand,
				const struct insn_regs *regs);

/* The same as a linear address: in 64-bit mode only FS and GS have bases, elsewhere it has 32 bits. */
uint64_t insn_linear_address(const struct insn *insn, const struct insn_operand *operand,
			     const struct insn_regs *regs);

enum insn_step {
	INSN_STEP_DONE, /* the registers have changed; drop the struct or begin again */

	/* Fill exec->value from, or store it to, exec->address; then insn_resume(). */
	INSN_STEP_READ_MEMORY,	/* ... a linear address */
	INSN_STEP_READ_PORT,	/* ... a port */
	INSN_STEP_READ_VECTOR,	/* ... xmm or ymm of that number */
	INSN_STEP_WRITE_MEMORY, /* ... */
	INSN_STEP_WRITE_PORT,
	INSN_STEP_WRITE_VECTOR, /* 16 bytes: those above stay; 32 bytes: those above become 0 */

	INSN_STEP_DIVIDE_ERROR, /* raise #DE at this RIP; nothing has changed; drop the struct */
	INSN_STEP_UNSUPPORTED,	/* an instruction that is decoded only */
};

struct insn_value {
	uint64_t word[INSN_VALUE_BYTES / 8]; /* little-endian, 0 above the operand */
};

struct insn_exec {
	/* What a step asks for. It may cross a page; no step asks for more than INSN_VALUE_BYTES. */
	uint64_t address;
	struct insn_value *value; /* inside this struct, which therefore must not move */
	uint8_t bytes;

	/* private */
	uint8_t phase;
	uint8_t nr_writes;
	bool is_unfinished; /* a repeated string instruction that goes on */
	const struct insn *insn;
	struct insn_regs *regs;
	struct insn_value dst, src;
	uint64_t
		high; /* a third value: SHLD's and SHRD's other half, rDX of a product or quotient */
	uint64_t rip, rflags;
	struct insn_register_write {
		uint64_t value;
		uint8_t reg, bytes;
	} writes[4];
};

/**
 * insn_begin() - start to carry @insn out
 * @insn, @regs: borrowed until INSN_STEP_DONE; @regs must not change in between
 *
 * Flags that the manuals leave undefined become what this processor makes of them.
 * Returns what to do before insn_resume().
 */
MUST_CHECK enum insn_step insn_begin(struct insn_exec *exec, const struct insn *insn,
				     struct insn_regs *regs);
MUST_CHECK enum insn_step insn_resume(struct insn_exec *exec);
