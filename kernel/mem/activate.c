/*
 * Which address space a CPU is in.
 */
#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/mem/init.h"
#include "kernel/mem/mm.h"

void mm_activate(struct mm *mm)
{
	uint64_t top = direct_hpa(mm ? mm->top : kernel_top).v;

	if (read_cr3() != top)
		write_cr3(top);
}
