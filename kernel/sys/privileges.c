/*
 * System calls by which a thread says what it is and what it gives up.
 */
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <string.h>

#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/proc/seccomp.h"
#include "kernel/sys/calls.h"

/* --- seccomp --- */

/* struct sock_fprog */
struct program_header {
	uint16_t count;
	uint64_t instructions;
};
static_assert(sizeof(struct program_header) == 16, "struct sock_fprog");

/* Everybody is root, and may do this without giving up new privileges first. */
static int64_t add_filter(uint64_t flags, uint64_t address)
{
	const uint64_t known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
			       SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	struct program_header header;
	struct sock_filter *program;
	int64_t result = -EFAULT;
	size_t bytes;

	if (flags & ~known)
		return -EINVAL;
	if (copy_from_user(&header, address, sizeof(header)))
		return -EFAULT;
	if (!header.count || header.count > BPF_MAXINSNS)
		return -EINVAL;
	bytes = header.count * sizeof(*program);
	program = kmalloc(bytes);
	if (!program)
		return -ENOMEM;
	if (!copy_from_user(program, header.instructions, bytes))
		result = seccomp_add(program, header.count, flags);
	if (result)
		kfree(program);
	return result;
}

SYSCALL(seccomp)
{
	if ((uint32_t)call->a[0] != SECCOMP_SET_MODE_FILTER)
		return -EINVAL;
	return add_filter((uint32_t)call->a[1], call->a[2]);
}

/* --- prctl --- */

static int64_t set_name(uint64_t address)
{
	struct thread *thread = current_thread();
	struct process *process = thread->process;
	char name[THREAD_NAME_BYTES] = "";
	int length = copy_string_from_user(name, address, sizeof(name));

	if (length == -EFAULT)
		return length;
	name[sizeof(name) - 1] = '\0';
	memcpy(thread->name, name, sizeof(name));
	if (thread->tid == process->pid)
		memcpy(process->name, name, sizeof(name));
	return 0;
}

static bool is_rest_zero(const struct call *call, int from)
{
	for (int i = from; i < 5; i++)
		if (call->a[i])
			return false;
	return true;
}

static int64_t set_no_new_privileges(const struct call *call)
{
	if (call->a[1] != 1 || !is_rest_zero(call, 2))
		return -EINVAL;
	current_thread()->has_no_new_privileges = true;
	return 0;
}

static int64_t set_death_signal(uint64_t number)
{
	if (number > SIGNALS_MAX)
		return -EINVAL;
	__atomic_store_n(&current_process()->death_signal, (int)number, __ATOMIC_RELAXED);
	return 0;
}

static int64_t set_dumpable(uint64_t is_dumpable)
{
	if (is_dumpable > 1)
		return -EINVAL;
	__atomic_store_n(&current_process()->isnt_dumpable, !is_dumpable, __ATOMIC_RELAXED);
	return 0;
}

SYSCALL(prctl)
{
	const struct process *process = current_process();
	struct thread *thread = current_thread();

	switch ((int32_t)call->a[0]) {
	case PR_SET_NAME:
		return set_name(call->a[1]);
	case PR_GET_NAME:
		return copy_to_user(call->a[1], thread->name, sizeof(thread->name));
	case PR_SET_PDEATHSIG:
		return set_death_signal(call->a[1]);
	case PR_GET_PDEATHSIG:
		return put_user_u32(call->a[1], (uint32_t)process->death_signal);
	case PR_SET_DUMPABLE:
		return set_dumpable(call->a[1]);
	case PR_GET_DUMPABLE:
		return !process->isnt_dumpable;
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privileges(call);
	case PR_GET_NO_NEW_PRIVS:
		return is_rest_zero(call, 1) ? thread->has_no_new_privileges : -EINVAL;
	case PR_SET_SECCOMP:
		return call->a[1] == SECCOMP_MODE_FILTER ? add_filter(0, call->a[2]) : -EINVAL;
	case PR_GET_SECCOMP:
		return thread->seccomp ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED;
	default:
		return -EINVAL;
	}
}
