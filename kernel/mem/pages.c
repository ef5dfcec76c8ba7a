/*
 * What an address space's page tables hold: see pages.h.
 */
#include "kernel/cpu/tlb.h"
#include "kernel/mem/area.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/pages.h"
#include "kernel/mem/table.h"
#include "kernel/mem/window.h"

void pages_tell_mirrors(struct mm *mm, uint64_t start, uint64_t end)
{
	list_for_each(node, &mm->mirrors) {
		struct mm_mirror *mirror = list_entry(node, struct mm_mirror, node);

		mirror->invalidate(mirror, start, end);
	}
}

/*
 * The lowest-level present entry that maps @address, with the end of what it maps; NULL where nothing is, with the
 * end of the hole as far as is known.
 */
static pte_t *entry_at(struct mm *mm, uint64_t address, uint64_t *end, bool *is_huge)
{
	pte_t *table = mm->top;

	for (uint32_t level = LEVEL_TOP;; level--) {
		pte_t *entry = &table[table_index(address, level)];
		uint64_t span = PAGE_BYTES << (9 * level);

		*end = (address & ~(span - 1)) + span;
		*is_huge = level == LEVEL_HUGE;
		if (!(*entry & (PTE_PRESENT | PTE_HELD)))
			return NULL;
		if (level == LEVEL_PAGE || (*entry & PTE_HUGE))
			return entry;
		table = table_below(*entry);
	}
}

static bool is_counted(const struct area *area)
{
	return !(area && (area->flags & AREA_DEVICE));
}

/* What a fork shares must not be split under the other's feet: this address space gets a copy of its own. */
static bool unshare_huge(struct mm *mm, pte_t *entry)
{
	hpa_t old = hpa(*entry & PTE_ADDRESS & ~(HUGE_BYTES - 1)), copy;

	if (frame_alloc(FRAME_USER, FRAME_ORDER_HUGE, &copy))
		return false;
	window_copy(copy, old, FRAME_ORDER_HUGE);
	*entry = copy.v | (*entry & ~(PTE_ADDRESS & ~(HUGE_BYTES - 1)));
	tlb_flush_mm(mm);
	frame_put(old);
	return true;
}

/* A huge mapping of which only part goes becomes 512 small ones of the same frames. */
static bool split_huge(struct mm *mm, pte_t *entry)
{
	pte_t old, *table;
	hpa_t frame;

	/* Pinned pages have references too, and stay where they are: what may be written to isn't shared. */
	if (!(*entry & PTE_WRITE) &&
	    frame_refs(hpa(*entry & PTE_ADDRESS & ~(HUGE_BYTES - 1))) > 1 &&
	    !unshare_huge(mm, entry))
		return false;
	table = page_alloc();
	if (!table)
		return false;
	old = *entry;
	frame = hpa(old & PTE_ADDRESS & ~(HUGE_BYTES - 1));
	frame_split(frame);
	for (uint64_t i = 0; i < PTES_PER_TABLE; i++)
		table[i] = (frame.v + i * PAGE_BYTES) | (old & ~PTE_ADDRESS & ~PTE_HUGE);
	*entry = direct_hpa(table).v | PTE_PRESENT | PTE_WRITE | PTE_USER;
	return true;
}

/* The pages of [start, end), one after the other. */
struct walk {
	struct mm *mm;
	uint64_t start, end;
	uint64_t at, next; /* what the page found last begins and ends at */
	bool is_huge;
};

/* The next entry, of pages inside the range only: a huge one that reaches beyond is split. NULL: no more, or no memory for that. */
static pte_t *walk_on(struct walk *walk)
{
	walk->at = walk->next;
	while (walk->at < walk->end) {
		pte_t *entry = entry_at(walk->mm, walk->at, &walk->next, &walk->is_huge);

		if (!entry)
			walk->at = walk->next;
		else if (!walk->is_huge ||
			 (walk->next <= walk->end && walk->next - HUGE_BYTES >= walk->start))
			return entry;
		else if (!split_huge(walk->mm, entry))
			return NULL;
	}
	return NULL;
}

/* Before a change of [start, end): the mirrors are told. */
static inline struct walk walk_begin(struct mm *mm, uint64_t start, uint64_t end)
{
	pages_tell_mirrors(mm, start, end);
	return (struct walk){ .mm = mm, .start = start, .end = end, .next = start };
}

/* Frames whose translations are still remembered somewhere: freed in batches, after the flush. */
enum { BATCH = 64 };

struct gathered {
	struct mm *mm;
	uint32_t count;
	hpa_t frames[BATCH];
};

static void gathered_release(struct gathered *gathered)
{
	tlb_flush_mm(gathered->mm);
	for (uint32_t i = 0; i < gathered->count; i++)
		frame_put(gathered->frames[i]);
	gathered->count = 0;
}

static void gather(struct gathered *gathered, hpa_t frame)
{
	if (gathered->count == BATCH)
		gathered_release(gathered);
	gathered->frames[gathered->count++] = frame;
}

/* Where memory runs out, what is left goes with the process. */
void pages_unmap(struct mm *mm, uint64_t start, uint64_t end)
{
	struct walk walk = walk_begin(mm, start, end);
	struct gathered gathered = { .mm = mm };
	pte_t *entry;

	while ((entry = walk_on(&walk))) {
		hpa_t frame = hpa(*entry & PTE_ADDRESS);

		*entry = 0;
		mm->nr_pages -= walk.is_huge ? HUGE_PAGES : 1;
		if (is_counted(area_find(mm, walk.at)))
			gather(&gathered, frame);
	}
	gathered_release(&gathered);
}

/* Rights are only taken away here; what an area allows more is given by the next fault. */
static pte_t with_rights(pte_t entry, uint32_t flags)
{
	if (!(flags & AREA_WRITE))
		entry &= ~PTE_WRITE;
	if (!(flags & AREA_EXEC))
		entry |= PTE_NX;
	/* Without any right nobody can reach it, copy_from_user() neither, and the frame stays. */
	if (!(flags & (AREA_READ | AREA_WRITE | AREA_EXEC)))
		entry = (entry & ~PTE_PRESENT) | PTE_HELD;
	return entry;
}

void pages_reprotect(struct mm *mm, uint64_t start, uint64_t end, uint32_t flags)
{
	struct walk walk = walk_begin(mm, start, end);
	pte_t *entry;

	while ((entry = walk_on(&walk)))
		*entry = with_rights(*entry, flags);
	tlb_flush_mm(mm);
}

static bool share_entry(struct mm *to, uint64_t at, pte_t *entry, bool is_huge,
			const struct area *area)
{
	pte_t *copy =
		table_make(to->top, at, is_huge ? LEVEL_HUGE : LEVEL_PAGE, PTE_WRITE | PTE_USER);

	if (!copy)
		return false;
	if (!(area->flags & AREA_SHARED))
		*entry &= ~PTE_WRITE;
	*copy = *entry;
	to->nr_pages += is_huge ? HUGE_PAGES : 1;
	to->nr_pages_max = to->nr_pages;
	if (is_counted(area))
		frame_get(hpa(*entry & PTE_ADDRESS));
	return true;
}

bool pages_share(struct mm *from, struct mm *to, const struct area *area)
{
	struct walk walk = walk_begin(from, area->start, area->end);
	pte_t *entry;

	while ((entry = walk_on(&walk)))
		if (!share_entry(to, walk.at, entry, walk.is_huge, area))
			return false;
	tlb_flush_mm(from);
	return walk.at >= walk.end;
}
