/*
 * The opcode table: see insn_table.h. Rows that the compiler warns of are there twice (-Woverride-init).
 */
#include "kernel/virt/insn_table.h"

/* clang-format off */
#define Eb { BY_E, SIZE_B }
#define Ew { BY_E, SIZE_W }
#define Ed { BY_E, SIZE_D }
#define Ev { BY_E, SIZE_V }
#define Gb { BY_G, SIZE_B }
#define Gv { BY_G, SIZE_V }
#define Gy { BY_G, SIZE_Y }
#define Cn { BY_C, SIZE_N }
#define Rn { BY_R, SIZE_N }
#define M  { BY_M, SIZE_0 }
#define Mb { BY_M, SIZE_B }
#define Mp { BY_M, SIZE_P }
#define Mq { BY_M, SIZE_Q }
#define Mv { BY_M, SIZE_V }
#define Md { BY_M, SIZE_D }
#define Mx { BY_M, SIZE_X }
#define My { BY_M, SIZE_Y }
#define Vd { BY_V, SIZE_D }
#define Vq { BY_V, SIZE_Q }
#define Vx { BY_V, SIZE_X }
#define Vy { BY_V, SIZE_Y }
#define Ib { BY_I, SIZE_B }
#define Iz { BY_I, SIZE_Z }
#define Ub { BY_U, SIZE_B }
#define Ob { BY_O, SIZE_B }
#define Ov { BY_O, SIZE_V }
#define Xb { BY_X, SIZE_B }
#define Xv { BY_X, SIZE_V }
#define Xz { BY_X, SIZE_Z }
#define Yb { BY_Y, SIZE_B }
#define Yv { BY_Y, SIZE_V }
#define Yz { BY_Y, SIZE_Z }
#define Sv { BY_STACK, SIZE_V }
#define Ab { BY_A, SIZE_B }
#define Av { BY_A, SIZE_V }
#define Az { BY_A, SIZE_Z }
#define CL { BY_CL, SIZE_B }
#define ONE { BY_ONE, SIZE_B }
#define UbPortb { BY_PORT_U, SIZE_B }
#define UbPortz { BY_PORT_U, SIZE_Z }
#define DxPortb { BY_PORT_D, SIZE_B }
#define DxPortz { BY_PORT_D, SIZE_Z }
#define NO { BY_NOTHING, SIZE_0 }

#define GROUP(number) { .op = (number), .flags = ROW_GROUP }

/* ADD and its seven brothers: register and memory in both directions, accumulator and immediate. */
#define ARITHMETIC(base, op) \
	[(base) + 0] = { op, Eb, Gb }, [(base) + 1] = { op, Ev, Gv }, [(base) + 2] = { op, Gb, Eb }, \
	[(base) + 3] = { op, Gv, Ev }, [(base) + 4] = { op, Ab, Ib }, [(base) + 5] = { op, Av, Iz }

#define ARITHMETIC_GROUP(e, i) { \
	{ INSN_ADD, e, i }, { INSN_OR,  e, i }, { INSN_ADC, e, i }, { INSN_SBB, e, i }, \
	{ INSN_AND, e, i }, { INSN_SUB, e, i }, { INSN_XOR, e, i }, { INSN_CMP, e, i } }

#define SHIFT_GROUP(e, count) { \
	{ INSN_ROL, e, count }, { INSN_ROR, e, count }, { INSN_RCL, e, count }, { INSN_RCR, e, count }, \
	{ INSN_SHL, e, count }, { INSN_SHR, e, count }, { INSN_SHL, e, count }, { INSN_SAR, e, count } }

enum {
	GROUP_80, GROUP_81, GROUP_83, GROUP_8F, GROUP_C0, GROUP_C1, GROUP_C6, GROUP_C7, GROUP_D0, GROUP_D1,
	GROUP_D2, GROUP_D3, GROUP_F6, GROUP_F7, GROUP_FE, GROUP_FF, GROUP_0F01, GROUP_0FAE,
	GROUP_660FAE, GROUP_0FBA, GROUP_0FC7,
};

