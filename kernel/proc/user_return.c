/*
 * What happens before ring 3 goes on: see user_return.h.
 */
#include <stddef.h>

#include "kernel/arch/regs.h"
#include "kernel/proc/process.h"
#include "kernel/proc/user_return.h"

void user_return(struct trap_frame *frame)
{
	struct thread *thread = current_thread();

	(void)frame;
	for (;;) {
		if (__atomic_load_n(&thread->is_exiting, __ATOMIC_ACQUIRE)) {
			irq_enable();
			process_exit_thread(0);
		}
		if (!__atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED))
			return;
		thread_preempt();
	}
}
