/*
 * Page tables for cases: see paging.h.
 */
#include "tests/guest/suite/paging.h"

enum { PAGES = 64, ENTRIES = 512, FREE_SLOT = PAGING_FREE_AT >> 39 & (ENTRIES - 1) };

#define ADDRESS_MASK UINT64_C(0x000ffffffffff000)

static uint8_t pages[PAGES][PAGE_BYTES] __attribute__((aligned(4096)));
static uint32_t pages_taken;
static uint64_t base_cr3;

void *page_take(void)
{
	if (pages_taken == PAGES)
		fail("no page is left");
	clear(pages[pages_taken], PAGE_BYTES);
	return pages[pages_taken++];
}

static uint64_t *table_at(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & ADDRESS_MASK);
}

uint64_t *paging_entry(uint64_t va, uint32_t level)
{
	uint64_t *table = table_at(base_cr3);

	for (uint32_t here = 4; here > level; here--) {
		uint64_t *entry = &table[va >> (12 + 9 * (here - 1)) & (ENTRIES - 1)];

		if (!(*entry & PTE_PRESENT))
			*entry = (uintptr_t)page_take() | PTE_RW | PTE_USER;
		table = table_at(*entry);
	}
	return &table[va >> (12 + 9 * (level - 1)) & (ENTRIES - 1)];
}

uint64_t *paging_map(uint64_t va, uint64_t entry, uint32_t level)
{
	uint64_t *slot = paging_entry(va, level);

	*slot = entry | (level > 1 ? PTE_LARGE : 0);
	invlpg(va);
	return slot;
}

uint64_t paging_map_user_code(const void *code, size_t bytes, uint64_t *rsp)
{
	const uint64_t va = PAGING_FREE_AT + BIT(38);
	uint8_t *page = page_take();

	__builtin_memcpy(page, code, bytes);
	paging_map(va, (uintptr_t)page | PTE_PRESENT | PTE_USER, 1);
	paging_map(va + PAGE_BYTES, (uintptr_t)page_take() | PTE_RW | PTE_USER, 1);
	*rsp = va + 2 * PAGE_BYTES;
	return va;
}

void paging_init(void)
{
	base_cr3 = read_cr3();
}

void paging_restore(void)
{
	uint64_t *top = table_at(base_cr3);

	write_cr4(read_cr4() & ~(uint64_t)CR4_PCIDE);
	for (uint32_t i = FREE_SLOT; i < ENTRIES; i++)
		top[i] = 0;
	pages_taken = 0;
	write_cr3(base_cr3);
}
