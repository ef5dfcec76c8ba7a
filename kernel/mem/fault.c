/*
 * Filling an address space: what a fault maps. See mm.h.
 */
#include "kernel/cpu/tlb.h"
#include "kernel/mem/area.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/pages.h"
#include "kernel/mem/table.h"
#include "kernel/mem/window.h"

struct fault {
	struct mm *mm;
	const struct area *area;
	uint64_t address; /* of the page */
	bool is_write;
};

static pte_t entry_flags(const struct area *area)
{
	pte_t flags = PTE_PRESENT | PTE_USER | PTE_ACCESSED;

	/* Nobody looks at the dirty bit of memory without a backing store: set at once, it costs no walk later. */
	flags |= area->flags & AREA_WRITE ? PTE_WRITE | PTE_DIRTY : 0;
	flags |= area->flags & AREA_EXEC ? 0 : PTE_NX;
	return flags;
}

static int put_entry(const struct fault *fault, uint32_t level, pte_t value)
{
	pte_t *entry = table_make(fault->mm->top, fault->address, level, PTE_WRITE | PTE_USER);

	if (!entry)
		return -ENOMEM;
	*entry = value;
	fault->mm->nr_pages += level == LEVEL_HUGE ? HUGE_PAGES : 1;
	if (fault->mm->nr_pages > fault->mm->nr_pages_max)
		fault->mm->nr_pages_max = fault->mm->nr_pages;
	return 0;
}

/* --- pages that aren't there yet --- */

static bool may_be_huge(const struct fault *fault)
{
	uint64_t start = fault->address & ~(HUGE_BYTES - 1);
	pte_t *entry;

	if ((fault->area->flags & AREA_NO_HUGE) || start < fault->area->start ||
	    start + HUGE_BYTES > fault->area->end)
		return false;
	entry = table_find(fault->mm->top, start, LEVEL_HUGE);
	return !entry || !*entry; /* else small pages are there already */
}

static int map_new(struct fault *fault, uint32_t order)
{
	hpa_t frame;
	int err;

	if (order)
		fault->address &= ~(HUGE_BYTES - 1);
	err = window_alloc_zeroed(order, &frame);
	if (err)
		return err;
	err = put_entry(fault, order ? LEVEL_HUGE : LEVEL_PAGE,
			frame.v | entry_flags(fault->area) | (order ? PTE_HUGE : 0));
	if (err)
		frame_put(frame);
	return err;
}

static int map_anonymous(struct fault *fault)
{
	if (may_be_huge(fault) && !map_new(fault, FRAME_ORDER_HUGE))
		return 0;
	return map_new(fault, 0);
}

static uint64_t page_index(const struct fault *fault)
{
	return (fault->address - fault->area->start + fault->area->offset) / PAGE_BYTES;
}

static int map_device(struct fault *fault)
{
	hpa_t frame;
	int err = fault->area->ops->page(fault->area->owner, page_index(fault), &frame);

	return err ? -EFAULT : put_entry(fault, LEVEL_PAGE, frame.v | entry_flags(fault->area));
}

/* A private page of an object is the object's until it is written to. */
static int map_object(struct fault *fault)
{
	bool is_shared = fault->area->flags & AREA_SHARED;
	hpa_t frame, copy;
	int err;

	err = memobj_page(fault->area->object, page_index(fault), &frame);
	if (err)
		return err == -EINVAL ? -EFAULT : err;
	if (!is_shared && fault->is_write) {
		err = frame_alloc(FRAME_USER, 0, &copy);
		if (!err)
			window_copy(copy, frame, 0);
		frame_put(frame);
		if (err)
			return err;
		frame = copy;
		is_shared = true; /* it may be written to from now on */
	}
	err = put_entry(fault, LEVEL_PAGE,
			frame.v | (entry_flags(fault->area) & ~(is_shared ? 0 : PTE_WRITE)));
	if (err)
		frame_put(frame);
	return err;
}

/* --- pages that are there with too few rights --- */

static int copy_on_write(struct fault *fault, pte_t *entry, uint32_t level)
{
	uint32_t order = level == LEVEL_HUGE ? FRAME_ORDER_HUGE : 0;
	hpa_t old = hpa(*entry & PTE_ADDRESS), copy;
	pte_t flags = entry_flags(fault->area) | (order ? PTE_HUGE : 0);
	uint64_t start = fault->address & ~((PAGE_BYTES << order) - 1);
	int err;

	/* The last user of a page writes to it as it is; an object keeps a reference of its own. */
	if (frame_refs(old) == 1 || (fault->area->flags & AREA_SHARED)) {
		*entry = old.v | flags;
		return 0;
	}
	err = frame_alloc(FRAME_USER, order, &copy);
	if (err)
		return err;
	window_copy(copy, old, order);
	pages_tell_mirrors(fault->mm, start, start + (PAGE_BYTES << order));
	*entry = copy.v | flags;
	tlb_flush_mm(fault->mm);
	frame_put(old);
	return 0;
}

