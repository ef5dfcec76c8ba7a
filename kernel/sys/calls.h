/*
 * The system calls' handlers: one each, named like the call. Arguments as ring 3 passed them, the result a value or -errno.
 *
 * A handler checks everything: pointers go through mem/user.h, descriptors through fs/fdtable.h.
 */
#pragma once

#include "kernel/sys/list.h"
#include "lib/compiler.h"

struct file;
struct trap_frame;

enum call_options {
	CALL_HERE = 1 << 0, /* as with AT_FDCWD before the arguments */
	/* The first argument is a descriptor: .file is what is behind it, else -EBADF. */
	CALL_FILE = 1 << 1,
	CALL_SOCKET = 1 << 2 | CALL_FILE, /* ... and a socket, else -ENOTSOCK */
	/* What a signal interrupts goes on after it, if the handler's SA_RESTART, or that there is none, asks for it. */
	CALL_RESTARTS = 1 << 3,
	CALL_RESTARTS_UNTIMED = 1 << 4, /* unless its fourth argument gives a time */
};

struct call {
	uint64_t a[6];
	struct trap_frame *frame;
	struct file *file; /* borrowed */
};

#define SYSCALL(name) int64_t sys_##name(const struct call *call UNUSED)

#define DECLARE(name, handler, arguments, options) SYSCALL(handler);
SYSCALLS(DECLARE)
#undef DECLARE