const struct insn_row insn_groups[][GROUP_ROWS] = {
	[GROUP_80] = ARITHMETIC_GROUP(Eb, Ib),
	[GROUP_81] = ARITHMETIC_GROUP(Ev, Iz),
	[GROUP_83] = ARITHMETIC_GROUP(Ev, Ib),
	[GROUP_8F] = { { INSN_POP, Ev, Sv, .flags = ROW_DEFAULT_64 } },
	[GROUP_C0] = SHIFT_GROUP(Eb, Ub),
	[GROUP_C1] = SHIFT_GROUP(Ev, Ub),
	[GROUP_C6] = { { INSN_MOV, Eb, Ib } },
	[GROUP_C7] = { { INSN_MOV, Ev, Iz } },
	[GROUP_D0] = SHIFT_GROUP(Eb, ONE),
	[GROUP_D1] = SHIFT_GROUP(Ev, ONE),
	[GROUP_D2] = SHIFT_GROUP(Eb, CL),
	[GROUP_D3] = SHIFT_GROUP(Ev, CL),
	[GROUP_F6] = { { INSN_TEST, Eb, Ib }, { INSN_TEST, Eb, Ib }, { INSN_NOT, Eb }, { INSN_NEG, Eb },
		       { INSN_MUL, Ab, Eb }, { INSN_IMUL_WIDE, Ab, Eb }, { INSN_DIV, Ab, Eb },
		       { INSN_IDIV, Ab, Eb } },
	[GROUP_F7] = { { INSN_TEST, Ev, Iz }, { INSN_TEST, Ev, Iz }, { INSN_NOT, Ev }, { INSN_NEG, Ev },
		       { INSN_MUL, Av, Ev }, { INSN_IMUL_WIDE, Av, Ev }, { INSN_DIV, Av, Ev },
		       { INSN_IDIV, Av, Ev } },
	[GROUP_FE] = { { INSN_INC, Eb }, { INSN_DEC, Eb } },
	[GROUP_FF] = { { INSN_INC, Ev }, { INSN_DEC, Ev },
		       { INSN_CALL, Sv, Ev, .flags = ROW_FORCE_64 }, { INSN_INVALID },
		       { INSN_JMP, NO, Ev, .flags = ROW_FORCE_64 }, { INSN_INVALID },
		       { INSN_PUSH, Sv, Ev, .flags = ROW_DEFAULT_64 } },
	[GROUP_0F01] = { [6] = { INSN_LMSW, NO, Ew } },
	[GROUP_0FAE] = { [7] = { INSN_CLFLUSH, M } },
	[GROUP_660FAE] = { [6] = { INSN_CLFLUSH, M }, { INSN_CLFLUSH, M } },
	[GROUP_0FBA] = { [4] = { INSN_BT, Ev, Ub }, { INSN_BTS, Ev, Ub }, { INSN_BTR, Ev, Ub },
			 { INSN_BTC, Ev, Ub } },
	[GROUP_0FC7] = { [1] = { INSN_CMPXCHG8B, Mp } },
};

