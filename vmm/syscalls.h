/*
 * The system calls that bhvm uses, and who may use each while a guest runs.
 *
 * This is what bhvm asks of an operating system: docs/abi.md says it to people, the sandbox enforces it, and
 * a test compares both with what is really called. A call that isn't here isn't made.
 */
#pragma once

#include <stdint.h>

/* Threads while the guest runs; each gets a filter of its own. */
enum syscall_user {
	SYSCALL_SETUP = 0,     /* only before: while the machine is put together */
	SYSCALL_MAIN = 1 << 0, /* the event loop: console, control socket, timers */
	SYSCALL_VCPU = 1 << 1,
	SYSCALL_WORKER = 1 << 2, /* a device's thread */
	SYSCALL_ALL = SYSCALL_MAIN | SYSCALL_VCPU | SYSCALL_WORKER,
};

struct syscall_row {
	uint32_t number;
	const char *name;
	uint32_t users; /* enum syscall_user */
	const char *purpose;
};

extern const struct syscall_row syscalls[];
extern const uint32_t nr_syscalls;
