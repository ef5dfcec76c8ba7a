/*
 * System calls about threads and processes.
 */
#include <asm/prctl.h>
#include <linux/futex.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
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
	bool is_shared = !(operation & FUTEX_PRIVATE_FLAG);
	int64_t err;

	switch (command_of(operation)) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		err = futex_deadline(operation, call->a[3], &deadline);
		if (err)
			return err;
		return futex_wait(mm, address, is_shared, value, deadline,
				  command_of(operation) == FUTEX_WAIT ? UINT32_MAX : compared);
	case FUTEX_WAKE:
		return futex_wake(mm, address, is_shared, value, UINT32_MAX);
	case FUTEX_WAKE_BITSET:
		return futex_wake(mm, address, is_shared, value, compared);
	case FUTEX_REQUEUE:
		return futex_requeue(mm, address, is_shared, value, (uint32_t)call->a[3],
				     call->a[4], NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(mm, address, is_shared, value, (uint32_t)call->a[3],
				     call->a[4], &compared);
	default:
		return -ENOSYS;
	}
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
	return current_process()->pid;
}

SYSCALL(gettid)
{
	return current_thread()->tid;
}

SYSCALL(sched_yield)
{
	thread_yield();
	return 0;
}
