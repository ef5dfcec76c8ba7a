/*
 * System calls about threads and processes.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <stddef.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/fpu.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/time.h"

SYSCALL(arch_prctl)
{
	struct thread *thread = current_thread();

	switch (call->a[0]) {
	case ARCH_SET_FS:
		if (call->a[1] >= USER_END)
			return -EPERM;
		thread->fs_base = call->a[1];
		wrmsr(MSR_FS_BASE, thread->fs_base);
		return 0;
	case ARCH_GET_FS:
		return copy_to_user(call->a[1], &thread->fs_base, sizeof(thread->fs_base));
	default:
		return -EINVAL;
	}
}

SYSCALL(set_tid_address)
{
	current_thread()->clear_child_tid = (uint64_t *)call->a[0];
	return current_thread()->tid;
}

SYSCALL(set_robust_list)
{
	if (call->a[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	current_thread()->robust_list = call->a[0];
	return 0;
}

/* --- futex --- */

static uint32_t command_of(uint64_t operation)
{
	return (uint32_t)operation & (uint32_t)FUTEX_CMD_MASK;
}

/* FUTEX_WAIT's time is a length, FUTEX_WAIT_BITSET's a point. */
static int64_t futex_deadline(uint64_t operation, uint64_t address, uint64_t *out)
{
	bool is_absolute = command_of(operation) == FUTEX_WAIT_BITSET;
	uint64_t ns;
	int err;

	*out = UINT64_MAX;
	if (!address)
		return 0;
	err = time_from_user(address, &ns);
	if (err)
		return err;
	if (!is_absolute)
		*out = clock_ns() + ns;
	else
		*out = operation & FUTEX_CLOCK_REALTIME ? time_real_to_clock(ns) : ns;
	return 0;
}

SYSCALL(futex)
{
	struct mm *mm = current_process()->mm;
	uint64_t address = call->a[0], operation = call->a[1], deadline;
	uint32_t value = (uint32_t)call->a[2], compared = (uint32_t)call->a[5];
	int64_t err;

	switch (command_of(operation)) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		err = futex_deadline(operation, call->a[3], &deadline);
		if (err)
			return err;
		return futex_wait(mm, address, value, deadline,
				  command_of(operation) == FUTEX_WAIT ? UINT32_MAX : compared);
	case FUTEX_WAKE:
		return futex_wake(mm, address, value, UINT32_MAX);
	case FUTEX_WAKE_BITSET:
		return futex_wake(mm, address, value, compared);
	case FUTEX_REQUEUE:
		return futex_requeue(mm, address, value, (uint32_t)call->a[3], call->a[4], NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(mm, address, value, (uint32_t)call->a[3], call->a[4],
				     &compared);
	default:
		return -ENOSYS;
	}
}

/* --- clone: threads --- */

enum { THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD };

static _Noreturn void thread_into_user(void *argument)
{
	struct trap_frame frame = *(struct trap_frame *)argument;

	kfree(argument);
	/* CLONE_CHILD_SETTID and the FS base were set while the parent prepared this thread. */
	enter_user_frame(&frame);
}

/* As Linux does: a bad address here is the caller's own loss, and no error. */
static void tell_tid(const struct clone_args *args, uint32_t tid)
{
	int err = 0;

	if (args->flags & CLONE_PARENT_SETTID)
		err |= copy_to_user(args->parent_tid, &tid, sizeof(tid));
	if (args->flags & CLONE_CHILD_SETTID)
		err |= copy_to_user(args->child_tid, &tid, sizeof(tid));
	(void)err;
}

static int64_t clone_thread(const struct clone_args *args, const struct trap_frame *parent)
{
	struct trap_frame *frame = kmalloc(sizeof(*frame));
	struct thread *thread;
	uint32_t tid;

	if (!frame)
		return -ENOMEM;
	*frame = *parent;
	frame->rax = 0;
	frame->rsp = args->stack + args->stack_size;
	thread = thread_create(thread_into_user, frame, current_thread()->name);
	if (!thread)
		goto err_frame;
	thread->fpu = fpu_create();
	if (!thread->fpu)
		goto err_thread;
	fpu_save(thread->fpu); /* it starts with the caller's registers */
	tid = thread->tid;
	thread->fs_base = args->flags & CLONE_SETTLS ? args->tls : current_thread()->fs_base;
	if (args->flags & CLONE_CHILD_CLEARTID)
		thread->clear_child_tid = (uint64_t *)args->child_tid;
	tell_tid(args, tid);
	process_add_thread(current_process(), thread);
	thread_wake(thread);
	return tid;

err_thread:
	thread_discard(thread);
err_frame:
	kfree(frame);
	return -ENOMEM;
}

static int64_t do_clone(const struct clone_args *args, const struct trap_frame *frame)
{
	if ((args->flags & THREAD_FLAGS) != THREAD_FLAGS)
		return -ENOSYS; /* processes: being built */
	if (args->flags & CLONE_SETTLS && args->tls >= USER_END)
		return -EPERM;
	return clone_thread(args, frame);
}

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

	return do_clone(&args, call->frame);
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
	return do_clone(&args, call->frame);
}

SYSCALL(exit)
{
	process_exit_thread((int)call->a[0]);
}

SYSCALL(exit_group)
{
	process_exit_all(((int)call->a[0] & 0xff) << 8);
}

SYSCALL(getpid)
{
	(void)call;
	return current_process()->pid;
}

SYSCALL(gettid)
{
	(void)call;
	return current_thread()->tid;
}

SYSCALL(sched_yield)
{
	(void)call;
	thread_yield();
	return 0;
}

SYSCALL(prctl)
{
	struct thread *thread = current_thread();

	switch (call->a[0]) {
	case PR_SET_NAME: {
		char name[THREAD_NAME_BYTES] = "";
		int length = copy_string_from_user(name, call->a[1], sizeof(name));

		if (length == -EFAULT)
			return length;
		name[sizeof(name) - 1] = '\0';
		memcpy(thread->name, name, sizeof(name));
		return 0;
	}
	case PR_GET_NAME:
		return copy_to_user(call->a[1], thread->name, sizeof(thread->name));
	default:
		return -EINVAL;
	}
}
