/*
 * What else changes when another thread gets the CPU: see switch.h.
 */
#include "kernel/arch/regs.h"
#include "kernel/sched/switch.h"

void thread_state_switch(struct thread *previous, struct thread *next)
{
	if (previous->fs_base != next->fs_base)
		wrmsr(MSR_FS_BASE, next->fs_base);
}
