/*
 * Page tables: walking and changing the four levels. Tables are pages of the kernel's.
 *
 * The caller locks, and flushes what CPUs may remember (cpu/tlb.h).
 */
#pragma once

#include "kernel/arch/paging.h"
#include "lib/compiler.h"

enum {
	LEVEL_PAGE = 0, /* 4 KiB */
	LEVEL_HUGE = 1, /* 2 MiB */
	LEVEL_GIGA = 2,
	LEVEL_TOP = 3,
};

/*
 * The entry for @address at @level. table_find() returns NULL where tables are missing or a larger page lies above;
 * table_make() adds what is missing (NULL for want of memory). @links: the bits of new upper entries.
 */
pte_t *table_find(pte_t *top, uint64_t address, uint32_t level);
pte_t *table_make(pte_t *top, uint64_t address, uint32_t level, pte_t links);

/* The table that an upper-level entry points to. */
static inline pte_t *table_below(pte_t entry)
{
	return direct(hpa(entry & PTE_ADDRESS));
}

/* Frees the tables below @table, which is of @level; leaves what they map alone. Entries [first, end) only. */
void table_free_below(pte_t *table, uint32_t level, uint32_t first, uint32_t end);
