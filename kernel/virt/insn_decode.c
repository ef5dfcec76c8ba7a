/*
 * Decoding instructions: prefixes, opcode, ModRM, operands; see insn.h.
 *
 * The bytes are taken one after another by take(). The first one that isn't there is remembered in .err and
 * from then on zeros are taken, so only the places where a wrong answer could leave the function look at it.
 */
#include <linux/errno.h>

#include "kernel/virt/insn_table.h"

struct decoder {
	const uint8_t *bytes;
	size_t n, at;
	int err;
	const struct insn_mode *mode;
	struct insn *insn;
	const struct insn_row *row;

	uint8_t map, mandatory;
	uint8_t segment; /* INSN_REG_NONE: no override */
	bool has_66, has_67, has_rex, has_vex;
	bool w, r, x, b, l; /* of REX or VEX */
	bool has_modrm;
	uint8_t mod, reg, rm;
	struct insn_operand memory; /* what ModRM says if mod isn't 3 */
};

static uint64_t take(struct decoder *d, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++) {
		if (d->at >= INSN_BYTES_MAX)
			d->err = d->err ? d->err : -E2BIG;
		else if (d->at >= d->n)
			d->err = d->err ? d->err : -EAGAIN;
		if (d->err)
			return 0;
		value |= (uint64_t)d->bytes[d->at++] << 8 * i;
	}
	return value;
}

static uint8_t take_byte(struct decoder *d)
{
	return (uint8_t)take(d, 1);
}

