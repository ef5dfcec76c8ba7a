/*
 * Nested page tables: see npt.h. (AMD APM vol. 2, 15.25 "Nested Paging": the same format as ordinary tables, every entry a
 * user's.)
 */
#include <errno.h>

#include "kernel/mem/frame.h"
#include "kernel/mem/table.h"
#include "kernel/virt/npt.h"

#define LINKS (PTE_WRITE | PTE_USER)

int npt_init(struct npt *npt)
{
	*npt = (struct npt){ .top = page_alloc() };
	return npt->top ? 0 : -ENOMEM;
}

void npt_destroy(struct npt *npt)
{
	table_free_below(npt->top, LEVEL_TOP, 0, PTES_PER_TABLE);
	page_free(npt->top);
}

uint64_t npt_sequence(struct npt *npt)
{
	return __atomic_load_n(&npt->sequence, __ATOMIC_ACQUIRE);
}

static int map_locked(struct npt *npt, gpa_t at, hpa_t frame, bool is_huge, bool is_writable)
{
	uint32_t level = is_huge ? LEVEL_HUGE : LEVEL_PAGE;
	pte_t *above = is_huge ? NULL : table_find(npt->top, at.v, LEVEL_HUGE), *entry;

	/* A small page may come where a huge one was: the owner's was split. */
	if (above && (*above & PTE_HUGE))
		*above = 0;
	entry = table_make(npt->top, at.v, level, LINKS);
	if (!entry)
		return -ENOMEM;
	/* The table of small pages that once were here stays: a processor may be walking it. */
	if (is_huge && (*entry & PTE_PRESENT) && !(*entry & PTE_HUGE))
		return -EEXIST;
	*entry = frame.v | PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY |
		 (is_writable ? PTE_WRITE : 0) | (is_huge ? PTE_HUGE : 0);
	return 0;
}

int npt_map(struct npt *npt, gpa_t at, hpa_t frame, bool is_huge, bool is_writable,
	    uint64_t sequence)
{
	uint64_t flags = spin_lock_irqsave(&npt->lock);
	int err = -EAGAIN;

	if (npt->sequence == sequence)
		err = map_locked(npt, at, frame, is_huge, is_writable);
	spin_unlock_irqrestore(&npt->lock, flags);
	return err;
}

/* The lowest entry on the way to @at, and how much it stands for. */
static pte_t *lowest_entry(struct npt *npt, uint64_t at, uint64_t *span)
{
	pte_t *table = npt->top;

	for (uint32_t level = LEVEL_TOP;; level--) {
		pte_t *entry = &table[table_index(at, level)];

		*span = PAGE_BYTES << (9 * level);
		if (level == LEVEL_PAGE || !(*entry & PTE_PRESENT) || (*entry & PTE_HUGE))
			return entry;
		table = table_below(*entry);
	}
}

/* A huge entry of which only part is meant goes as a whole: the next fault brings small ones. */
static bool change(struct npt *npt, gpa_t start, gpa_t end, pte_t kept)
{
	uint64_t flags = spin_lock_irqsave(&npt->lock), at = start.v, span;
	bool has_changed = false;

	__atomic_store_n(&npt->sequence, npt->sequence + 1, __ATOMIC_RELEASE);
	while (at < end.v) {
		pte_t *entry = lowest_entry(npt, at, &span);
		bool is_whole = at % span == 0 && span <= end.v - at;

		if (*entry & PTE_PRESENT) {
			pte_t changed = is_whole || !kept ? *entry & kept : 0;

			has_changed |= changed != *entry;
			*entry = changed;
		}
		at = (at & ~(span - 1)) + span;
	}
	spin_unlock_irqrestore(&npt->lock, flags);
	return has_changed;
}

bool npt_unmap(struct npt *npt, gpa_t start, gpa_t end)
{
	return change(npt, start, end, 0);
}

bool npt_protect(struct npt *npt, gpa_t start, gpa_t end)
{
	return change(npt, start, end, ~PTE_WRITE);
}
