/*
 * The system calls' handlers: one each, named like the call. Arguments as ring 3 passed them, the result a value or -errno.
 *
 * A handler checks everything: pointers go through mem/user.h, descriptors through fs/fdtable.h.
 */
#pragma once

#include <stdint.h>

struct trap_frame;

struct call {
	uint64_t a[6];
	struct trap_frame *frame;
};

#define SYSCALL(name) int64_t sys_##name(const struct call *call)

/* mm.c */
SYSCALL(mmap);
SYSCALL(munmap);
SYSCALL(mprotect);
SYSCALL(madvise);
SYSCALL(brk);

/* io.c */
SYSCALL(read);
SYSCALL(write);
SYSCALL(readv);
SYSCALL(writev);
SYSCALL(pread64);
SYSCALL(pwrite64);
SYSCALL(preadv);
SYSCALL(pwritev);
SYSCALL(lseek);
SYSCALL(ioctl);
SYSCALL(fdatasync);
SYSCALL(fsync);
SYSCALL(ftruncate);

/* files.c */
SYSCALL(openat);
SYSCALL(close);
SYSCALL(fstat);
SYSCALL(newfstatat);
SYSCALL(dup);
SYSCALL(dup2);
SYSCALL(dup3);
SYSCALL(flock);
SYSCALL(fcntl);

/* tree.c */
SYSCALL(mkdir);
SYSCALL(mkdirat);
SYSCALL(unlink);
SYSCALL(rmdir);
SYSCALL(unlinkat);
SYSCALL(rename);
SYSCALL(renameat);
SYSCALL(readlink);
SYSCALL(readlinkat);
SYSCALL(chmod);
SYSCALL(fchmodat);
SYSCALL(fchmod);
SYSCALL(umask);
SYSCALL(access);
SYSCALL(faccessat);
SYSCALL(getdents64);
SYSCALL(getcwd);
SYSCALL(chdir);
SYSCALL(fchdir);

/* usage.c */
SYSCALL(getrusage);
SYSCALL(times);
SYSCALL(sysinfo);
SYSCALL(sched_getaffinity);
SYSCALL(getcpu);
SYSCALL(prlimit64);

/* threads.c */
SYSCALL(arch_prctl);
SYSCALL(set_tid_address);
SYSCALL(set_robust_list);
SYSCALL(futex);
SYSCALL(exit);
SYSCALL(exit_group);
SYSCALL(getpid);
SYSCALL(gettid);
SYSCALL(sched_yield);

/* privileges.c */
SYSCALL(prctl);
SYSCALL(seccomp);

/* processes.c */
SYSCALL(fork);
SYSCALL(vfork);
SYSCALL(clone);
SYSCALL(clone3);
SYSCALL(execve);
SYSCALL(wait4);
SYSCALL(waitid);
SYSCALL(getppid);
SYSCALL(setsid);
SYSCALL(setpgid);
SYSCALL(getpgid);
SYSCALL(getpgrp);
SYSCALL(getsid);
SYSCALL(getuid);
SYSCALL(geteuid);
SYSCALL(getgid);
SYSCALL(getegid);

/* signals.c */
SYSCALL(rt_sigreturn);
SYSCALL(restart_syscall);
SYSCALL(rt_sigpending);
SYSCALL(rt_sigsuspend);
SYSCALL(sigaltstack);
SYSCALL(pause);
SYSCALL(kill);
SYSCALL(tkill);
SYSCALL(tgkill);
SYSCALL(rt_sigaction);
SYSCALL(rt_sigprocmask);

/* events.c */
SYSCALL(eventfd);
SYSCALL(eventfd2);
SYSCALL(timerfd_create);
SYSCALL(timerfd_settime);
SYSCALL(timerfd_gettime);
SYSCALL(epoll_create);
SYSCALL(epoll_create1);
SYSCALL(epoll_ctl);
SYSCALL(epoll_wait);
SYSCALL(epoll_pwait);

/* nameless.c */
SYSCALL(pipe);
SYSCALL(pipe2);
SYSCALL(memfd_create);

/* sockets.c */
SYSCALL(socket);
SYSCALL(socketpair);
SYSCALL(bind);
SYSCALL(listen);
SYSCALL(connect);
SYSCALL(accept);
SYSCALL(accept4);
SYSCALL(shutdown);
SYSCALL(getsockname);
SYSCALL(getpeername);
SYSCALL(getsockopt);
SYSCALL(setsockopt);
SYSCALL(sendto);
SYSCALL(recvfrom);
SYSCALL(sendmsg);
SYSCALL(recvmsg);

/* poll.c */
SYSCALL(poll);
SYSCALL(ppoll);

/* machine.c */
SYSCALL(clock_gettime);
SYSCALL(clock_getres);
SYSCALL(time);
SYSCALL(gettimeofday);
SYSCALL(nanosleep);
SYSCALL(clock_nanosleep);
SYSCALL(getrandom);
SYSCALL(uname);
SYSCALL(sync);
SYSCALL(reboot);
