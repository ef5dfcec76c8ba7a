/*
 * System calls about processes: starting, replacing, waiting for them.
 */
#include <linux/wait.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/fpu.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/clone.h"
#include "kernel/proc/process.h"
#include "kernel/proc/robust.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/path.h"
#include "kernel/sys/usage.h"

enum { EXEC_BYTES_MAX = 256 * 1024 };

/* --- clone --- */

SYSCALL(clone)
{
	const struct clone_args args = {
		.flags = call->a[0] & ~(uint64_t)CSIGNAL,
		.exit_signal = call->a[0] & CSIGNAL,
		.stack = call->a[1],
		.parent_tid = call->a[2],
		.child_tid = call->a[3],
		.tls = call->a[4],
	};

	return clone_start(&args, call->frame);
}

SYSCALL(clone3)
{
	struct clone_args args = { 0 };
	size_t size = call->a[1];

	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > sizeof(args))
		return -E2BIG;
	if (copy_from_user(&args, call->a[0], size))
		return -EFAULT;
	return clone_start(&args, call->frame);
}

/* --- execve --- */

/* Adds the strings of a vector of pointers. @count: how many. */
static int add_strings(struct exec_strings *strings, uint64_t vector, uint32_t *count)
{
	for (*count = 0; vector; (*count)++, vector += sizeof(uint64_t)) {
		uint64_t string;
		int length;

		if (copy_from_user(&string, vector, sizeof(string)))
			return -EFAULT;
		if (!string)
			break;
		length = copy_string_from_user(strings->bytes + strings->nr_bytes, string,
					       EXEC_BYTES_MAX - strings->nr_bytes);
		if (length < 0)
			return length == -ENAMETOOLONG ? -E2BIG : length;
		strings->nr_bytes += (uint32_t)length + 1;
	}
	return 0;
}

/* What the old program leaves behind is gone; what comes now can't fail any more. */
static void forget_old_program(struct process *process, const char *path)
{
	struct thread *thread = current_thread();

	process_set_name(path);
	fdtable_close_on_exec(&process->fds);
	signal_reset_handlers(process);
	thread->tid = process->pid;
	irq_disable();
	thread->fs_base = 0;
	wrmsr(MSR_FS_BASE, 0);
	irq_enable();
	fpu_restart(thread->fpu);
}

static int replace_program(struct node *program, const struct exec_strings *strings,
			   const char *path, struct trap_frame *frame)
{
	struct process *process = current_process();
	struct mm *old = process->mm, *mm = mm_create();
	struct trap_frame begin;
	int err = mm ? process_end_other_threads() : -ENOMEM;

	if (!mm)
		return err;
	if (!err) {
		process_change_mm(mm);
		err = exec_load(mm, program, strings, &begin);
		if (err)
			process_change_mm(old);
	}
	if (err) {
		mm_put(mm);
		return err;
	}
	process_change_mm(old);
	robust_leave();
	process_change_mm(mm);
	forget_old_program(process, path);
	process_change_program(node_get(program));
	mm_put(old);
	process_leave_mm(process);
	*frame = begin;
	return 0;
}

static int exec_path(const char *path, struct exec_strings *strings, const struct call *call)
{
	struct node *program;
	int err = add_strings(strings, call->a[1], &strings->nr_args);

	if (!err)
		err = add_strings(strings, call->a[2], &strings->nr_env);
	if (!err)
		err = node_find(root_node, path, true, &program);
	if (err)
		return err;
	err = replace_program(program, strings, path, call->frame);
	node_put(program);
	return err;
}

SYSCALL(execve)
{
	struct exec_strings strings = { .bytes = kmalloc(EXEC_BYTES_MAX) };
	char *path = kmalloc(PATH_BYTES);
	int err = -ENOMEM;

	if (strings.bytes && path) {
		err = copy_string_from_user(path, call->a[0], PATH_BYTES);
		if (err >= 0)
			err = exec_path(path, &strings, call);
	}
	kfree(path);
	kfree(strings.bytes);
	return err;
}

/* --- wait --- */

SYSCALL(wait4)
{
	struct process_usage usage;
	int status = 0;
	int64_t pid;

	if (call->a[2] &
	    ~(uint64_t)(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD))
		return -EINVAL;
	pid = process_wait((int32_t)call->a[0], (uint32_t)call->a[2], &status, &usage);
	if (pid <= 0)
		return pid;
	if ((call->a[1] && copy_to_user(call->a[1], &status, sizeof(status))) ||
	    (call->a[3] && usage_to_user(call->a[3], &usage)))
		return -EFAULT;
	return pid;
}

/* --- who is who --- */

SYSCALL(getppid)
{
	const struct process *parent = current_process()->parent;

	return parent ? parent->pid : 0;
}

SYSCALL(setsid)
{
	int err = process_set_session();

	return err ? err : (int64_t)current_process()->pid;
}

static int64_t group_or_session(uint64_t pid, bool is_session)
{
	struct process *process = pid ? process_find((uint32_t)pid) : current_process();
	int64_t result;

	if (!process)
		return -ESRCH;
	result = is_session ? process->session : process->group;
	if (pid)
		process_put(process);
	return result;
}

SYSCALL(getpgid)
{
	return group_or_session(call->a[0], false);
}

SYSCALL(getsid)
{
	return group_or_session(call->a[0], true);
}

/* Of the user and the group: everybody is root. */
SYSCALL(root_id)
{
	return 0;
}
