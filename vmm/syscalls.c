/*
 * The system calls that bhvm uses: see syscalls.h.
 */
#include <asm/unistd_64.h>

#include "lib/compiler.h"
#include "vmm/syscalls.h"

#define ROW(name, users, purpose)                  \
	{                                          \
		__NR_##name, #name, users, purpose \
	}

const struct syscall_row syscalls[] = {
	/* The C library's, on the way to main() and in every thread. */
	ROW(execve, SYSCALL_SETUP, "the start of it all"),
	ROW(arch_prctl, SYSCALL_SETUP, "thread-local storage"),
	ROW(set_tid_address, SYSCALL_SETUP, "threads"),
	ROW(set_robust_list, SYSCALL_ALL, "threads"),
	ROW(rseq, SYSCALL_ALL, "threads"),
	ROW(prlimit64, SYSCALL_SETUP, "the size of stacks"),
	ROW(readlink, SYSCALL_SETUP, "the program's own path"),
	ROW(brk, SYSCALL_ALL, "malloc"),
	ROW(mmap, SYSCALL_ALL, "malloc, stacks, guest memory, the vCPU's run structure"),
	ROW(munmap, SYSCALL_ALL, "the same"),
	ROW(mprotect, SYSCALL_ALL, "malloc, stacks"),
	ROW(madvise, SYSCALL_ALL, "huge pages for the guest, freed stacks"),
	ROW(clone3, SYSCALL_MAIN, "threads"),
	ROW(clone, SYSCALL_MAIN, "threads, where clone3 isn't there"),
	ROW(exit, SYSCALL_ALL, "threads"),
	ROW(exit_group, SYSCALL_ALL, "the end"),
	ROW(futex, SYSCALL_ALL, "locks, condition variables, joining"),
	ROW(getpid, SYSCALL_ALL, "kicks"),
	ROW(gettid, SYSCALL_ALL, "kicks"),
	ROW(tgkill, SYSCALL_MAIN | SYSCALL_VCPU, "kicks a vCPU out of the guest"),
	ROW(rt_sigaction, SYSCALL_MAIN, "kicks, termination, the terminal"),
	ROW(rt_sigprocmask, SYSCALL_ALL, "threads"),
	ROW(rt_sigreturn, SYSCALL_ALL, "kicks"),
	ROW(restart_syscall, SYSCALL_ALL, "waits that a signal interrupted"),
	ROW(clock_gettime, SYSCALL_ALL, "time, where the vDSO can't tell it"),
	ROW(getrandom, SYSCALL_MAIN | SYSCALL_WORKER, "virtio-rng, hash seeds, malloc"),

	/* Descriptors. */
	ROW(openat, SYSCALL_SETUP, "kernel, initrd, disks, /dev/kvm, /dev/net/tun, the document"),
	ROW(close, SYSCALL_MAIN, "all of them"),
	ROW(read, SYSCALL_ALL, "eventfds, timers, console, control socket, tap"),
	ROW(write, SYSCALL_ALL, "eventfds, console, messages, control socket"),
	ROW(readv, SYSCALL_WORKER, "frames from the tap"),
	ROW(writev, SYSCALL_WORKER | SYSCALL_MAIN, "frames to the tap, console"),
	ROW(pread64, SYSCALL_MAIN, "kernel and initrd, at a reset too"),
	ROW(preadv, SYSCALL_WORKER, "disks"),
	ROW(pwritev, SYSCALL_WORKER, "disks"),
	ROW(fdatasync, SYSCALL_WORKER, "disks"),
	ROW(newfstatat, SYSCALL_MAIN, "sizes and kinds of files"),
	ROW(fstat, SYSCALL_MAIN, "the same, by another C library"),
	ROW(flock, SYSCALL_SETUP, "one writer per disk"),
	ROW(fcntl, SYSCALL_MAIN, "non-blocking standard input and output"),
	ROW(ioctl, SYSCALL_MAIN | SYSCALL_VCPU, "KVM, tap, block devices' sizes, the terminal"),
	ROW(eventfd2, SYSCALL_SETUP, "kicks, interrupts, wake-ups"),
	ROW(timerfd_create, SYSCALL_SETUP, "the guest's timers"),
	ROW(timerfd_settime, SYSCALL_MAIN | SYSCALL_VCPU, "the guest's timers"),
	ROW(epoll_create1, SYSCALL_SETUP, "event loops"),
	ROW(epoll_ctl, SYSCALL_ALL, "event loops"),
	ROW(epoll_wait, SYSCALL_MAIN | SYSCALL_WORKER, "event loops"),
	ROW(poll, SYSCALL_MAIN | SYSCALL_VCPU, "is an interrupt pending, is the console writable"),

	/* The console's and the control socket's. */
	ROW(socket, SYSCALL_SETUP, "Unix stream sockets"),
	ROW(bind, SYSCALL_SETUP, "the same"),
	ROW(listen, SYSCALL_SETUP, "the same"),
	ROW(connect, SYSCALL_SETUP, "is the socket file that is in the way alive?"),
	ROW(accept4, SYSCALL_MAIN, "clients"),
	ROW(sendto, SYSCALL_ALL, "clients"),
	ROW(recvfrom, SYSCALL_MAIN, "clients"),
	ROW(unlink, SYSCALL_MAIN, "the socket files"),
	ROW(fchmod, SYSCALL_SETUP, "the socket files are their owner's"),

	/* The sandbox itself. */
	ROW(prctl, SYSCALL_MAIN | SYSCALL_VCPU | SYSCALL_WORKER,
	    "no new privileges, threads' names"),
	ROW(seccomp, SYSCALL_ALL, "the filters"),
};

const uint32_t nr_syscalls = ARRAY_SIZE(syscalls);
