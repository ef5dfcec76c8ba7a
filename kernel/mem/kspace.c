/*
 * Kernel virtual addresses beside the direct map: see kspace.h.
 *
 * Addresses of mappings are handed out once and not reused (there are 8 TiB of them); stacks are, since they come and go.
 */
#include "kernel/arch/spinlock.h"
#include "kernel/cpu/tlb.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/init.h"
#include "kernel/mem/kspace.h"
#include "kernel/mem/table.h"

/* Behind the first 256 GiB, which is for mappings. */
#define STACKS_AT (KERNEL_SPACE_AT + (UINT64_C(1) << 38))

enum {
	STACK_PAGES = STACK_BYTES / PAGE_BYTES,
	STACK_SLOT_BYTES = STACK_BYTES + PAGE_BYTES, /* with the page that faults */
};

static struct spinlock lock;
static uint64_t next_address = KERNEL_SPACE_AT;
static uint64_t next_stack = STACKS_AT;

/* Free stacks stay mapped; the first word of each, seen from its top, leads to the next. */
static void *free_stacks;

static uint64_t take_addresses(uint64_t *next, uint64_t size)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	uint64_t at = *next;

	*next += size;
	spin_unlock_irqrestore(&lock, flags);
	return at;
}

static bool set_page(uint64_t address, pte_t entry)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	pte_t *slot = table_make(kernel_top, address, LEVEL_PAGE, PTE_WRITE);

	if (slot)
		*slot = entry;
	spin_unlock_irqrestore(&lock, flags);
	return slot != NULL;
}

void *kspace_map(hpa_t start, uint64_t size_bytes, pte_t flags)
{
	uint64_t offset = start.v % PAGE_BYTES;
	uint64_t size = align_up(offset + size_bytes, PAGE_BYTES);
	uint64_t at = take_addresses(&next_address, size);

	for (uint64_t done = 0; done < size; done += PAGE_BYTES)
		if (!set_page(at + done, (start.v - offset + done) | flags | PTE_PRESENT | PTE_NX |
						 PTE_GLOBAL))
			return NULL;
	return (void *)(at + offset);
}

void kspace_unmap(const void *address, uint64_t size_bytes)
{
	uint64_t start = (uint64_t)address & ~(PAGE_BYTES - 1);
	uint64_t end = align_up((uint64_t)address + size_bytes, PAGE_BYTES);

	for (uint64_t at = start; at < end; at += PAGE_BYTES)
		(void)set_page(at, 0);
	tlb_flush_kernel();
}

static void *stack_reuse(void)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	void *top = free_stacks;

	if (top)
		free_stacks = ((void **)top)[-1];
	spin_unlock_irqrestore(&lock, flags);
	return top;
}

void *stack_alloc(void)
{
	void *top = stack_reuse();
	uint64_t at;

	if (top)
		return top;
	at = take_addresses(&next_stack, STACK_SLOT_BYTES);
	for (uint32_t page = 1; page <= STACK_PAGES; page++) {
		hpa_t frame;

		/* What was mapped so far stays with the addresses, which are not used again: memory has run out. */
		if (frame_alloc(FRAME_KERNEL, 0, &frame) ||
		    !set_page(at + page * PAGE_BYTES,
			      frame.v | PTE_PRESENT | PTE_WRITE | PTE_NX | PTE_GLOBAL))
			return NULL;
	}
	return (void *)(at + STACK_SLOT_BYTES);
}

void stack_free(void *top)
{
	uint64_t flags = spin_lock_irqsave(&lock);

	((void **)top)[-1] = free_stacks;
	free_stacks = top;
	spin_unlock_irqrestore(&lock, flags);
}
