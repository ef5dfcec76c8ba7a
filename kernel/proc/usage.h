/*
 * What processes have used, and who they are: for /proc, getrusage() and wait4().
 *
 * Time is what the scheduler gave to threads, in ring 3 and in the kernel together: the kernel doesn't read the clock at every
 * border between them, so all of it is reported as ring 3's.
 */
#pragma once

#include "kernel/proc/process.h"

struct process_state {
	uint32_t pid, parent, group, session, nr_threads;
	char name[PROCESS_NAME_BYTES];
	char letter; /* as in /proc/PID/stat: R, S, Z */
	struct process_usage usage, children;
	uint64_t started_ns;
	uint64_t nr_pages, virtual_bytes;
};

/* -ESRCH. */
MUST_CHECK int process_state_read(uint32_t pid, struct process_state *out);

/* Of all of a process's threads, those that ended too. Takes process->lock. */
struct process_usage process_usage(struct process *process);
