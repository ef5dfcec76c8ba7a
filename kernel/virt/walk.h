/*
 * From a guest's linear address to its physical one, through its own page tables, as its processor would: rights, reserved
 * bits, accessed and dirty bits, the error code of the page fault that it would get.
 *
 * Pure: the guest's memory is behind two functions.
 * Source: AMD APM vol. 2, 5 "Page Translation and Protection".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/compiler.h"

/* What the guest's registers say. */
struct walk_mode {
	uint64_t cr0, cr3, cr4, efer;
	uint32_t physical_bits;
};

enum walk_access {
	WALK_READ = 0,
	WALK_WRITE = 1 << 0,
	WALK_FETCH = 1 << 1,
	WALK_USER = 1 << 2, /* by code of CPL 3 */
	WALK_AC = 1 << 3,   /* RFLAGS.AC is set: SMAP looks away */
};

struct walk_memory {
	/* A table's entry of 4 or 8 bytes. -EFAULT: there is no memory. */
	int (*load)(void *context, gpa_t at, uint32_t bytes, uint64_t *value);
	/* Sets bits in it, atomically. */
	int (*set)(void *context, gpa_t at, uint32_t bytes, uint64_t bits);
	void *context;
};

/**
 * walk() - translate @address
 * @error_code: of the page fault, where the result is -EFAULT
 *
 * Returns 0 with @out; -EFAULT the guest gets #PF; -EIO its tables aren't in memory.
 */
MUST_CHECK int walk(const struct walk_mode *mode, const struct walk_memory *memory,
		    uint64_t address, uint32_t access, gpa_t *out, uint32_t *error_code);
