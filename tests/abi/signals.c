/*
 * Signals.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/abi/abi.h"

static volatile sig_atomic_t count, last;

static void on_signal(int signal)
{
	count++;
	last = signal;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

static void bad_calls(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	RESULT(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
	RESULT(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	RESULT(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	RESULT(syscall(SYS_rt_sigaction, SIGKILL, &action, NULL, 8));
	RESULT(syscall(SYS_rt_sigaction, SIGUSR1, BAD_POINTER, NULL, 8));
	RESULT(syscall(SYS_rt_sigprocmask, 77, &action, NULL, 8));
	RESULT(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &action, NULL, 7));
	RESULT(kill(getpid(), 0));
	RESULT(kill(getpid(), 999));
	RESULT(kill(0x7ffffff, SIGUSR1));
	RESULT(syscall(SYS_tgkill, getpid(), 0x7ffffff, SIGUSR1));
	RESULT(syscall(SYS_tgkill, 0, 0, SIGUSR1));
	RESULT(syscall(SYS_tkill, -1, SIGUSR1));
}

static void masks(void)
{
	sigset_t set, old;

	handle(SIGUSR1, on_signal, 0);
	handle(SIGUSR2, on_signal, 0);
	raise(SIGUSR1);
	say("raised: %d, %d", count, last);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR2);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
	say("blocked: %d", count);
	sigdelset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	say("one of them: %d, %d", count, last);
	sigprocmask(SIG_SETMASK, &old, NULL);
	say("unblocked: %d, %d", count, last);
	handle(SIGUSR2, SIG_IGN, 0);
	RESULT(kill(getpid(), SIGUSR2));
	say("ignored: %d", count);
	handle(SIGUSR2, on_signal, (int)SA_RESETHAND);
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &(struct sigaction){ 0 });
	{
		struct sigaction now;

		sigaction(SIGUSR2, NULL, &now);
		say("reset: %d, %d", count, now.sa_handler == SIG_DFL);
	}
}

static sigset_t mask_inside;
static int code_inside;
static bool is_same_sender;

static void on_signal_info(int signal, siginfo_t *info, void *context)
{
	ucontext_t *where = context;

	sigprocmask(SIG_BLOCK, NULL, &mask_inside);
	code_inside = info->si_code;
	is_same_sender = info->si_pid == getpid() && info->si_signo == signal;
	where->uc_mcontext.gregs[REG_R12] += 0; /* written back as it was */
}

static void details(void)
{
	struct sigaction action = { .sa_sigaction = on_signal_info, .sa_flags = SA_SIGINFO };

	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &action, NULL);
	kill(getpid(), SIGUSR1);
	say("inside: code %d, sender %d, blocked %d %d %d", code_inside, is_same_sender,
	    sigismember(&mask_inside, SIGUSR1), sigismember(&mask_inside, SIGUSR2),
	    sigismember(&mask_inside, SIGTERM));
	raise(SIGUSR1);
	say("from raise: code %d", code_inside);
	sigprocmask(SIG_BLOCK, NULL, &mask_inside);
	say("after: blocked %d", sigismember(&mask_inside, SIGUSR1));
}

static void wreck_registers(int signal)
{
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tmovdqa %%xmm0, %%xmm9" : : : "xmm0", "xmm9");
	last = signal;
}

static void registers(void)
{
	uint64_t value = 0x123456789, vector, general;

	handle(SIGUSR1, wreck_registers, 0);
	__asm__ volatile(
		"movq %2, %%xmm9\n\tmov %2, %%r13\n\t"
		"mov %3, %%edi\n\tmov %4, %%esi\n\tmov $200, %%eax\n\tsyscall\n\t" /* tkill */
		"movq %%xmm9, %0\n\tmov %%r13, %1"
		: "=&r"(vector), "=&r"(general)
		: "r"(value), "r"(gettid()), "i"(SIGUSR1)
		: "rax", "rcx", "r11", "rdi", "rsi", "r13", "xmm9", "memory");
	say("registers kept: %d %d", vector == value, general == value);
}

static void *poke(void *argument)
{
	sleep_ms(40);
	syscall(SYS_tgkill, getpid(), (int)(intptr_t)argument, SIGUSR1);
	sleep_ms(40);
	return NULL;
}

/* Signals this thread while it waits in what follows. */
static pthread_t later(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, poke, (void *)(intptr_t)gettid());
	return thread;
}

