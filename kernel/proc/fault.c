/*
 * What ring 3's exceptions come to: a page is fetched, or the process gets a signal that ends it.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/fixup.h"
#include "kernel/cpu/panic.h"
#include "kernel/proc/fault.h"
#include "kernel/proc/oom.h"
#include "kernel/proc/process.h"
#include "kernel/proc/user_return.h"
#include "kernel/sched/waitq.h"

/* --- exceptions that are ring 3's own fault --- */

static const uint8_t signals[TRAP_EXCEPTIONS] = {
	[TRAP_DIVIDE] = SIGFPE,
	[TRAP_DEBUG] = SIGTRAP,
	[TRAP_BREAKPOINT] = SIGTRAP,
	[TRAP_OVERFLOW] = SIGSEGV,
	[TRAP_BOUND] = SIGSEGV,
	[TRAP_INVALID_OPCODE] = SIGILL,
	[TRAP_DEVICE_NOT_AVAILABLE] = SIGSEGV,
	[TRAP_SEGMENT] = SIGBUS,
	[TRAP_STACK] = SIGBUS,
	[TRAP_PROTECTION] = SIGSEGV,
	[TRAP_PAGE_FAULT] = SIGSEGV,
	[TRAP_X87] = SIGFPE,
	[TRAP_ALIGNMENT] = SIGBUS,
	[TRAP_SIMD] = SIGFPE,
};

/* What a handler is told of it. Interrupts are on. */
static int code_of(const struct trap_frame *frame, uint64_t address)
{
	uint64_t page = address & ~(PAGE_BYTES - 1);

	switch (frame->vector) {
	case TRAP_PAGE_FAULT:
		return mm_check_mapped(current_process()->mm, page, PAGE_BYTES) ? SEGV_MAPERR
										: SEGV_ACCERR;
	case TRAP_DIVIDE:
		return FPE_INTDIV;
	case TRAP_INVALID_OPCODE:
		return ILL_ILLOPN;
	default:
		return SI_KERNEL;
	}
}

static void force_signal(const struct trap_frame *frame, uint64_t address)
{
	struct signal_info info = { .number = signals[frame->vector], .value = address };

	current_thread()->fault_address = address;
	irq_enable();
	info.code = code_of(frame, address);
	signal_force(&info);
	irq_disable();
}

static void user_exception(struct trap_frame *frame)
{
	if (trap_is_from_user(frame))
		force_signal(frame, frame->vector == TRAP_PROTECTION ? 0 : frame->rip);
	else
		trap_fix_up(frame);
}

/* --- page faults --- */

/* Where memory has run out somebody else goes for it, or the caller itself: then it's a signal that it should look at. */
static bool fetch(const struct trap_frame *frame, uint64_t address)
{
	struct mm *mm = current_process()->mm;
	bool is_write = frame->error & PAGE_FAULT_WRITE, is_code = frame->error & PAGE_FAULT_FETCH;
	uint32_t tries = 0;
	int err;

	do {
		err = mm_fault(mm, address, is_write, is_code);
	} while (err == -ENOMEM && oom_make_room(&tries));
	return !err || (err == -ENOMEM && trap_is_from_user(frame) && thread_is_interrupted());
}

static bool fetch_page(const struct trap_frame *frame, uint64_t address)
{
	struct thread *thread = current_thread();
	bool is_there;

	if (!thread || !thread->process || !thread->process->mm || !(frame->rflags & X86_EFLAGS_IF))
		return false;
	irq_enable();
	is_there = fetch(frame, address);
	irq_disable();
	return is_there;
}

/* The kernel touches ring 3's memory only where a fixup says so, and with interrupts on where a page may be fetched. */
static void page_fault(struct trap_frame *frame)
{
	uint64_t address = read_cr2(), landing;
	bool is_users = trap_is_from_user(frame);

	landing = is_users ? 0 : fixup_find(frame->rip);
	if (!is_users && (!landing || address >= USER_END))
		panic_at(frame, "page fault in the kernel at %#lx (error %#lx)", address,
			 frame->error);
	if (fetch_page(frame, address))
		return;
	if (is_users)
		force_signal(frame, address);
	else
		frame->rip = landing;
}

void fault_init(void)
{
	for (uint32_t vector = 0; vector < TRAP_EXCEPTIONS; vector++)
		if (signals[vector])
			trap_set_handler(vector, user_exception);
	trap_set_handler(TRAP_PAGE_FAULT, page_fault);
	trap_set_user_return(user_return);
}
