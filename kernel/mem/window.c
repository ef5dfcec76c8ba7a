/*
 * A look at frames that the kernel doesn't own: see window.h.
 */
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/init.h"
#include "kernel/mem/table.h"
#include "kernel/mem/window.h"

/* Each CPU has the 2 MiB windows first, then a 2 MiB range of 4 KiB windows. */
#define CPU_BYTES ((WINDOW_SLOTS + 1) * HUGE_BYTES)

static uint64_t huge_address(enum window_slot slot)
{
	return WINDOWS_AT + this_cpu()->id * CPU_BYTES + (uint64_t)slot * HUGE_BYTES;
}

static uint64_t page_address(enum window_slot slot)
{
	return huge_address(WINDOW_SLOTS) + (uint64_t)slot * PAGE_BYTES;
}

void window_init_cpu(void)
{
	if (!table_make(kernel_top, page_address(WINDOW_A), LEVEL_PAGE, PTE_WRITE) ||
	    !table_make(kernel_top, huge_address(WINDOW_A), LEVEL_HUGE, PTE_WRITE))
		panic("CPU %u: no memory for its windows", this_cpu()->id);
}

static void set(uint64_t address, uint32_t level, pte_t entry)
{
	*table_find(kernel_top, address, level) = entry;
	if (!entry)
		invlpg((void *)address);
}

void *window_open(enum window_slot slot, hpa_t frame)
{
	uint64_t at = page_address(slot);

	set(at, LEVEL_PAGE, frame.v | PTE_PRESENT | PTE_WRITE | PTE_NX);
	return (void *)at;
}

void window_close(enum window_slot slot)
{
	set(page_address(slot), LEVEL_PAGE, 0);
}

void window_zero(hpa_t frame, uint32_t order)
{
	if (order == FRAME_ORDER_HUGE) {
		set(huge_address(WINDOW_A), LEVEL_HUGE,
		    frame.v | PTE_PRESENT | PTE_WRITE | PTE_NX | PTE_HUGE);
		memset((void *)huge_address(WINDOW_A), 0, HUGE_BYTES);
		set(huge_address(WINDOW_A), LEVEL_HUGE, 0);
		return;
	}
	for (uint64_t page = 0; page < UINT64_C(1) << order; page++) {
		memset(window_open(WINDOW_A, hpa(frame.v + page * PAGE_BYTES)), 0, PAGE_BYTES);
		window_close(WINDOW_A);
	}
}

int window_alloc_zeroed(uint32_t order, hpa_t *out)
{
	int err = frame_alloc(FRAME_USER, order, out);

	if (!err && !frame_of(*out)->is_clean)
		window_zero(*out, order);
	return err;
}

void window_copy(hpa_t to, hpa_t from, uint32_t order)
{
	for (uint64_t page = 0; page < UINT64_C(1) << order; page++) {
		uint64_t offset = page * PAGE_BYTES;

		memcpy(window_open(WINDOW_A, hpa(to.v + offset)),
		       window_open(WINDOW_B, hpa(from.v + offset)), PAGE_BYTES);
		window_close(WINDOW_A);
		window_close(WINDOW_B);
	}
}
