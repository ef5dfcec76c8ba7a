/*
 * System calls about signals.
 */
#include <asm/signal.h>
#include <errno.h>
#include <stddef.h>

#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"

enum { SIGNALS = 64, SIGSET_BYTES = 8 };

SYSCALL(rt_sigaction)
{
	struct process *process = current_process();
	struct signal_action *slot, old;
	uint64_t signal = call->a[0];
	int err = 0;

	if (!signal || signal > SIGNALS || call->a[3] != SIGSET_BYTES)
		return -EINVAL;
	if (call->a[1] && (signal == SIGKILL || signal == SIGSTOP))
		return -EINVAL;
	slot = &process->actions[signal - 1];
	mutex_lock(&process->lock);
	old = *slot;
	if (call->a[1])
		err = copy_from_user(slot, call->a[1], sizeof(*slot));
	if (err)
		*slot = old;
	mutex_unlock(&process->lock);
	if (!err && call->a[2])
		err = copy_to_user(call->a[2], &old, sizeof(old));
	return err;
}

SYSCALL(rt_sigprocmask)
{
	const uint64_t unblockable = UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1);
	struct thread *thread = current_thread();
	uint64_t set, old = thread->signals_blocked;

	if (call->a[3] != SIGSET_BYTES)
		return -EINVAL;
	if (call->a[1]) {
		if (copy_from_user(&set, call->a[1], sizeof(set)))
			return -EFAULT;
		switch (call->a[0]) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		__atomic_store_n(&thread->signals_blocked, set & ~unblockable, __ATOMIC_RELEASE);
	}
	return call->a[2] ? copy_to_user(call->a[2], &old, sizeof(old)) : 0;
}
