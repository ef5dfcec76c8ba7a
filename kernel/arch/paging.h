/*
 * Page-table entries and the kernel's address space. (AMD APM vol. 2, 5.3 "Long-Mode Page Translation".)
 */
#pragma once

#include <stdint.h>

#include "lib/address.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES UINT64_C(4096)
#define HUGE_SHIFT 21
#define HUGE_BYTES (UINT64_C(1) << HUGE_SHIFT)
#define HUGE_PAGES (HUGE_BYTES / PAGE_BYTES)

#define PTE_PRESENT  (UINT64_C(1) << 0)
#define PTE_WRITE    (UINT64_C(1) << 1)
#define PTE_USER     (UINT64_C(1) << 2)
#define PTE_PWT	     (UINT64_C(1) << 3)
#define PTE_PCD	     (UINT64_C(1) << 4)
#define PTE_ACCESSED (UINT64_C(1) << 5)
#define PTE_DIRTY    (UINT64_C(1) << 6)
#define PTE_HUGE     (UINT64_C(1) << 7)
#define PTE_GLOBAL   (UINT64_C(1) << 8)
#define PTE_HELD     (UINT64_C(1) << 9) /* the kernel's own: not present, but keeps its frame */
#define PTE_NX	     (UINT64_C(1) << 63)
#define PTE_ADDRESS  UINT64_C(0x000ffffffffff000)

#define PTES_PER_TABLE 512

typedef uint64_t pte_t;

/* Where the kernel has what: docs/kernel.md, "Address space". */
#define USER_END	UINT64_C(0x00007ffffffff000)
#define DIRECT_MAP_AT	UINT64_C(0xffff800000000000)
#define FRAME_TABLE_AT	UINT64_C(0xffffa00000000000)
#define KERNEL_SPACE_AT UINT64_C(0xffffb00000000000)
#define WINDOWS_AT	UINT64_C(0xffffb80000000000)
#define KERNEL_IMAGE_AT UINT64_C(0xffffffff80000000)

/* A frame that the kernel owns, by its address in the direct map; and back. */
static inline void *direct(hpa_t frame)
{
	return (void *)(DIRECT_MAP_AT + frame.v);
}

static inline hpa_t direct_hpa(const void *address)
{
	return (hpa_t){ (uint64_t)address - DIRECT_MAP_AT };
}

/* What lies in the kernel's image. */
static inline hpa_t image_hpa(const void *address)
{
	return (hpa_t){ (uint64_t)address - KERNEL_IMAGE_AT };
}

static inline hpa_t hpa(uint64_t v)
{
	return (hpa_t){ v };
}

/* The index of @address in its table of @level: 0 for the page table, 3 for the top. */
static inline uint32_t table_index(uint64_t address, uint32_t level)
{
	return (uint32_t)(address >> (PAGE_SHIFT + 9 * level)) % PTES_PER_TABLE;
}
