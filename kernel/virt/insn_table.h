/*
 * The opcode table: for each opcode its operation and its operands, as the manuals' opcode maps say them; and
 * for each operation what it does. Inside kernel/virt/insn*.c and its tests only.
 */
#pragma once

#include "kernel/virt/insn.h"

/* How an operand is encoded ... */
enum insn_addressing {
	BY_NOTHING,

	BY_E, /* ModRM.rm: general register or memory */
	BY_M, /* ModRM.rm: memory; what the register forms mean isn't known here */
	BY_R, /* ModRM.rm: general register, whatever ModRM.mod says */
	BY_G, /* ModRM.reg: general register */
	BY_V, /* ModRM.reg: vector register */
	BY_C, /* ModRM.reg: control register */

	BY_I,	   /* immediate, sign-extended */
	BY_U,	   /* immediate, zero-extended */
	BY_O,	   /* memory at an immediate offset */
	BY_PORT_U, /* port of an immediate number */

	BY_PORT_D, /* port DX */
	BY_X,	   /* memory at DS:rSI */
	BY_Y,	   /* memory at ES:rDI */
	BY_STACK,  /* memory at SS:rSP, where something is pushed or popped */
	BY_A,	   /* rAX */
	BY_CL,
	BY_ONE,
};

/* ... and how large it is. */
enum insn_size {
	SIZE_0,
	SIZE_B,
	SIZE_W,
	SIZE_D,
	SIZE_Q,
	SIZE_V, /* operand size */
	SIZE_Z, /* operand size, 4 bytes at most */
	SIZE_Y, /* 8 bytes with REX.W or VEX.W, else 4 */
	SIZE_P, /* twice that */
	SIZE_N, /* 8 bytes in 64-bit mode, else 4 */
	SIZE_X, /* 16 bytes, or 32 with VEX.L */
};

struct insn_spec {
	uint8_t addressing, size;
};

enum {
	ROW_GROUP = 1,	 /* .op is the number of a group: ModRM.reg chooses the row in it */
	ROW_NOT_64 = 2,	 /* #UD in 64-bit mode */
	ROW_ONLY_64 = 4, /* something else outside 64-bit mode */
	ROW_NOT_F3 = 16, /* something else with F3: look into insn_prefixed */
	/* In 64-bit mode an operand has 8 bytes without REX.W too ... */
	ROW_DEFAULT_64 = 32, /* ... but 2 with 66 */
	ROW_FORCE_64 = 64,   /* ... and vendors differ about 66, so it isn't supported */
};

struct insn_row {
	uint8_t op;
	struct insn_spec dst, src, third;
	uint8_t flags;
};

enum insn_map { MAP_1, MAP_0F, MAP_0F38, MAP_0F3A };

/* A prefix that chooses the instruction; the last F2 or F3 wins over any 66. */
enum insn_mandatory { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 };

enum insn_vex { VEX_NEVER, VEX_128, VEX_ANY }; /* VEX_128: L must be 0 */

/* An opcode that means different things with different prefixes. */
struct insn_prefixed_row {
	uint8_t map, opcode, mandatory, vex;
	struct insn_row row;
	const char *name; /* NULL: the operation's */
};

enum { GROUP_ROWS = 8, MAP_ROWS = 256 };
extern const struct insn_row insn_map_1[MAP_ROWS], insn_map_0f[MAP_ROWS];
extern const struct insn_row insn_groups[][GROUP_ROWS];
extern const struct insn_prefixed_row insn_prefixed[];
extern const size_t insn_nr_groups, insn_nr_prefixed;

struct insn_operation {
	const char *name;
	uint8_t dst_access; /* enum insn_access; the other operands are read */
	bool is_lockable;   /* where the destination is memory */
	enum insn_step (*execute)(struct insn_exec *exec); /* NULL: decoded only */
};

extern const struct insn_operation insn_operations[INSN_OP_COUNT];

/* For operations: the current value of a register; and its new one, from INSN_STEP_DONE on. */
uint64_t insn_register_get(const struct insn_regs *regs, unsigned reg, unsigned bytes);
void insn_register_set(struct insn_exec *exec, unsigned reg, unsigned bytes, uint64_t value);
