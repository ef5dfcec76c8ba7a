/*
 * Making processors forget translations: see tlb.h.
 */
#include "kernel/arch/regs.h"
#include "kernel/cpu/smp.h"
#include "kernel/cpu/tlb.h"
#include "lib/compiler.h"

/* Global entries go with a change of PGE. */
static void flush_all_here(void)
{
	uint64_t flags = irq_save(), cr4 = read_cr4();

	write_cr4(cr4 ^ X86_CR4_PGE);
	write_cr4(cr4);
	irq_restore(flags);
}

/* Ring 3's half, of whatever address space this CPU is in. */
static void flush_users_here(void)
{
	write_cr3(read_cr3());
}

void tlb_flush_kernel(void)
{
	flush_all_here();
	smp_call_others(flush_all_here);
}

void tlb_flush_mm(struct mm *mm UNUSED)
{
	flush_users_here();
	smp_call_others(flush_users_here);
}

static void leave_guest(void)
{
	/* The interrupt has done it. */
}

void tlb_flush_guests(void)
{
	smp_call_others(leave_guest);
}