const struct insn_row insn_map_1[MAP_ROWS] = {
	ARITHMETIC(0x00, INSN_ADD),
	ARITHMETIC(0x08, INSN_OR),
	ARITHMETIC(0x10, INSN_ADC),
	ARITHMETIC(0x18, INSN_SBB),
	ARITHMETIC(0x20, INSN_AND),
	ARITHMETIC(0x28, INSN_SUB),
	ARITHMETIC(0x30, INSN_XOR),
	ARITHMETIC(0x38, INSN_CMP),
	[0x63] = { INSN_MOVSXD, Gv, Ed, .flags = ROW_ONLY_64 },
	[0x69] = { INSN_IMUL, Gv, Ev, Iz },
	[0x6b] = { INSN_IMUL, Gv, Ev, Ib },
	[0x6c] = { INSN_INS, Yb, DxPortb },
	[0x6d] = { INSN_INS, Yz, DxPortz },
	[0x6e] = { INSN_OUTS, DxPortb, Xb },
	[0x6f] = { INSN_OUTS, DxPortz, Xz },
	[0x80] = GROUP(GROUP_80),
	[0x81] = GROUP(GROUP_81),
	[0x82] = { GROUP_80, .flags = ROW_GROUP | ROW_NOT_64 },
	[0x83] = GROUP(GROUP_83),
	[0x84] = { INSN_TEST, Eb, Gb },
	[0x85] = { INSN_TEST, Ev, Gv },
	[0x86] = { INSN_XCHG, Eb, Gb },
	[0x87] = { INSN_XCHG, Ev, Gv },
	[0x88] = { INSN_MOV, Eb, Gb },
	[0x89] = { INSN_MOV, Ev, Gv },
	[0x8a] = { INSN_MOV, Gb, Eb },
	[0x8b] = { INSN_MOV, Gv, Ev },
	[0x8f] = GROUP(GROUP_8F),
	[0xa0] = { INSN_MOV, Ab, Ob },
	[0xa1] = { INSN_MOV, Av, Ov },
	[0xa2] = { INSN_MOV, Ob, Ab },
	[0xa3] = { INSN_MOV, Ov, Av },
	[0xa4] = { INSN_MOVS, Yb, Xb },
	[0xa5] = { INSN_MOVS, Yv, Xv },
	[0xa6] = { INSN_CMPS, Xb, Yb },
	[0xa7] = { INSN_CMPS, Xv, Yv },
	[0xa8] = { INSN_TEST, Ab, Ib },
	[0xa9] = { INSN_TEST, Av, Iz },
	[0xaa] = { INSN_STOS, Yb, Ab },
	[0xab] = { INSN_STOS, Yv, Av },
	[0xac] = { INSN_LODS, Ab, Xb },
	[0xad] = { INSN_LODS, Av, Xv },
	[0xae] = { INSN_SCAS, Ab, Yb },
	[0xaf] = { INSN_SCAS, Av, Yv },
	[0xc0] = GROUP(GROUP_C0),
	[0xc1] = GROUP(GROUP_C1),
	[0xc6] = GROUP(GROUP_C6),
	[0xc7] = GROUP(GROUP_C7),
	[0xd0] = GROUP(GROUP_D0),
	[0xd1] = GROUP(GROUP_D1),
	[0xd2] = GROUP(GROUP_D2),
	[0xd3] = GROUP(GROUP_D3),
	[0xe4] = { INSN_IN, Ab, UbPortb },
	[0xe5] = { INSN_IN, Az, UbPortz },
	[0xe6] = { INSN_OUT, UbPortb, Ab },
	[0xe7] = { INSN_OUT, UbPortz, Az },
	[0xec] = { INSN_IN, Ab, DxPortb },
	[0xed] = { INSN_IN, Az, DxPortz },
	[0xee] = { INSN_OUT, DxPortb, Ab },
	[0xef] = { INSN_OUT, DxPortz, Az },
	[0xf6] = GROUP(GROUP_F6),
	[0xf7] = GROUP(GROUP_F7),
	[0xfe] = GROUP(GROUP_FE),
	[0xff] = GROUP(GROUP_FF),
};

const struct insn_row insn_map_0f[MAP_ROWS] = {
	[0x01] = GROUP(GROUP_0F01),
	[0x22] = { INSN_MOV_TO_CR, Cn, Rn },
	[0x40 ... 0x4f] = { INSN_CMOVCC, Gv, Ev },
	[0x90 ... 0x9f] = { INSN_SETCC, Eb },
	[0xa3] = { INSN_BT, Ev, Gv },
	[0xa4] = { INSN_SHLD, Ev, Gv, Ub },
	[0xa5] = { INSN_SHLD, Ev, Gv, CL },
	[0xab] = { INSN_BTS, Ev, Gv },
	[0xac] = { INSN_SHRD, Ev, Gv, Ub },
	[0xad] = { INSN_SHRD, Ev, Gv, CL },
	[0xaf] = { INSN_IMUL, Gv, Ev },
	[0xb0] = { INSN_CMPXCHG, Mb, Gb },
	[0xb1] = { INSN_CMPXCHG, Mv, Gv },
	[0xb3] = { INSN_BTR, Ev, Gv },
	[0xb6] = { INSN_MOVZX, Gv, Eb },
	[0xb7] = { INSN_MOVZX, Gv, Ew },
	[0xba] = GROUP(GROUP_0FBA),
	[0xbb] = { INSN_BTC, Ev, Gv },
	[0xbc] = { INSN_BSF, Gv, Ev, .flags = ROW_NOT_F3 },
	[0xbd] = { INSN_BSR, Gv, Ev, .flags = ROW_NOT_F3 },
	[0xbe] = { INSN_MOVSX, Gv, Eb },
	[0xbf] = { INSN_MOVSX, Gv, Ew },
	[0xc0] = { INSN_XADD, Eb, Gb },
	[0xc1] = { INSN_XADD, Ev, Gv },
	[0xc7] = GROUP(GROUP_0FC7),
};

