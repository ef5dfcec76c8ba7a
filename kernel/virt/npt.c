/*
 * Nested page tables: see npt.h. (AMD APM vol. 2, 15.25 "Nested Paging": the same format as ordinary tables, every entry a
 * user's.)
 */
#include <errno.h>
#include <stddef.h>

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

/*
 * Small entries take a huge one's place, for the same frames: a processor may remember the huge one, and who takes part
 * of it away must find something to take.
 */
static bool split(pte_t *huge)
{
	pte_t *table = page_alloc();

	if (!table)
		return false;
	for (uint32_t i = 0; i < PTES_PER_TABLE; i++)
		table[i] = (*huge & ~PTE_HUGE) + i * PAGE_BYTES;
	__atomic_store_n(huge, direct_hpa(table).v | PTE_PRESENT | LINKS, __ATOMIC_RELEASE);
	return true;
}

static int map_locked(struct npt *npt, gpa_t at, hpa_t frame, bool is_huge, bool is_writable)
{
	uint32_t level = is_huge ? LEVEL_HUGE : LEVEL_PAGE;
	pte_t *above = is_huge ? NULL : table_find(npt->top, at.v, LEVEL_HUGE), *entry;

	if (above && (*above & PTE_HUGE) && !split(above))
		return -ENOMEM;
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

/* Tables are chained through what a frame's user may keep of it. */
pte_t *npt_unmap_tables(struct npt *npt, gpa_t start, gpa_t end, bool *has_changed)
{
	uint64_t at = (start.v + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1), flags;
	pte_t *tables = NULL;

	*has_changed = npt_unmap(npt, start, end);
	flags = spin_lock_irqsave(&npt->lock);
	for (; at + HUGE_BYTES <= end.v; at += HUGE_BYTES) {
		pte_t *entry = table_find(npt->top, at, LEVEL_HUGE);

		if (!entry || !(*entry & PTE_PRESENT) || (*entry & PTE_HUGE))
			continue;
		frame_of(hpa(*entry & PTE_ADDRESS))->object = tables;
		tables = table_below(*entry);
		*entry = 0;
		*has_changed = true;
	}
	spin_unlock_irqrestore(&npt->lock, flags);
	return tables;
}

void npt_free_tables(pte_t *tables)
{
	while (tables) {
		struct frame *frame = frame_of(direct_hpa(tables));
		pte_t *next = frame->object;

		frame->object = NULL;
		page_free(tables);
		tables = next;
	}
}

bool npt_protect(struct npt *npt, gpa_t start, gpa_t end)
{
	return change(npt, start, end, ~PTE_WRITE);
}
