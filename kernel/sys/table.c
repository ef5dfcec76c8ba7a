/*
 * The system-call table: one row per call. What isn't here is -ENOSYS, and said once per program.
 */
#include <asm/unistd_64.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/proc/process.h"
#include "kernel/proc/user_return.h"
#include "kernel/sys/calls.h"

#define ROW(name) [__NR_##name] = { #name, sys_##name }

static const struct row {
	const char *name;
	int64_t (*handle)(const struct call *call);
} table[] = {
	ROW(read),
	ROW(write),
	ROW(close),
	ROW(fstat),
	ROW(lseek),
	ROW(mmap),
	ROW(mprotect),
	ROW(munmap),
	ROW(brk),
	ROW(ioctl),
	ROW(pread64),
	ROW(pwrite64),
	ROW(readv),
	ROW(writev),
	ROW(sched_yield),
	ROW(madvise),
	ROW(dup),
	ROW(dup2),
	ROW(getpid),
	ROW(clone),
	ROW(exit),
	ROW(uname),
	ROW(fcntl),
	ROW(fdatasync),
	ROW(ftruncate),
	ROW(getcwd),
	ROW(chdir),
	ROW(mkdir),
	ROW(unlink),
	ROW(readlink),
	ROW(prctl),
	ROW(arch_prctl),
	ROW(reboot),
	ROW(gettid),
	ROW(futex),
	ROW(clock_gettime),
	ROW(clock_nanosleep),
	ROW(exit_group),
	ROW(openat),
	ROW(newfstatat),
	ROW(readlinkat),
	ROW(set_tid_address),
	ROW(set_robust_list),
	ROW(dup3),
	ROW(preadv),
	ROW(rt_sigaction),
	ROW(rt_sigprocmask),
	ROW(rmdir),
	ROW(access),
	ROW(faccessat),
	ROW(eventfd),
	ROW(eventfd2),
	ROW(timerfd_create),
	ROW(timerfd_settime),
	ROW(timerfd_gettime),
	ROW(epoll_create),
	ROW(epoll_create1),
	ROW(epoll_ctl),
	ROW(epoll_wait),
	ROW(epoll_pwait),
	ROW(poll),
	ROW(ppoll),
	ROW(pipe),
	ROW(pipe2),
	ROW(memfd_create),
	ROW(fchmod),
	ROW(flock),
	ROW(socket),
	ROW(socketpair),
	ROW(bind),
	ROW(listen),
	ROW(connect),
	ROW(accept),
	ROW(accept4),
	ROW(shutdown),
	ROW(getsockname),
	ROW(getpeername),
	ROW(getsockopt),
	ROW(setsockopt),
	ROW(sendto),
	ROW(recvfrom),
	ROW(sendmsg),
	ROW(recvmsg),
	ROW(pwritev),
	ROW(prlimit64),
	ROW(getrandom),
	ROW(clone3),
};

enum { CALLS_LOGGED_MAX = 512 };

/* Once per program and call: a bit each. */
static void say_unknown(uint64_t number)
{
	struct process *process = current_process();
	uint64_t bit = UINT64_C(1) << number % 64;

	if (number < CALLS_LOGGED_MAX &&
	    (__atomic_fetch_or(&process->unknown_calls_logged[number / 64], bit, __ATOMIC_RELAXED) &
	     bit))
		return;
	print("%s (process %u): system call %lu isn't there", process->name, process->pid, number);
}

bool syscall_dispatch(struct trap_frame *frame);

/* Returns whether SYSRET may be used: it loads RIP from RCX, so that must be a user's. */
bool syscall_dispatch(struct trap_frame *frame)
{
	const struct call call = {
		.a = { frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9 },
		.frame = frame,
	};
	uint64_t number = frame->rax;

	irq_enable();
	if (number < ARRAY_SIZE(table) && table[number].handle) {
		frame->rax = (uint64_t)table[number].handle(&call);
	} else {
		if (number !=
		    __NR_rseq) /* which the C library does without, and asks for in every thread */
			say_unknown(number);
		frame->rax = (uint64_t)-ENOSYS;
	}
	irq_disable();
	user_return(frame);
	return frame->rip < USER_END;
}
