/*
 * What else changes when another thread gets the CPU: see switch.h.
 */
#include "kernel/arch/regs.h"
#include "kernel/cpu/fpu.h"
#include "kernel/proc/process.h"
#include "kernel/sched/switch.h"

/* A thread of the kernel's runs in whatever address space it finds, but for one that is about to go. */
static struct mm *mm_of(const struct thread *thread)
{
	return thread->process ? thread->process->mm : NULL;
}

void thread_state_switch(struct thread *previous, struct thread *next)
{
	if (mm_of(next) != mm_of(previous))
		mm_activate(mm_of(next));
	if (previous->fs_base != next->fs_base)
		wrmsr(MSR_FS_BASE, next->fs_base);
	if (previous->fpu)
		fpu_save(previous->fpu);
	if (next->fpu)
		fpu_load(next->fpu);
}
