/*
 * Handlers of signals: see signal_frame.h.
 */
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <linux/audit.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/arch/segment.h"
#include "kernel/cpu/fpu.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/proc/signal_frame.h"

enum { RED_ZONE_BYTES = 128 };

#define RFLAGS_USERS                                                                        \
	(X86_EFLAGS_CF | UINT64_C(0x4) | UINT64_C(0x10) | UINT64_C(0x40) | UINT64_C(0x80) | \
	 X86_EFLAGS_TF | X86_EFLAGS_DF | UINT64_C(0x800) | X86_EFLAGS_RF | X86_EFLAGS_AC)

struct signal_frame {
	uint64_t return_address; /* the C library's call of rt_sigreturn */
	struct ucontext context;
	siginfo_t info;
};
static_assert(offsetof(struct signal_frame, info) == 312, "struct rt_sigframe");

/* What a frame and its copy on the stack have under the same names. */
// clang-format off
#define REGISTERS(DO) \
	DO(r8) DO(r9) DO(r10) DO(r11) DO(r12) DO(r13) DO(r14) DO(r15) \
	DO(rdi) DO(rsi) DO(rbp) DO(rbx) DO(rdx) DO(rax) DO(rcx) DO(rsp) DO(rip)
// clang-format on

/* --- into a handler --- */

static void fill_info(siginfo_t *out, const struct signal_info *info)
{
	out->si_signo = info->number;
	out->si_code = info->code;
	out->si_errno = info->error;
	if (info->number == SIGCHLD) {
		out->si_pid = (int)info->pid;
		out->si_status = info->status;
	} else if (info->number == SIGSYS && info->code > 0) {
		out->si_call_addr = (void *)info->value;
		out->si_syscall = info->status;
		out->si_arch = AUDIT_ARCH_X86_64;
	} else if (info->code > 0) {
		out->si_addr = (void *)info->value;
	} else {
		out->si_pid = (int)info->pid;
		out->si_ptr = (void *)info->value;
	}
}

static void fill_registers(struct sigcontext *out, const struct trap_frame *frame)
{
#define COPY(name) out->name = frame->name;
	REGISTERS(COPY)
#undef COPY
	out->eflags = frame->rflags;
	out->cs = (uint16_t)frame->cs;
	out->ss = (uint16_t)frame->ss;
	if (frame->vector < TRAP_EXCEPTIONS) {
		out->trapno = frame->vector;
		out->err = frame->error;
		out->cr2 = current_thread()->fault_address;
	}
}

/* The vector registers, as XSAVE has them, with Linux's marks around. Returns where they are. */
static int push_fpu(uint64_t *stack)
{
	const uint32_t mark = FP_XSTATE_MAGIC2;
	const size_t bytes = fpu_bytes();
	struct fpu *fpu = current_thread()->fpu;
	struct _fpx_sw_bytes software = { .magic1 = FP_XSTATE_MAGIC1,
					  .extended_size = (uint32_t)(bytes + sizeof(mark)),
					  .xfeatures = fpu_features(),
					  .xstate_size = (uint32_t)bytes };
	uint64_t at = (*stack - bytes - sizeof(mark)) & ~UINT64_C(63);

	fpu_save(fpu);
	if (!fpu_features())
		software = (struct _fpx_sw_bytes){ 0 };
	if (copy_to_user(at, fpu, bytes) || copy_to_user(at + bytes, &mark, sizeof(mark)) ||
	    copy_to_user(at + offsetof(struct _fpstate_64, sw_reserved), &software,
			 sizeof(software)))
		return -EFAULT;
	*stack = at;
	return 0;
}

static uint64_t mask_to_restore(struct thread *thread)
{
	if (!thread->has_saved_signals)
		return thread->signals_blocked;
	thread->has_saved_signals = false;
	return thread->signals_saved;
}

int signal_frame_enter(struct trap_frame *frame, const struct signal_info *info,
		       const struct signal_action *action)
{
	struct thread *thread = current_thread();
	struct signal_frame out = { .return_address = action->restorer };
	uint64_t stack = frame->rsp - RED_ZONE_BYTES, blocked;

	if (!(action->flags & SA_RESTORER) || push_fpu(&stack))
		return -EFAULT;
	out.context.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
			       (fpu_features() ? UC_FP_XSTATE : 0);
	out.context.uc_mcontext.fpstate = (void *)stack;
	out.context.uc_stack.ss_flags = SS_DISABLE; /* there is no other stack */
	out.context.uc_sigmask = mask_to_restore(thread);
	fill_registers(&out.context.uc_mcontext, frame);
	fill_info(&out.info, info);
	stack = ((stack - sizeof(out)) & ~UINT64_C(15)) - 8; /* as after a call */
	if (copy_to_user(stack, &out, sizeof(out)))
		return -EFAULT;
	fpu_restart(thread->fpu); /* a handler starts with fresh registers */

	blocked = thread->signals_blocked | action->mask;
	if (!(action->flags & SA_NODEFER))
		blocked |= signal_bit(info->number);
	signal_set_mask(blocked);
	frame->rip = action->handler;
	frame->rsp = stack;
	frame->rdi = (uint64_t)info->number;
	frame->rsi = stack + offsetof(struct signal_frame, info);
	frame->rdx = stack + offsetof(struct signal_frame, context);
	frame->rax = 0;
	frame->rflags &= ~(X86_EFLAGS_DF | X86_EFLAGS_TF | X86_EFLAGS_RF);
	frame->vector = TRAP_FRAME_WHOLE;
	return 0;
}

/* --- and back --- */

static int pop_fpu(uint64_t at)
{
	size_t bytes = fpu_bytes();
	struct fpu *fpu = current_thread()->fpu, *copy = fpu_create();
	int err;

	if (!copy)
		return -ENOMEM;
	/* Not straight into place: while a page is fetched the registers may be saved there. */
	err = copy_from_user(copy, at, bytes);
	if (!err) {
		fpu_sanitize(copy);
		irq_disable();
		memcpy(fpu, copy, bytes);
		fpu_load(fpu);
		irq_enable();
	}
	fpu_destroy(copy);
	return err;
}

static int take_registers(struct trap_frame *frame, const struct sigcontext *from)
{
	if (from->rip >= USER_END)
		return -EFAULT;
#define COPY(name) frame->name = from->name;
	REGISTERS(COPY)
#undef COPY
	frame->rflags = (from->eflags & RFLAGS_USERS) | X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	return 0;
}

int signal_frame_leave(struct trap_frame *frame)
{
	uint64_t at = frame->rsp - sizeof(uint64_t); /* the handler's return took the address */
	struct signal_frame in;

	if (copy_from_user(&in, at, sizeof(in)) || take_registers(frame, &in.context.uc_mcontext))
		return -EFAULT;
	frame->vector = TRAP_FRAME_WHOLE;
	signal_set_mask(in.context.uc_sigmask);
	return in.context.uc_mcontext.fpstate ? pop_fpu((uint64_t)in.context.uc_mcontext.fpstate)
					      : 0;
}
