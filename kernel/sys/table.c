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
#include "kernel/proc/seccomp.h"
#include "kernel/proc/user_return.h"
#include "kernel/sys/calls.h"

/* What becomes of a call that a signal interrupted, if the handler's SA_RESTART, or that there is none, asks for it. */
enum restart {
	RESTART_NEVER,
	RESTART_ALWAYS,
	RESTART_UNTIMED, /* unless its fourth argument gives a time */
};

#define ROW(name)	       [__NR_##name] = { #name, sys_##name, RESTART_NEVER }
#define ROW_RESTARTS(name)     [__NR_##name] = { #name, sys_##name, RESTART_ALWAYS }
#define ROW_UNLESS_TIMED(name) [__NR_##name] = { #name, sys_##name, RESTART_UNTIMED }

static const struct row {
	const char *name;
	int64_t (*handle)(const struct call *call);
	enum restart restart;
} table[] = {
	ROW_RESTARTS(read),
	ROW_RESTARTS(write),
	ROW(close),
	ROW(fstat),
	ROW(lseek),
	ROW(mmap),
	ROW(mprotect),
	ROW(munmap),
	ROW(brk),
	ROW(ioctl),
	ROW_RESTARTS(pread64),
	ROW_RESTARTS(pwrite64),
	ROW_RESTARTS(readv),
	ROW_RESTARTS(writev),
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
	ROW(seccomp),
	ROW(arch_prctl),
	ROW(reboot),
	ROW(gettid),
	ROW_UNLESS_TIMED(futex),
	ROW(clock_gettime),
	ROW(clock_nanosleep),
	ROW(exit_group),
	ROW(openat),
	ROW(newfstatat),
	ROW(readlinkat),
	ROW(set_tid_address),
	ROW(set_robust_list),
	ROW(dup3),
	ROW_RESTARTS(preadv),
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
	ROW_RESTARTS(connect),
	ROW_RESTARTS(accept),
	ROW_RESTARTS(accept4),
	ROW(shutdown),
	ROW(getsockname),
	ROW(getpeername),
	ROW(getsockopt),
	ROW(setsockopt),
	ROW_RESTARTS(sendto),
	ROW_RESTARTS(recvfrom),
	ROW_RESTARTS(sendmsg),
	ROW_RESTARTS(recvmsg),
	ROW_RESTARTS(pwritev),
	ROW(prlimit64),
	ROW(getrandom),
	ROW(clone3),
	ROW(rt_sigreturn),
	ROW(restart_syscall),
	ROW(rt_sigpending),
	ROW(rt_sigsuspend),
	ROW(sigaltstack),
	ROW(pause),
	ROW(kill),
	ROW(tkill),
	ROW(tgkill),
	ROW(fork),
	ROW(vfork),
	ROW(execve),
	ROW(getppid),
	ROW(getpgrp),
	ROW(getpgid),
	ROW(setpgid),
	ROW(setsid),
	ROW(getsid),
	ROW(getuid),
	ROW(geteuid),
	ROW(getgid),
	ROW(getegid),
	ROW(umask),
	ROW(mkdirat),
	ROW(unlinkat),
	ROW(rename),
	ROW(renameat),
	ROW(chmod),
	ROW(fchmodat),
	ROW(getdents64),
	ROW(fchdir),
	ROW(getrusage),
	ROW(times),
	ROW(sysinfo),
	ROW(sched_getaffinity),
	ROW(getcpu),
	ROW(fsync),
	ROW(clock_getres),
	ROW(time),
	ROW(gettimeofday),
	ROW(nanosleep),
	ROW(sync),
	ROW_RESTARTS(wait4),
	ROW_RESTARTS(waitid),
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

static bool may_restart(const struct row *row, const struct call *call)
{
	return row->restart == RESTART_ALWAYS || (row->restart == RESTART_UNTIMED && !call->a[3]);
}

bool syscall_dispatch(struct trap_frame *frame);

/* Returns whether SYSRET may be used: it loads RIP from RCX, so that must be a user's, and RCX and R11 are lost. */
bool syscall_dispatch(struct trap_frame *frame)
{
	const struct call call = {
		.a = { frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9 },
		.frame = frame,
	};
	uint64_t number = (uint32_t)frame->rax; /* as Linux: the upper half means nothing */

	trace(TRACE_SYSCALL, number, call.a[0]);
	frame->error = number; /* for a restart */
	irq_enable();
	if (__atomic_load_n(&current_thread()->seccomp, __ATOMIC_RELAXED) &&
	    !seccomp_allows(frame)) {
		/* The result is in the frame. */
	} else if (number < ARRAY_SIZE(table) && table[number].handle) {
		frame->rax = (uint64_t)table[number].handle(&call);
		if (frame->rax == (uint64_t)-EINTR && may_restart(&table[number], &call))
			frame->rax = (uint64_t)-ERESTART;
	} else {
		if (number !=
		    __NR_rseq) /* which the C library does without, and asks for in every thread */
			say_unknown(number);
		frame->rax = (uint64_t)-ENOSYS;
	}
	irq_disable();
	user_return(frame);
	return frame->rip < USER_END && frame->vector == TRAP_FRAME_SYSCALL;
}