static uint64_t sign_extend(uint64_t value, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

static bool is_64bit(const struct decoder *d)
{
	return d->mode->code_bytes == 8;
}

/* ---- prefixes and opcode ---- */

static void segment_override(struct decoder *d, enum insn_segment segment)
{
	if (!is_64bit(d) || segment >= INSN_FS)
		d->segment = (uint8_t)segment;
}

static void rex(struct decoder *d, uint8_t bits)
{
	d->has_rex = bits;
	d->w = bits & 8;
	d->r = bits & 4;
	d->x = bits & 2;
	d->b = bits & 1;
}

/* Of several REX prefixes, and of one before another prefix, only what stands next to the opcode counts. */
static uint8_t take_prefixes(struct decoder *d)
{
	for (;;) {
		uint8_t byte = take_byte(d);

		switch (byte) {
		case 0x26: /* ES, CS, SS, DS */
		case 0x2e:
		case 0x36:
		case 0x3e:
			segment_override(d, byte >> 3 & 3);
			break;
		case 0x64:
		case 0x65:
			segment_override(d, byte - 0x64 + INSN_FS);
			break;
		case 0x66:
			d->has_66 = true;
			break;
		case 0x67:
			d->has_67 = true;
			break;
		case 0xf0:
			d->insn->prefixes |= INSN_PREFIX_LOCK;
			break;
		case 0xf2:
		case 0xf3:
			d->mandatory = byte == 0xf2 ? PREFIX_F2 : PREFIX_F3;
			break;
		case 0x40 ... 0x4f:
			if (!is_64bit(d))
				return byte;
			rex(d, byte);
			continue;
		default:
			return byte;
		}
		rex(d, 0);
	}
}

/* Outside 64-bit mode C4 and C5 are VEX only where LES and LDS would have a register operand. */
static bool starts_vex(const struct decoder *d, uint8_t byte)
{
	if ((byte != 0xc4 && byte != 0xc5) || d->mode->is_real)
		return false;
	return is_64bit(d) || d->at >= d->n || d->bytes[d->at] >> 6 == 3;
}

static int decode_vex(struct decoder *d, uint8_t byte)
{
	uint8_t first = take_byte(d), second = first;

	if (d->has_rex || d->has_66 || d->mandatory || d->insn->prefixes & INSN_PREFIX_LOCK)
		return -EINVAL;
	d->has_vex = true;
	d->map = MAP_0F;
	d->r = !(first & 0x80);
	if (byte == 0xc4) {
		second = take_byte(d);
		d->x = !(first & 0x40);
		d->b = is_64bit(d) && !(first & 0x20);
		d->map = first & 0x1f;
		d->w = is_64bit(d) && second & 0x80;
	}
	d->l = second & 4;
	d->mandatory = second & 3;
	d->insn->opcode = take_byte(d);
	if (d->err)
		return d->err;
	if (d->map < MAP_0F || d->map > MAP_0F3A)
		return -EOPNOTSUPP;
	/* No instruction here has a third register. */
	return (second >> 3 & 15) == 15 ? 0 : -EOPNOTSUPP;
}

static int decode_opcode(struct decoder *d)
{
	uint8_t byte = take_prefixes(d);

	if (d->mandatory)
		d->insn->prefixes |= d->mandatory == PREFIX_F2 ? INSN_PREFIX_REPNE
							       : INSN_PREFIX_REP;
	if (starts_vex(d, byte))
		return decode_vex(d, byte);

	if (byte == 0x0f) {
		d->map = MAP_0F;
		byte = take_byte(d);
		if (byte == 0x38 || byte == 0x3a) {
			d->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = take_byte(d);
		}
	}
	if (!d->mandatory && d->has_66)
		d->mandatory = PREFIX_66;
	d->insn->opcode = byte;
	return d->err;
}

/* ---- the row ---- */

static const struct insn_row *row_prefixed(struct decoder *d)
{
	for (size_t i = 0; i < insn_nr_prefixed; i++) {
		const struct insn_prefixed_row *row = &insn_prefixed[i];

		if (row->opcode != d->insn->opcode || row->map != d->map ||
		    row->mandatory != d->mandatory)
			continue;
		if (d->has_vex && (row->vex == VEX_NEVER || (row->vex == VEX_128 && d->l)))
			return NULL;
		d->insn->name = row->name;
		return &row->row;
	}
	return NULL;
}

static void take_modrm(struct decoder *d)
{
	uint8_t modrm = take_byte(d);

	d->has_modrm = true;
	d->mod = modrm >> 6;
	d->reg = modrm >> 3 & 7;
	d->rm = modrm & 7;
}

static bool uses_modrm(const struct insn_spec *spec)
{
	return spec->addressing >= BY_E && spec->addressing <= BY_C;
}

/* Finds the row, by way of ModRM if it is in a group. */
static int decode_row(struct decoder *d)
{
	const struct insn_row *row = NULL;
	uint8_t flags;

	if (!d->has_vex && d->map == MAP_1)
		row = &insn_map_1[d->insn->opcode];
	else if (!d->has_vex && d->map == MAP_0F)
		row = &insn_map_0f[d->insn->opcode];
	if (!row || (!row->op && !row->flags) ||
	    (row->flags & ROW_NOT_F3 && d->mandatory == PREFIX_F3))
		row = row_prefixed(d);
	if (!row)
		return -EOPNOTSUPP;

	flags = row->flags;
	if (flags & ROW_GROUP || uses_modrm(&row->dst) || uses_modrm(&row->src))
		take_modrm(d);
	if (d->err)
		return d->err;
	if (flags & ROW_GROUP) {
		row = &insn_groups[row->op][d->reg];
		flags |= row->flags;
	}

	d->row = row;
	d->insn->op = row->op;
	if (flags & ROW_NOT_64 && is_64bit(d))
		return -EINVAL;
	if (!row->op || (flags & ROW_ONLY_64 && !is_64bit(d)) ||
	    (flags & ROW_FORCE_64 && is_64bit(d) && d->has_66))
		return -EOPNOTSUPP;
	return 0;
}

static void decode_sizes(struct decoder *d, unsigned flags)
{
	bool is_small = d->mode->code_bytes == 2;
	struct insn *insn = d->insn;

	insn->operand_bytes = is_small != d->has_66 ? 2 : 4;
	if (d->w || (is_64bit(d) && flags & (ROW_DEFAULT_64 | ROW_FORCE_64) && !d->has_66))
		insn->operand_bytes = 8;

	insn->address_bytes = is_small != d->has_67 ? 2 : 4;
	if (is_64bit(d))
		insn->address_bytes = d->has_67 ? 4 : 8;
}

/* ---- memory ---- */

static void memory_modrm16(struct decoder *d, struct insn_operand *memory)
{
	enum { BX = 3, BP = 5, SI = 6, DI = 7, NONE = INSN_REG_NONE };
	static const uint8_t bases[] = { BX, BX, BP, BP, SI, DI, BP, BX };
	static const uint8_t indexes[] = { SI, DI, SI, DI, NONE, NONE, NONE, NONE };
	bool is_absolute = d->mod == 0 && d->rm == 6;

	memory->base = is_absolute ? NONE : bases[d->rm];
	memory->index = indexes[d->rm];
	if (memory->base == BP)
		memory->segment = INSN_SS;
	if (d->mod == 1)
		memory->displacement = (int64_t)sign_extend(take(d, 1), 1);
	else if (d->mod == 2 || is_absolute)
		memory->displacement = (int64_t)sign_extend(take(d, 2), 2);
}

static void memory_modrm(struct decoder *d, struct insn_operand *memory)
{
	enum { SP = 4, BP = 5 };
	bool has_displacement32 = d->mod == 2;
	uint8_t base = d->rm;

	if (base == SP) {
		uint8_t sib = take_byte(d), index = (uint8_t)((sib >> 3 & 7) | d->x << 3);

		base = sib & 7;
		if (index != SP) {
			memory->index = index;
			memory->scale = sib >> 6;
		}
	}
	memory->base = (uint8_t)(base | d->b << 3);
	if (memory->base == SP || memory->base == BP)
		memory->segment = INSN_SS;
	if (d->mod == 0 && base == BP) {
		has_displacement32 = true;
		memory->segment = INSN_DS;
		memory->base = is_64bit(d) && d->rm == BP ? INSN_REG_RIP : INSN_REG_NONE;
	}
	if (d->mod == 1)
		memory->displacement = (int64_t)sign_extend(take(d, 1), 1);
	else if (has_displacement32)
		memory->displacement = (int64_t)sign_extend(take(d, 4), 4);
}

static struct insn_operand memory_at(const struct decoder *d, uint8_t segment, uint8_t base)
{
	return (struct insn_operand){
		.kind = INSN_OPERAND_MEMORY,
		.address_bytes = d->insn->address_bytes,
		.segment = segment,
		.base = base,
		.index = INSN_REG_NONE,
	};
}

static void override_segment(const struct decoder *d, struct insn_operand *memory)
{
	if (d->segment != INSN_REG_NONE)
		memory->segment = d->segment;
}

/* SIB and displacement stand before any immediate, so this is done before the operands. */
static void decode_memory(struct decoder *d)
{
	d->memory = memory_at(d, INSN_DS, INSN_REG_NONE);
	if (d->insn->address_bytes == 2)
		memory_modrm16(d, &d->memory);
	else
		memory_modrm(d, &d->memory);
	override_segment(d, &d->memory);
}

/* ---- operands ---- */

static uint8_t size_bytes(const struct decoder *d, uint8_t size)
{
	uint8_t operand_bytes = d->insn->operand_bytes;

	switch (size) {
	case SIZE_B:
		return 1;
	case SIZE_W:
		return 2;
	case SIZE_D:
		return 4;
	case SIZE_Q:
		return 8;
	case SIZE_V:
		return operand_bytes;
	case SIZE_Z:
		return operand_bytes == 2 ? 2 : 4;
	case SIZE_Y:
		return d->w ? 8 : 4;
	case SIZE_P:
		return d->w ? 16 : 8;
	case SIZE_N:
		return is_64bit(d) ? 8 : 4;
	case SIZE_X:
		return d->l ? 32 : 16;
	default:
		return 0;
	}
}

static void general_register(const struct decoder *d, struct insn_operand *operand, unsigned reg)
{
	bool is_high = operand->bytes == 1 && !d->has_rex && reg >= 4;

	operand->kind = INSN_OPERAND_GENERAL;
	operand->reg = (uint8_t)(is_high ? reg - 4 + INSN_REG_HIGH : reg);
}

/* A pushed value goes below rSP; an address made with rSP sees what POP has added to it. */
static void stack_slot(struct decoder *d, struct insn_operand *slot)
{
	enum { SP = 4 };
	uint8_t bytes = slot->bytes;

	*slot = memory_at(d, INSN_SS, SP);
	slot->bytes = bytes;
	slot->address_bytes = d->mode->stack_bytes;
	if (d->insn->op != INSN_POP)
		slot->displacement = -(int64_t)bytes;
	else if (d->insn->dst.kind == INSN_OPERAND_MEMORY && d->insn->dst.base == SP)
		d->insn->dst.displacement += bytes;
}

static void immediate(struct decoder *d, struct insn_operand *operand, bool is_signed)
{
	operand->kind = INSN_OPERAND_IMMEDIATE;
	d->insn->immediate = take(d, operand->bytes);
	if (is_signed)
		d->insn->immediate = sign_extend(d->insn->immediate, operand->bytes);
}

static int control_register(const struct decoder *d, struct insn_operand *operand)
{
	const uint32_t existing = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 8;

	operand->kind = INSN_OPERAND_CONTROL;
	operand->reg = (uint8_t)(d->reg | d->r << 3);
	return existing >> operand->reg & 1 ? 0 : -EINVAL;
}

static int decode_operand(struct decoder *d, const struct insn_spec *spec,
			  struct insn_operand *operand)
{
	enum { AX = 0, CX = 1, DX = 2, SI = 6, DI = 7 };
	uint8_t bytes;

	if (spec->addressing == BY_NOTHING)
		return 0;
	bytes = size_bytes(d, spec->size);
	operand->bytes = bytes;
	switch (spec->addressing) {
	case BY_M:
	case BY_E:
		if (d->mod != 3)
			*operand = d->memory;
		else if (spec->addressing == BY_M)
			return -EOPNOTSUPP;
		else
			general_register(d, operand, d->rm | (unsigned)d->b << 3);
		break;
	case BY_R:
		general_register(d, operand, d->rm | (unsigned)d->b << 3);
		break;
	case BY_G:
		general_register(d, operand, d->reg | (unsigned)d->r << 3);
		break;
	case BY_V:
		operand->kind = INSN_OPERAND_VECTOR;
		operand->reg = (uint8_t)(d->reg | d->r << 3);
		break;
	case BY_C:
		return control_register(d, operand);
	case BY_I:
		immediate(d, operand, true);
		break;
	case BY_U:
		immediate(d, operand, false);
		break;
	case BY_PORT_U:
		operand->kind = INSN_OPERAND_PORT;
		operand->reg = INSN_REG_NONE;
		d->insn->immediate = take(d, 1);
		break;
	case BY_PORT_D:
		operand->kind = INSN_OPERAND_PORT;
		operand->reg = DX;
		break;
	case BY_O:
		*operand = memory_at(d, INSN_DS, INSN_REG_NONE);
		override_segment(d, operand);
		operand->displacement = (int64_t)take(d, d->insn->address_bytes);
		break;
	case BY_X:
		*operand = memory_at(d, INSN_DS, SI);
		override_segment(d, operand);
		break;
	case BY_Y:
		*operand = memory_at(d, INSN_ES, DI);
		break;
	case BY_STACK:
		stack_slot(d, operand);
		break;
	case BY_A:
		operand->kind = INSN_OPERAND_GENERAL;
		operand->reg = AX;
		break;
	case BY_CL:
		operand->kind = INSN_OPERAND_GENERAL;
		operand->reg = CX;
		break;
	case BY_ONE:
		operand->kind = INSN_OPERAND_IMMEDIATE;
		d->insn->immediate = 1;
		break;
	default:
		return -EOPNOTSUPP;
	}
	operand->bytes = bytes;
	return 0;
}

static int decode_operands(struct decoder *d)
{
	struct insn *insn = d->insn;
	int err;

	if (d->has_modrm && d->mod != 3 && d->row->src.addressing != BY_R &&
	    d->row->dst.addressing != BY_R)
		decode_memory(d);

	err = decode_operand(d, &d->row->dst, &insn->dst);
	if (!err)
		err = decode_operand(d, &d->row->src, &insn->src);
	if (!err)
		err = decode_operand(d, &d->row->third, &insn->third);
	if (err)
		return err;

	insn->dst.access = insn_operations[insn->op].dst_access;
	if (insn->src.kind)
		insn->src.access = INSN_ACCESS_READ;
	if (insn->third.kind)
		insn->third.access = INSN_ACCESS_READ;
	if (d->has_vex && insn->dst.kind == INSN_OPERAND_VECTOR)
		insn->dst.bytes = 32;
	else if (insn->dst.kind == INSN_OPERAND_VECTOR)
		insn->dst.bytes = 16;
	return d->err;
}

static int decode(struct decoder *d)
{
	const struct insn_operation *operation;
	int err = decode_opcode(d);

	if (!err)
		err = decode_row(d);
	if (err)
		return err;

	decode_sizes(d, d->row->flags);
	err = decode_operands(d);
	if (err)
		return err;

	operation = &insn_operations[d->insn->op];
	if (d->insn->prefixes & INSN_PREFIX_LOCK &&
	    (!operation->is_lockable || d->insn->dst.kind != INSN_OPERAND_MEMORY))
		return -EINVAL;
	if (!d->insn->name)
		d->insn->name = operation->name;
	d->insn->length = (uint8_t)d->at;
	return 0;
}

int insn_decode(const uint8_t *bytes, size_t n, const struct insn_mode *mode, struct insn *out)
{
	struct insn insn = { .code_bytes = mode->code_bytes, .stack_bytes = mode->stack_bytes };
	struct decoder d = {
		.bytes = bytes, .n = n, .mode = mode, .insn = &insn, .segment = INSN_REG_NONE
	};
	int err = decode(&d);

	if (!err)
		*out = insn;
	return err;
}
