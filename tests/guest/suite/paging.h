/*
 * Page tables for cases: what they map lies at or above PAGING_FREE_AT and is gone after the case.
 */
#pragma once

#include "tests/guest/suite/case.h"

#define PAGING_FREE_AT UINT64_C(0x100000000000)

enum { PAGE_BYTES = 4096 };

#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_USER     BIT(2)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY    BIT(6)
#define PTE_LARGE    BIT(7)
#define PTE_GLOBAL   BIT(8)
#define PTE_NX	     BIT(63)
#define PTE_RW	     (PTE_PRESENT | PTE_WRITE)

enum { ERROR_PRESENT = 1, ERROR_WRITE = 2, ERROR_USER = 4, ERROR_RESERVED = 8, ERROR_FETCH = 16 };

/* A page of zeroes, for tables or data; the case ends when there is none. */
void *page_take(void);

/* The entry for @va: @level 1 for 4 KiB, 2 for 2 MiB, 3 for 1 GiB. Tables on the way are made, with all rights. */
uint64_t *paging_entry(uint64_t va, uint32_t level);

/* Maps one page of that level, and returns its entry. */
uint64_t *paging_map(uint64_t va, uint64_t entry, uint32_t level);

/* A page for users that holds a copy of @code, and one for their stack; the latter's end is in *@rsp. */
uint64_t paging_map_user_code(const void *code, size_t bytes, uint64_t *rsp);

/* Of the suite itself. */
void paging_init(void);
void paging_restore(void);
