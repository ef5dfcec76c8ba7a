/*
 * System calls about what is used and what may be: time, memory, processors, limits.
 */
#include <linux/sysinfo.h>
#include <string.h>

#include "kernel/cpu/clock.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/user.h"
#include "kernel/proc/usage.h"
#include "kernel/sched/load.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/usage.h"

enum { KIB_PER_PAGE = 4, NS_PER_US = 1000, US_PER_S = 1000000 };

/* --- what was used --- */

int usage_to_user(uint64_t address, const struct process_usage *usage)
{
	uint64_t us = usage->ran_ns / NS_PER_US;
	const struct rusage out = {
		.ru_utime = { .tv_sec = (long)(us / US_PER_S), .tv_usec = (long)(us % US_PER_S) },
		.ru_maxrss = (long)(usage->pages_max * KIB_PER_PAGE),
	};

	return copy_to_user(address, &out, sizeof(out));
}

SYSCALL(getrusage)
{
	struct process *process = current_process();
	struct process_usage usage;

	switch ((int32_t)call->a[0]) {
	case RUSAGE_SELF:
		usage = process_usage(process);
		break;
	case RUSAGE_THREAD:
		usage = process_usage(process);
		usage.ran_ns = thread_ran_ns(current_thread());
		break;
	case RUSAGE_CHILDREN:
		usage = process->children_usage;
		break;
	default:
		return -EINVAL;
	}
	return usage_to_user(call->a[1], &usage);
}

/* --- what there is --- */

SYSCALL(sysinfo)
{
	struct sysinfo out = { .mem_unit = PAGE_BYTES };
	struct frame_counts frames;
	uint64_t loads[LOADS];

	frame_count(&frames);
	load_read(loads);
	out.uptime = (long)(clock_ns() / UINT64_C(1000000000));
	for (int i = 0; i < LOADS; i++)
		out.loads[i] = loads[i] << (SI_LOAD_SHIFT - LOAD_SHIFT);
	out.totalram = frames.total;
	out.freeram = frames.free;
	out.procs = (uint16_t)process_count();
	return copy_to_user(call->a[0], &out, sizeof(out));
}

/* The CPUs that the thread may run on: all. Returns the bytes that say so. */
SYSCALL(sched_getaffinity)
{
	uint64_t mask[CPUS_MAX / 64] = { 0 };
	size_t bytes = align_up(nr_cpus, 64) / 8;

	if (call->a[1] < bytes || call->a[1] % sizeof(mask[0]))
		return -EINVAL;
	if (call->a[0]) {
		struct process *process = process_find_by_thread((uint32_t)call->a[0]);

		if (!process)
			return -ESRCH;
		process_put(process);
	}
	for (uint32_t i = 0; i < nr_cpus; i++)
		mask[i / 64] |= UINT64_C(1) << i % 64;
	return copy_to_user(call->a[2], mask, bytes) ?: (int64_t)bytes;
}

/* --- limits --- */

static bool is_limit_valid(uint64_t resource, const struct rlimit64 *limit)
{
	if (limit->rlim_cur > limit->rlim_max)
		return false;
	return resource != RLIMIT_NOFILE || limit->rlim_max <= FDS_MAX;
}

/* Another process's too: everybody is root. */
SYSCALL(prlimit64)
{
	struct process *process = current_process();
	struct rlimit64 limit, old;
	int err = 0;

	if (call->a[1] >= RLIM_NLIMITS)
		return -EINVAL;
	if (call->a[2] && copy_from_user(&limit, call->a[2], sizeof(limit)))
		return -EFAULT;
	process = call->a[0] ? process_find((uint32_t)call->a[0]) : process;
	if (!process)
		return -ESRCH;
	mutex_lock(&process->lock);
	old = process->limits[call->a[1]];
	if (call->a[2] && limit.rlim_cur > limit.rlim_max)
		err = -EINVAL;
	else if (call->a[2] && !is_limit_valid(call->a[1], &limit))
		err = -EPERM; /* above what there can be */
	else if (call->a[2])
		process->limits[call->a[1]] = limit;
	if (!err && call->a[2] && call->a[1] == RLIMIT_NOFILE)
		fdtable_set_limit(&process->fds, (uint32_t)limit.rlim_cur);
	mutex_unlock(&process->lock);
	if (call->a[0])
		process_put(process);
	if (!err && call->a[3])
		err = copy_to_user(call->a[3], &old, sizeof(old));
	return err;
}
