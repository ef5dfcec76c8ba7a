/*
 * System calls about signals.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/proc/signal_frame.h"
#include "kernel/sys/calls.h"

SYSCALL(rt_sigaction)
{
	struct process *process = current_process();
	struct signal_action action, old;
	uint64_t signal = call->a[0], flags;

	if (!signal || signal > SIGNALS_MAX || call->a[3] != SIGSET_BYTES)
		return -EINVAL;
	if (call->a[1] && (signal == SIGKILL || signal == SIGSTOP))
		return -EINVAL;
	if (call->a[1] && copy_from_user(&action, call->a[1], sizeof(action)))
		return -EFAULT;
	flags = spin_lock_irqsave(&process->signal_lock);
	old = process->actions[signal - 1];
	if (call->a[1])
		process->actions[signal - 1] = action;
	spin_unlock_irqrestore(&process->signal_lock, flags);
	return call->a[2] ? copy_to_user(call->a[2], &old, sizeof(old)) : 0;
}

SYSCALL(rt_sigprocmask)
{
	uint64_t set, old = current_thread()->signals_blocked;

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
		signal_set_mask(set);
	}
	return call->a[2] ? copy_to_user(call->a[2], &old, sizeof(old)) : 0;
}

SYSCALL(rt_sigreturn)
{
	if (signal_frame_leave(call->frame))
		process_exit_all(SIGSEGV);
	return (int64_t)call->frame->rax;
}

/* Calls that go on after a stop restart themselves: there is never one to be restarted. */
SYSCALL(restart_syscall)
{
	return -EINTR;
}

SYSCALL(pause)
{
	return thread_wait_killable(false);
}

/* --- sending --- */

static struct signal_info from_me(uint64_t number, int code)
{
	return (struct signal_info){ .number = (int)number,
				     .code = code,
				     .pid = current_process()->pid };
}

struct group_kill {
	struct signal_info info;
	uint32_t group; /* 0: everybody */
	uint32_t count;
};

static void kill_one(struct process *process, void *context)
{
	struct group_kill *kill = context;

	if (kill->group ? process->group != kill->group
			: process->pid == 1 || process == current_process())
		return;
	kill->count++;
	if (kill->info.number)
		signal_send(process, &kill->info);
}

static int64_t kill_group(uint32_t group, uint64_t number)
{
	struct group_kill kill = { .info = from_me(number, SI_USER), .group = group };

	process_for_each(kill_one, &kill);
	return kill.count ? 0 : -ESRCH;
}

SYSCALL(kill)
{
	const struct signal_info info = from_me(call->a[1], SI_USER);
	int32_t pid = (int32_t)call->a[0];
	struct process *process;

	if (call->a[1] > SIGNALS_MAX)
		return -EINVAL;
	if (pid <= 0)
		return kill_group(pid == 0    ? current_process()->group
				  : pid == -1 ? 0
					      : (uint32_t)-pid,
				  call->a[1]);
	process = process_find((uint32_t)pid);
	if (!process)
		return -ESRCH;
	if (info.number)
		signal_send(process, &info);
	process_put(process);
	return 0;
}

static int64_t kill_thread(uint32_t pid, uint32_t tid, uint64_t number)
{
	const struct signal_info info = from_me(number, SI_TKILL);
	struct process *process;
	int64_t err = -ESRCH;
	uint64_t flags;

	if (number > SIGNALS_MAX || !tid || (int32_t)tid < 0)
		return -EINVAL;
	process = pid ? process_find(pid) : process_find_by_thread(tid);
	if (!process)
		return -ESRCH;
	flags = spin_lock_irqsave(&process->signal_lock);
	list_for_each(node, &process->threads) {
		struct thread *thread = list_entry(node, struct thread, siblings);

		if (thread->tid != tid)
			continue;
		err = 0;
		if (number)
			signal_send_thread_locked(thread, &info);
		break;
	}
	spin_unlock_irqrestore(&process->signal_lock, flags);
	process_put(process);
	return err;
}

SYSCALL(tgkill)
{
	if ((int32_t)call->a[0] <= 0)
		return -EINVAL;
	return kill_thread((uint32_t)call->a[0], (uint32_t)call->a[1], call->a[2]);
}

SYSCALL(tkill)
{
	return kill_thread(0, (uint32_t)call->a[0], call->a[1]);
}
