/*
 * What happens before ring 3 goes on: see user_return.h.
 */
#include <asm/signal.h>

#include "kernel/arch/regs.h"
#include "kernel/proc/process.h"
#include "kernel/proc/signal_frame.h"
#include "kernel/proc/user_return.h"

enum { SYSCALL_BYTES = 2 };

/* A system call that a signal interrupted is made again, or fails. */
static void settle_call(struct trap_frame *frame, bool restarts)
{
	if (frame->vector != TRAP_FRAME_SYSCALL || frame->rax != (uint64_t)-ERESTART)
		return;
	if (!restarts) {
		frame->rax = (uint64_t)-EINTR;
		return;
	}
	frame->rax = frame->error;
	frame->rip -= SYSCALL_BYTES;
}

static void take_signals(struct trap_frame *frame)
{
	struct thread *thread = current_thread();
	struct signal_action action;
	struct signal_info info;

	while (signal_take(&info, &action)) {
		if (action.handler == (uint64_t)(uintptr_t)SIG_DFL)
			process_exit_all(info.number);
		settle_call(frame, action.flags & SA_RESTART);
		if (signal_frame_enter(frame, &info, &action))
			process_exit_all(SIGSEGV);
	}
	/* No handler's end will bring the mask back. */
	if (thread->has_saved_signals) {
		thread->has_saved_signals = false;
		signal_set_mask(thread->signals_saved);
	}
}

static NOINLINE void attend(struct trap_frame *frame)
{
	irq_enable();
	if (__atomic_load_n(&current_thread()->is_exiting, __ATOMIC_ACQUIRE))
		process_exit_thread(0);
	take_signals(frame);
	irq_disable();
}

void user_return(struct trap_frame *frame)
{
	const struct thread *thread = current_thread();

	for (;;) {
		if (thread_is_interrupted() || thread->has_saved_signals)
			attend(frame);
		else if (__atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED))
			thread_preempt();
		else
			break;
	}
	settle_call(frame, true);
}
