/*
 * All system calls: what isn't here is -ENOSYS, and said once per program.
 *
 * ROW(NAME, HANDLER, ARGUMENTS, OPTIONS): NAME as in <asm/unistd_64.h>. The handler is sys_HANDLER(); how many arguments
 * ring 3 passes: the others are 0 for it, so that a call's older form is a row, not a handler.
 */
#pragma once

// clang-format off
#define SYSCALLS(ROW) \
	/* memory: mm.c */ \
	ROW(mmap, mmap, 6, 0) \
	ROW(munmap, munmap, 2, 0) \
	ROW(mprotect, mprotect, 3, 0) \
	ROW(madvise, madvise, 3, 0) \
	ROW(brk, brk, 1, 0) \
	/* reading and writing: io.c */ \
	ROW(read, read, 3, CALL_FILE | CALL_RESTARTS) \
	ROW(write, write, 3, CALL_FILE | CALL_RESTARTS) \
	ROW(readv, readv, 3, CALL_FILE | CALL_RESTARTS) \
	ROW(writev, writev, 3, CALL_FILE | CALL_RESTARTS) \
	ROW(pread64, pread64, 4, CALL_FILE | CALL_RESTARTS) \
	ROW(pwrite64, pwrite64, 4, CALL_FILE | CALL_RESTARTS) \
	ROW(preadv, preadv, 4, CALL_FILE | CALL_RESTARTS) \
	ROW(pwritev, pwritev, 4, CALL_FILE | CALL_RESTARTS) \
	ROW(lseek, lseek, 3, CALL_FILE) \
	ROW(ioctl, ioctl, 3, CALL_FILE) \
	ROW(fsync, fsync, 1, CALL_FILE) \
	ROW(fdatasync, fsync, 1, CALL_FILE) \
	ROW(ftruncate, ftruncate, 2, CALL_FILE) \
	/* files and descriptors: files.c */ \
	ROW(open, openat, 3, CALL_HERE) \
	ROW(openat, openat, 4, 0) \
	ROW(close, close, 1, 0) \
	ROW(fstat, fstat, 2, CALL_FILE) \
	ROW(stat, newfstatat, 2, CALL_HERE) \
	ROW(newfstatat, newfstatat, 4, 0) \
	ROW(dup, dup, 1, CALL_FILE) \
	ROW(dup2, dup2, 2, 0) \
	ROW(dup3, dup3, 3, 0) \
	ROW(flock, flock, 2, CALL_FILE) \
	ROW(fcntl, fcntl, 3, CALL_FILE) \
	/* the tree of files: tree.c */ \
	ROW(mkdir, mkdirat, 2, CALL_HERE) \
	ROW(mkdirat, mkdirat, 3, 0) \
	ROW(unlink, unlinkat, 1, CALL_HERE) \
	ROW(unlinkat, unlinkat, 3, 0) \
	ROW(rmdir, rmdir, 1, 0) \
	ROW(readlink, readlinkat, 3, CALL_HERE) \
	ROW(readlinkat, readlinkat, 4, 0) \
	ROW(access, faccessat, 2, CALL_HERE) \
	ROW(faccessat, faccessat, 3, 0) \
	ROW(fchmod, fchmod, 2, CALL_FILE) \
	ROW(getdents64, getdents64, 3, CALL_FILE) \
	/* what is used and what may be: usage.c */ \
	ROW(getrusage, getrusage, 2, 0) \
	ROW(sysinfo, sysinfo, 1, 0) \
	ROW(sched_getaffinity, sched_getaffinity, 3, 0) \
	ROW(prlimit64, prlimit64, 4, 0) \
	/* threads: threads.c */ \
	ROW(arch_prctl, arch_prctl, 2, 0) \
	ROW(set_tid_address, set_tid_address, 1, 0) \
	ROW(set_robust_list, set_robust_list, 2, 0) \
	ROW(futex, futex, 6, CALL_RESTARTS_UNTIMED) \
	ROW(exit, exit, 1, 0) \
	ROW(exit_group, exit_group, 1, 0) \
	ROW(getpid, getpid, 0, 0) \
	ROW(gettid, gettid, 0, 0) \
	ROW(sched_yield, sched_yield, 0, 0) \
	/* privileges.c */ \
	ROW(prctl, prctl, 5, 0) \
	ROW(seccomp, seccomp, 3, 0) \
	/* processes: processes.c */ \
	ROW(clone, clone, 5, 0) \
	ROW(clone3, clone3, 2, 0) \
	ROW(execve, execve, 3, 0) \
	ROW(wait4, wait4, 4, CALL_RESTARTS) \
	ROW(getppid, getppid, 0, 0) \
	ROW(setsid, setsid, 0, 0) \
	ROW(getpgid, getpgid, 1, 0) \
	ROW(getpgrp, getpgid, 0, 0) \
	ROW(getsid, getsid, 1, 0) \
	ROW(getuid, root_id, 0, 0) \
	ROW(geteuid, root_id, 0, 0) \
	ROW(getgid, root_id, 0, 0) \
	ROW(getegid, root_id, 0, 0) \
	/* signals: signals.c */ \
	ROW(rt_sigreturn, rt_sigreturn, 0, 0) \
	ROW(restart_syscall, restart_syscall, 0, 0) \
	ROW(pause, pause, 0, 0) \
	ROW(kill, kill, 2, 0) \
	ROW(tgkill, tgkill, 3, 0) \
	ROW(tkill, tkill, 2, 0) \
	ROW(rt_sigaction, rt_sigaction, 4, 0) \
	ROW(rt_sigprocmask, rt_sigprocmask, 4, 0) \
	/* events: events.c */ \
	ROW(eventfd, eventfd2, 1, 0) \
	ROW(eventfd2, eventfd2, 2, 0) \
	ROW(timerfd_create, timerfd_create, 2, 0) \
	ROW(timerfd_settime, timerfd_settime, 4, CALL_FILE) \
	ROW(timerfd_gettime, timerfd_gettime, 2, CALL_FILE) \
	ROW(epoll_create1, epoll_create1, 1, 0) \
	ROW(epoll_ctl, epoll_ctl, 4, 0) \
	ROW(epoll_wait, epoll_wait, 4, CALL_FILE) \
	/* files without names: nameless.c */ \
	ROW(pipe, pipe2, 1, 0) \
	ROW(pipe2, pipe2, 2, 0) \
	ROW(memfd_create, memfd_create, 2, 0) \
	/* sockets: sockets.c */ \
	ROW(socket, socket, 3, 0) \
	ROW(socketpair, socketpair, 4, 0) \
	ROW(bind, bind, 3, CALL_SOCKET) \
	ROW(listen, listen, 2, CALL_SOCKET) \
	ROW(connect, connect, 3, CALL_SOCKET | CALL_RESTARTS) \
	ROW(accept, accept4, 3, CALL_SOCKET | CALL_RESTARTS) \
	ROW(accept4, accept4, 4, CALL_SOCKET | CALL_RESTARTS) \
	ROW(shutdown, shutdown, 2, CALL_SOCKET) \
	ROW(getsockname, getsockname, 3, CALL_SOCKET) \
	ROW(getpeername, getpeername, 3, CALL_SOCKET) \
	ROW(getsockopt, getsockopt, 5, CALL_SOCKET) \
	ROW(sendto, sendto, 6, CALL_SOCKET | CALL_RESTARTS) \
	ROW(recvfrom, recvfrom, 6, CALL_SOCKET | CALL_RESTARTS) \
	ROW(sendmsg, sendmsg, 3, CALL_SOCKET | CALL_RESTARTS) \
	ROW(recvmsg, recvmsg, 3, CALL_SOCKET | CALL_RESTARTS) \
	/* poll.c */ \
	ROW(poll, poll, 3, 0) \
	ROW(ppoll, ppoll, 5, 0) \
	/* time, chance, the machine: machine.c */ \
	ROW(clock_gettime, clock_gettime, 2, 0) \
	ROW(time, time, 1, 0) \
	ROW(gettimeofday, gettimeofday, 2, 0) \
	ROW(nanosleep, nanosleep, 2, 0) \
	ROW(clock_nanosleep, clock_nanosleep, 4, 0) \
	ROW(getrandom, getrandom, 3, 0) \
	ROW(uname, uname, 1, 0) \
	ROW(sync, sync, 0, 0) \
	ROW(reboot, reboot, 4, 0)
// clang-format on
