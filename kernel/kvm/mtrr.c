/*
 * Values of memory type registers: see mtrr.h.
 */
#include "kernel/kvm/mtrr.h"

/* A bit per type: UC, WC, WT, WP, WB; and UC-. */
enum { MTRR_TYPES = 0x73, PAT_TYPES = MTRR_TYPES | 0x80 };

#define DEFAULT_BITS UINT64_C(0xcff)
#define BASE_HOLE    UINT64_C(0xf00)
#define MASK_HOLE    UINT64_C(0x7ff)

static bool is_type(uint64_t value, uint32_t types)
{
	return value < 8 && (types >> value & 1);
}

static bool are_types(uint64_t value, uint32_t types)
{
	for (uint32_t i = 0; i < 8; i++)
		if (!is_type(value >> (8 * i) & 0xff, types))
			return false;
	return true;
}

bool pat_is_valid(uint64_t value)
{
	return are_types(value, PAT_TYPES);
}

bool mtrr_fixed_is_valid(uint64_t value)
{
	return are_types(value, MTRR_TYPES);
}

bool mtrr_default_is_valid(uint64_t value)
{
	return !(value & ~DEFAULT_BITS) && is_type(value & 0xff, MTRR_TYPES);
}

bool mtrr_base_is_valid(uint64_t value, uint32_t phys_bits)
{
	return is_type(value & 0xff, MTRR_TYPES) && !(value & BASE_HOLE) && !(value >> phys_bits);
}

bool mtrr_mask_is_valid(uint64_t value, uint32_t phys_bits)
{
	return !(value & MASK_HOLE) && !(value >> phys_bits);
}