#define LOAD(opcode, mandatory, vex, v, m, name) \
	{ MAP_0F, opcode, mandatory, vex, { INSN_MOV_VECTOR, v, m }, name }
#define STORE(opcode, mandatory, vex, m, v, name) \
	{ MAP_0F, opcode, mandatory, vex, { INSN_MOV_VECTOR, m, v }, name }
#define PLAIN(map, opcode, mandatory, ...) { map, opcode, mandatory, VEX_NEVER, { __VA_ARGS__ }, NULL }

const struct insn_prefixed_row insn_prefixed[] = {
	LOAD (0x10, PREFIX_NONE, VEX_ANY, Vx, Mx, "movups"),
	LOAD (0x10, PREFIX_66,   VEX_ANY, Vx, Mx, "movupd"),
	LOAD (0x10, PREFIX_F3,   VEX_ANY, Vx, Md, "movss"),
	LOAD (0x10, PREFIX_F2,   VEX_ANY, Vx, Mq, "movsd"),
	STORE(0x11, PREFIX_NONE, VEX_ANY, Mx, Vx, "movups"),
	STORE(0x11, PREFIX_66,   VEX_ANY, Mx, Vx, "movupd"),
	STORE(0x11, PREFIX_F3,   VEX_ANY, Md, Vd, "movss"),
	STORE(0x11, PREFIX_F2,   VEX_ANY, Mq, Vq, "movsd"),
	LOAD (0x28, PREFIX_NONE, VEX_ANY, Vx, Mx, "movaps"),
	LOAD (0x28, PREFIX_66,   VEX_ANY, Vx, Mx, "movapd"),
	STORE(0x29, PREFIX_NONE, VEX_ANY, Mx, Vx, "movaps"),
	STORE(0x29, PREFIX_66,   VEX_ANY, Mx, Vx, "movapd"),
	STORE(0x2b, PREFIX_NONE, VEX_ANY, Mx, Vx, "movntps"),
	STORE(0x2b, PREFIX_66,   VEX_ANY, Mx, Vx, "movntpd"),
	LOAD (0x6e, PREFIX_66,   VEX_128, Vx, My, "movd"), /* with W "movq" */
	LOAD (0x6f, PREFIX_66,   VEX_ANY, Vx, Mx, "movdqa"),
	LOAD (0x6f, PREFIX_F3,   VEX_ANY, Vx, Mx, "movdqu"),
	STORE(0x7e, PREFIX_66,   VEX_128, My, Vy, "movd"),
	LOAD (0x7e, PREFIX_F3,   VEX_128, Vx, Mq, "movq"),
	STORE(0x7f, PREFIX_66,   VEX_ANY, Mx, Vx, "movdqa"),
	STORE(0x7f, PREFIX_F3,   VEX_ANY, Mx, Vx, "movdqu"),
	STORE(0xd6, PREFIX_66,   VEX_128, Mq, Vq, "movq"),
	STORE(0xe7, PREFIX_66,   VEX_ANY, Mx, Vx, "movntdq"),
	LOAD (0xf0, PREFIX_F2,   VEX_ANY, Vx, Mx, "lddqu"),
	{ MAP_0F38, 0x2a, PREFIX_66, VEX_ANY, { INSN_MOV_VECTOR, Vx, Mx }, "movntdqa" },
	PLAIN(MAP_0F, 0xae, PREFIX_NONE, GROUP_0FAE, .flags = ROW_GROUP),
	PLAIN(MAP_0F, 0xae, PREFIX_66, GROUP_660FAE, .flags = ROW_GROUP),
	PLAIN(MAP_0F, 0xc3, PREFIX_NONE, INSN_MOVNTI, My, Gy),
	PLAIN(MAP_0F38, 0xf0, PREFIX_NONE, INSN_MOVBE, Gv, Mv),
	PLAIN(MAP_0F38, 0xf0, PREFIX_66, INSN_MOVBE, Gv, Mv),
	PLAIN(MAP_0F38, 0xf1, PREFIX_NONE, INSN_MOVBE, Mv, Gv),
	PLAIN(MAP_0F38, 0xf1, PREFIX_66, INSN_MOVBE, Mv, Gv),
};

const size_t insn_nr_groups = ARRAY_SIZE(insn_groups);
const size_t insn_nr_prefixed = ARRAY_SIZE(insn_prefixed);
/* clang-format on */
