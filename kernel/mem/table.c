/*
 * Page tables: see table.h.
 */
#include "kernel/mem/frame.h"
#include "kernel/mem/table.h"

pte_t *table_find(pte_t *top, uint64_t address, uint32_t level)
{
	pte_t *table = top;

	for (uint32_t at = LEVEL_TOP; at > level; at--) {
		pte_t entry = table[table_index(address, at)];

		if (!(entry & PTE_PRESENT) || (entry & PTE_HUGE))
			return NULL;
		table = table_below(entry);
	}
	return &table[table_index(address, level)];
}

pte_t *table_make(pte_t *top, uint64_t address, uint32_t level, pte_t links)
{
	pte_t *table = top;

	for (uint32_t at = LEVEL_TOP; at > level; at--) {
		pte_t *entry = &table[table_index(address, at)];

		if (*entry & PTE_HUGE)
			return NULL;
		if (!(*entry & PTE_PRESENT)) {
			void *below = page_alloc();

			if (!below)
				return NULL;
			*entry = direct_hpa(below).v | PTE_PRESENT | links;
		}
		table = table_below(*entry);
	}
	return &table[table_index(address, level)];
}

void table_free_below(pte_t *table, uint32_t level, uint32_t first, uint32_t end)
{
	if (level == LEVEL_PAGE)
		return;
	for (uint32_t i = first; i < end; i++) {
		pte_t entry = table[i];

		if (!(entry & PTE_PRESENT) || (entry & PTE_HUGE))
			continue;
		table_free_below(table_below(entry), level - 1, 0, PTES_PER_TABLE);
		page_free(table_below(entry));
		table[i] = 0;
	}
}
