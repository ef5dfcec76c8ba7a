/*
 * Filters of system calls: what a thread may still ask for.
 *
 * A thread has a chain of filters, the newest first; they can only be added to. New threads and processes inherit the chain, a new program
 * keeps it. Of what the filters of a chain say, the strictest holds. A call that none of them objects to, whatever its arguments,
 * costs the look at one bit, once it has been made by somebody who has the same chain.
 *
 * Source: Linux, Documentation/userspace-api/seccomp_filter.rst; seccomp(2).
 */
#pragma once

#include <linux/filter.h>

#include "lib/compiler.h"

struct seccomp;
struct thread;
struct trap_frame;

/**
 * seccomp_add() - the calling thread's newest filter
 * @program: @count instructions, kmalloc()ed; taken on success
 * @flags: SECCOMP_FILTER_FLAG_TSYNC, _LOG, _SPEC_ALLOW, _TSYNC_ESRCH
 *
 * Returns 0; the number of a thread that has other filters, or -ESRCH in its place (TSYNC); -EINVAL: no valid program;
 * -ENOMEM: no memory, or more instructions in the chain than there may be.
 */
MUST_CHECK int seccomp_add(struct sock_filter *program, uint32_t count, uint64_t flags);

/* A new thread gets what the calling one has. With the lock of the process that it joins. */
void seccomp_inherit(struct thread *thread);
void seccomp_put(struct seccomp *seccomp); /* NULL is fine */

/* Whether the calling thread, which has filters, may make the call of @frame. If not, its result is in @frame, or it ends here. */
bool seccomp_allows(struct trap_frame *frame);
