/*
 * From a guest's linear address to its physical one: see walk.h.
 */
#include <errno.h>

#include "kernel/arch/paging.h"
#include "kernel/arch/regs.h"
#include "kernel/virt/walk.h"

enum {
	FAULT_PRESENT = 1 << 0,
	FAULT_WRITE = 1 << 1,
	FAULT_USER = 1 << 2,
	FAULT_RESERVED = 1 << 3,
	FAULT_FETCH = 1 << 4,
};

/* The three formats of tables, from the top. */
struct format {
	uint32_t levels, entry_bytes, index_bits;
	bool has_nx;
};

/* What has been found on the way down. */
struct way {
	const struct walk_mode *mode;
	const struct walk_memory *memory;
	struct format format;
	uint64_t address;
	uint32_t access;
	bool is_writable, is_users, is_no_execute; /* by all entries so far */
	uint64_t entry;				   /* the last one */
	gpa_t entry_at;
	uint32_t error; /* bits known beforehand */
};

static struct format format_of(const struct walk_mode *mode)
{
	bool has_nx = mode->efer & EFER_NXE;

	if (mode->efer & EFER_LMA)
		return (struct format){ 4, 8, 9, has_nx };
	if (mode->cr4 & X86_CR4_PAE)
		return (struct format){ 3, 8, 9, has_nx };
	return (struct format){ 2, 4, 10, false };
}

static int fault(const struct way *way, uint32_t bits, uint32_t *error_code)
{
	*error_code = way->error | bits;
	return -EFAULT;
}

static bool is_pdpt_of_pae(const struct way *way, uint32_t level)
{
	return way->format.levels == 3 && level == 2;
}

/* Bits that must be 0: beyond the physical addresses, and NX where it isn't enabled. */
static bool has_reserved_bits(const struct way *way, uint32_t level)
{
	uint64_t reserved;

	if (way->format.entry_bytes == 4)
		return false;
	reserved = PTE_ADDRESS & ~((UINT64_C(1) << way->mode->physical_bits) - 1);
	reserved |= way->format.has_nx ? 0 : PTE_NX;
	/* Bit 5 is reserved there too, but an emulator's processor (QEMU 7.2) marks what it has used. */
	if (is_pdpt_of_pae(way, level))
		reserved |= PTE_NX | 0x1c6;
	return way->entry & reserved;
}

/* Does the entry of @level map a page itself? */
static bool is_leaf(const struct way *way, uint32_t level)
{
	if (!level)
		return true;
	if (!(way->entry & PTE_HUGE) || is_pdpt_of_pae(way, level) || level > 2)
		return false;
	return way->format.entry_bytes == 8 || (way->mode->cr4 & X86_CR4_PSE);
}

static uint64_t page_bytes(const struct way *way, uint32_t level)
{
	return PAGE_BYTES << (way->format.index_bits * level);
}

/* With 4-byte entries a large page has bits 32-39 of its address in bits 13-20. */
static uint64_t leaf_address(const struct way *way, uint32_t level)
{
	uint64_t size = page_bytes(way, level), base;

	if (way->format.entry_bytes == 4 && level)
		base = (way->entry & 0xffc00000u) | (way->entry & 0x1fe000) << 19;
	else
		base = way->entry & PTE_ADDRESS & ~(size - 1);
	return base | (way->address & (size - 1));
}

static bool is_allowed(const struct way *way)
{
	bool is_user = way->access & WALK_USER;

	if (is_user && !way->is_users)
		return false;
	if ((way->access & WALK_WRITE) && !way->is_writable &&
	    (is_user || (way->mode->cr0 & X86_CR0_WP)))
		return false;
	if (way->access & WALK_FETCH) {
		if (way->is_no_execute)
			return false;
		return is_user || !way->is_users || !(way->mode->cr4 & X86_CR4_SMEP);
	}
	return is_user || !way->is_users || !(way->mode->cr4 & X86_CR4_SMAP) ||
	       (way->access & WALK_AC);
}

static int step_down(struct way *way, uint64_t table, uint32_t level)
{
	uint32_t shift = PAGE_SHIFT + way->format.index_bits * level;
	uint64_t index = way->address >> shift & ((1u << way->format.index_bits) - 1);

	if (is_pdpt_of_pae(way, level))
		index &= 3;
	way->entry_at = gpa(table + index * way->format.entry_bytes);
	return way->memory->load(way->memory->context, way->entry_at, way->format.entry_bytes,
				 &way->entry)
		       ? -EIO
		       : 0;
}

static void add_rights(struct way *way, uint32_t level)
{
	if (is_pdpt_of_pae(way, level))
		return; /* has none */
	way->is_writable &= !!(way->entry & PTE_WRITE);
	way->is_users &= !!(way->entry & PTE_USER);
	way->is_no_execute |= way->format.has_nx && (way->entry & PTE_NX);
}

static int mark(const struct way *way, uint64_t bits)
{
	if ((way->entry & bits) == bits)
		return 0;
	return way->memory->set(way->memory->context, way->entry_at, way->format.entry_bytes, bits)
		       ? -EIO
		       : 0;
}

static int walk_tables(struct way *way, gpa_t *out, uint32_t *error_code)
{
	uint64_t table = way->mode->cr3 & (way->format.levels == 3 ? ~UINT64_C(0x1f) : PTE_ADDRESS);

	for (uint32_t level = way->format.levels - 1;; level--) {
		bool is_last;

		if (step_down(way, table, level))
			return -EIO;
		if (!(way->entry & PTE_PRESENT))
			return fault(way, 0, error_code);
		if (has_reserved_bits(way, level))
			return fault(way, FAULT_PRESENT | FAULT_RESERVED, error_code);
		add_rights(way, level);
		is_last = is_leaf(way, level);
		if (is_last && !is_allowed(way))
			return fault(way, FAULT_PRESENT, error_code);
		if (!is_pdpt_of_pae(way, level) &&
		    mark(way,
			 PTE_ACCESSED | (is_last && (way->access & WALK_WRITE) ? PTE_DIRTY : 0)))
			return -EIO;
		if (is_last) {
			*out = gpa(leaf_address(way, level));
			return 0;
		}
		table = way->entry & PTE_ADDRESS;
	}
}

int walk(const struct walk_mode *mode, const struct walk_memory *memory, uint64_t address,
	 uint32_t access, gpa_t *out, uint32_t *error_code)
{
	struct way way = {
		.mode = mode,
		.memory = memory,
		.format = format_of(mode),
		.address = mode->efer & EFER_LMA ? address : (uint32_t)address,
		.access = access,
		.is_writable = true,
		.is_users = true,
	};

	if (!(mode->cr0 & X86_CR0_PG)) {
		*out = gpa(way.address);
		return 0;
	}
	way.error = (access & WALK_WRITE ? FAULT_WRITE : 0u) |
		    (access & WALK_USER ? FAULT_USER : 0u);
	/* The fetch bit is told only where fetches can be told apart. */
	if ((access & WALK_FETCH) && (way.format.has_nx || (mode->cr4 & X86_CR4_SMEP)))
		way.error |= FAULT_FETCH;
	return walk_tables(&way, out, error_code);
}
