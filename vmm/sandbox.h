/*
 * A thread gives up what it doesn't need before it touches what a guest controls.
 *
 * The filters come from the table in syscalls.c: one for each kind of thread. A call outside its list kills
 * the process: a monitor that does what it never does has been taken over. For threads there is no way
 * back: a filter stays until the thread ends. A thread that crashes may give the terminal back, too, and die by its signal.
 */
#pragma once

#include "lib/compiler.h"
#include "lib/errmsg.h"
#include "vmm/syscalls.h"

/*
 * No new privileges, for good. Before other threads start. A process that never calls this has no sandbox:
 * tests run under tools that make calls of their own.
 */
MUST_CHECK int sandbox_prepare(struct errmsg *why);

/*
 * From now on the calling thread makes only the calls of @user. Returns 0 or -errno. A kernel without seccomp (-ENOSYS,
 * -EINVAL) counts as success: there the whole system-call interface is as narrow as the table.
 */
MUST_CHECK int sandbox_enter(enum syscall_user user);
