/*
 * The way from ring 3 to a system call's handler: see list.h.
 */
#include <asm/unistd_64.h>
#include <linux/fcntl.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/fs/socket.h"
#include "kernel/proc/process.h"
#include "kernel/proc/seccomp.h"
#include "kernel/proc/user_return.h"
#include "kernel/sys/calls.h"

static const struct row {
	int64_t (*handle)(const struct call *call);
	uint8_t nr_arguments, options;
} table[] = {
#define ROW(name, handler, arguments, options) \
	[__NR_##name] = { sys_##handler, arguments, options },
	SYSCALLS(ROW)
#undef ROW
};

enum { CALLS_LOGGED_MAX = 512 };

/* Once per program and call: a bit each, and one for all that Linux doesn't have either. */
static void say_unknown(uint64_t number)
{
	struct process *process = current_process();
	uint64_t index = min_u64(number, CALLS_LOGGED_MAX - 1), bit = UINT64_C(1) << index % 64;

	if (__atomic_fetch_or(&process->unknown_calls_logged[index / 64], bit, __ATOMIC_RELAXED) &
	    bit)
		return;
	print("%s (process %u): system call %lu isn't there", process->name, process->pid, number);
}

static bool may_restart(const struct row *row, const struct trap_frame *frame)
{
	return row->options & CALL_RESTARTS ||
	       (row->options & CALL_RESTARTS_UNTIMED && !frame->r10);
}

static int64_t handle(const struct row *row, struct trap_frame *frame)
{
	const uint32_t nr = row->nr_arguments;
	struct call call = {
		.a = { nr > 0 ? frame->rdi : 0, nr > 1 ? frame->rsi : 0, nr > 2 ? frame->rdx : 0,
		       nr > 3 ? frame->r10 : 0, nr > 4 ? frame->r8 : 0, nr > 5 ? frame->r9 : 0 },
		.frame = frame,
	};
	int64_t result = -ENOTSOCK;

	if (row->options & CALL_HERE) {
		memmove(call.a + 1, call.a, sizeof(call.a) - sizeof(call.a[0]));
		call.a[0] = (uint64_t)AT_FDCWD;
	}
	if (!(row->options & CALL_FILE))
		return row->handle(&call);
	call.file = fd_get(&current_process()->fds, call.a[0]);
	if (!call.file)
		return -EBADF;
	if ((row->options & CALL_SOCKET) != CALL_SOCKET || socket_is(call.file))
		result = row->handle(&call);
	file_put(call.file);
	return result;
}

bool syscall_dispatch(struct trap_frame *frame);

/* Returns whether SYSRET may be used: it loads RIP from RCX, so that must be a user's, and RCX and R11 are lost. */
bool syscall_dispatch(struct trap_frame *frame)
{
	uint64_t number = (uint32_t)frame->rax; /* as Linux: the upper half means nothing */

	trace(TRACE_SYSCALL, number, frame->rdi);
	frame->error = number; /* for a restart */
	irq_enable();
	if (__atomic_load_n(&current_thread()->seccomp, __ATOMIC_RELAXED) &&
	    !seccomp_allows(frame)) {
		/* The result is in the frame. */
	} else if (number < ARRAY_SIZE(table) && table[number].handle) {
		frame->rax = (uint64_t)handle(&table[number], frame);
		if (frame->rax == (uint64_t)-EINTR && may_restart(&table[number], frame))
			frame->rax = (uint64_t)-ERESTART;
	} else {
		/* The C library does without it, and asks for it in every thread. */
		if (number != __NR_rseq)
			say_unknown(number);
		frame->rax = (uint64_t)-ENOSYS;
	}
	irq_disable();
	user_return(frame);
	return frame->rip < USER_END && frame->vector == TRAP_FRAME_SYSCALL;
}