static pte_t *find_present(struct mm *mm, uint64_t address, uint32_t *level)
{
	pte_t *entry = table_find(mm->top, address, LEVEL_HUGE);

	*level = LEVEL_HUGE;
	if (!entry || !(*entry & (PTE_PRESENT | PTE_HELD)))
		return NULL;
	if (*entry & PTE_HUGE)
		return entry;
	*level = LEVEL_PAGE;
	entry = table_find(mm->top, address, LEVEL_PAGE);
	return entry && (*entry & (PTE_PRESENT | PTE_HELD)) ? entry : NULL;
}

static int raise_rights(struct fault *fault, pte_t *entry, uint32_t level)
{
	if (fault->is_write && !(*entry & PTE_WRITE)) {
		if (fault->area->flags & AREA_DEVICE)
			*entry |= PTE_WRITE | PTE_DIRTY;
		else
			return copy_on_write(fault, entry, level);
	}
	*entry = (*entry & ~PTE_HELD) | PTE_PRESENT;
	if (fault->area->flags & AREA_EXEC)
		*entry &= ~PTE_NX;
	return 0;
}

/* --- the interface --- */

static bool is_allowed(const struct area *area, bool is_write, bool is_fetch)
{
	if (is_write)
		return area->flags & AREA_WRITE;
	if (is_fetch)
		return area->flags & AREA_EXEC;
	return area->flags & (AREA_READ | AREA_WRITE | AREA_EXEC);
}

static int fault_locked(struct mm *mm, uint64_t address, bool is_write, bool is_fetch)
{
	struct fault fault = { .mm = mm,
			       .address = address & ~(PAGE_BYTES - 1),
			       .is_write = is_write };
	uint32_t level;
	pte_t *entry;

	fault.area = area_find(mm, address);
	if (!fault.area || !is_allowed(fault.area, is_write, is_fetch))
		return -EFAULT;
	entry = find_present(mm, address, &level);
	if (entry)
		return raise_rights(&fault, entry, level);
	if (fault.area->ops)
		return map_device(&fault);
	if (fault.area->object)
		return map_object(&fault);
	return map_anonymous(&fault);
}

int mm_fault(struct mm *mm, uint64_t address, bool is_write, bool is_fetch)
{
	int err;

	if (address >= USER_END)
		return -EFAULT;
	mutex_lock(&mm->lock);
	err = fault_locked(mm, address, is_write, is_fetch);
	mutex_unlock(&mm->lock);
	return err;
}

static int pin_locked(struct mm *mm, uint64_t address, bool is_write, struct mm_page *out)
{
	uint32_t level;
	pte_t *entry = find_present(mm, address, &level);
	int err;

	if (!entry || (*entry & PTE_HELD) || (is_write && !(*entry & PTE_WRITE))) {
		err = fault_locked(mm, address, is_write, false);
		if (err)
			return err;
		entry = find_present(mm, address, &level);
	}
	if (!entry)
		return -EFAULT;
	out->is_huge = level == LEVEL_HUGE;
	out->is_writable = *entry & PTE_WRITE;
	out->frame = hpa(*entry & PTE_ADDRESS);
	if (out->is_huge)
		out->frame.v = (out->frame.v & ~(HUGE_BYTES - 1)) |
			       (address & (HUGE_BYTES - 1) & ~(PAGE_BYTES - 1));
	return 0;
}

int mm_pin_page(struct mm *mm, uint64_t address, bool is_write, struct mm_page *out)
{
	int err;

	if (address >= USER_END)
		return -EFAULT;
	mutex_lock(&mm->lock);
	err = pin_locked(mm, address, is_write, out);
	if (!err)
		frame_get(out->is_huge ? hpa(out->frame.v & ~(HUGE_BYTES - 1)) : out->frame);
	mutex_unlock(&mm->lock);
	return err;
}

void mm_unpin_page(const struct mm_page *page)
{
	if (page->is_huge)
		frame_put_piece(hpa(page->frame.v & ~(HUGE_BYTES - 1)), FRAME_ORDER_HUGE);
	else
		frame_put(page->frame);
}
