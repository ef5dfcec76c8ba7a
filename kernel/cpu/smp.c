/*
 * All CPUs at once: see smp.h.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/smp.h"
#include "kernel/cpu/tlb.h"

void smp_stop_others(void)
{
}

/* Emulated servers offer a port that ends them; on others this port is nobody's. */
enum { DEBUG_EXIT_PORT = 0xf4, DEBUG_EXIT_PANIC = 0x7f };

void smp_end_machine(void)
{
	out8(DEBUG_EXIT_PORT, DEBUG_EXIT_PANIC);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void tlb_flush_kernel(void)
{
	uint64_t cr4 = read_cr4();

	/* Global entries go with a change of PGE. */
	write_cr4(cr4 & ~CR4_PGE);
	write_cr4(cr4);
}

void tlb_flush_mm(struct mm *mm)
{
	(void)mm;
	write_cr3(read_cr3());
}