static void interruptions(void)
{
	struct timespec nap = { .tv_sec = 5 };
	struct epoll_event event;
	int ends[2], set = epoll_create1(0);
	struct pollfd pollfd = { .events = POLLIN };
	pthread_t thread;
	char byte;

	pipe(ends);
	pollfd.fd = ends[0];
	handle(SIGUSR1, on_signal, 0);
	thread = later();
	RESULT(read(ends[0], &byte, 1));
	pthread_join(thread, NULL);
	thread = later();
	RESULT(poll(&pollfd, 1, -1));
	pthread_join(thread, NULL);
	thread = later();
	RESULT(epoll_wait(set, &event, 1, -1));
	pthread_join(thread, NULL);
	thread = later();
	RESULT(nanosleep(&nap, &nap));
	say("left: %d", nap.tv_sec == 4);
	pthread_join(thread, NULL);
	{
		sigset_t blocked, none;
		int before = count;

		sigemptyset(&none);
		sigemptyset(&blocked);
		sigaddset(&blocked, SIGUSR1);
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		raise(SIGUSR1);
		RESULT(poll(&pollfd, 1, 0));
		RESULT(ppoll(&pollfd, 1, NULL, &none));
		say("handled inside: %d", count - before);
		sigprocmask(SIG_BLOCK, NULL, &none);
		say("blocked again %d", sigismember(&none, SIGUSR1));
		sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	}
	handle(SIGUSR1, on_signal, SA_RESTART);
	fcntl(ends[0], F_SETFL, 0);
	thread = later();
	RESULT(poll(&pollfd, 1, -1));
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
	close(set);
}

static int restart_ends[2];

static void *write_after_signal(void *argument)
{
	sleep_ms(40);
	syscall(SYS_tgkill, getpid(), (int)(intptr_t)argument, SIGUSR1);
	sleep_ms(40);
	write(restart_ends[1], "x", 1);
	return NULL;
}

static void restarts(void)
{
	pthread_t thread;
	char byte;
	int before = count;

	pipe(restart_ends);
	pthread_create(&thread, NULL, write_after_signal, (void *)(intptr_t)gettid());
	RESULT(read(restart_ends[0], &byte, 1));
	pthread_join(thread, NULL);
	say("handlers run: %d", count - before);
	close(restart_ends[0]);
	handle(SIGPIPE, on_signal, 0);
	RESULT(write(restart_ends[1], "x", 1));
	say("SIGPIPE: %d", last == SIGPIPE);
	handle(SIGPIPE, SIG_IGN, 0);
	RESULT(write(restart_ends[1], "x", 1));
	handle(SIGPIPE, SIG_DFL, 0);
	close(restart_ends[1]);
}

static volatile bool stop;

static void on_stop(int signal)
{
	last = signal;
	stop = true;
}

static void *spin(void *argument)
{
	unsigned long turns = 0;

	while (!stop)
		turns++;
	return turns ? NULL : argument;
}

/* One that runs in ring 3 all the time. */
static void running(void)
{
	pthread_t thread;

	handle(SIGUSR2, on_stop, 0);
	pthread_create(&thread, NULL, spin, NULL);
	sleep_ms(20);
	pthread_kill(thread, SIGUSR2);
	pthread_join(thread, NULL);
	say("stopped by %d", last == SIGUSR2);
}

static void *volatile fault_address;
static volatile int fault_code;

static sigjmp_buf landing;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	last = signal;
	fault_address = info->si_addr;
	fault_code = info->si_code;
	siglongjmp(landing, 1);
}

static void faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile int zero = 0;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	if (!sigsetjmp(landing, 1))
		*(volatile char *)0x10 = 1;
	say("nothing there: %d, address %p, code %d", last == SIGSEGV, fault_address, fault_code);
	if (!sigsetjmp(landing, 1))
		*(volatile char *)(page + 5) = 1;
	say("read-only: address %d, code %d", fault_address == page + 5, fault_code);
	if (!sigsetjmp(landing, 1))
		__asm__ volatile("divl %0" : : "r"(zero), "a"(1), "d"(0));
	say("division: %d, code %d", last == SIGFPE, fault_code);
	if (!sigsetjmp(landing, 1))
		__asm__ volatile("ud2");
	say("instruction: %d, code %d", last == SIGILL, fault_code);
	handle(SIGSEGV, SIG_DFL, 0);
	handle(SIGFPE, SIG_DFL, 0);
	handle(SIGILL, SIG_DFL, 0);
	munmap(page, 4096);
}

void group_signals(void)
{
	RESULT(syscall(SYS_restart_syscall));
	bad_calls();
	masks();
	details();
	registers();
	interruptions();
	restarts();
	running();
	faults();
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
}
