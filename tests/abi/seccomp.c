/*
 * Filters of system calls, and what else a thread says of itself by prctl().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/abi.h"

#define LOAD(field)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value)  BPF_STMT(BPF_RET | BPF_K, value)
#define UNLESS(nr, n)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, n)
#define WHEN(nr, what) UNLESS(nr, 1), RETURN(what)

static long install(const struct sock_filter *filter, size_t count, unsigned int flags)
{
	struct sock_fprog program = { (unsigned short)count, (struct sock_filter *)filter };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

#define INSTALL(...)                                                                              \
	install((const struct sock_filter[]){ __VA_ARGS__ },                                      \
		sizeof((const struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter), \
		0)

static void say_end(const char *what, pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	if (WIFEXITED(status))
		say("%s: exited with %d", what, WEXITSTATUS(status));
	else
		say("%s: ended by signal %d", what, WTERMSIG(status));
}

/* --- prctl --- */

static void names(void)
{
	char name[16] = "";
	int value = -1;

	RESULT(prctl(PR_SET_NAME, "a rather long name"));
	RESULT(prctl(PR_GET_NAME, name));
	say("name: %s", name);
	RESULT(prctl(PR_SET_NAME, BAD_POINTER));
	RESULT(prctl(PR_GET_NAME, BAD_POINTER));
	RESULT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	RESULT(prctl(PR_SET_DUMPABLE, 7, 0, 0, 0));
	RESULT(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	RESULT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	RESULT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	RESULT(prctl(PR_SET_PDEATHSIG, 100));
	RESULT(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	RESULT(prctl(PR_GET_PDEATHSIG, &value));
	say("the parent's death: %d", value);
	RESULT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RESULT(prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0));
	RESULT(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	RESULT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	RESULT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	RESULT(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
	RESULT(prctl(PR_GET_SECCOMP));
	RESULT(prctl(12345, 0, 0, 0, 0));
}

static void orphan_dies(void)
{
	int ends[2], ready[2];
	char byte = '-';
	pid_t pid;

	pipe(ends);
	pipe(ready);
	pid = fork();
	if (!pid) {
		if (!fork()) {
			signal(SIGUSR1, SIG_DFL);
			prctl(PR_SET_PDEATHSIG, SIGUSR1);
			write(ready[1], "+", 1);
			for (;;)
				pause();
		}
		read(ready[0], &byte, 1);
		_exit(0);
	}
	close(ends[1]);
	close(ready[1]);
	waitpid(pid, NULL, 0);
	/* It ends when the last one that had the other end has. */
	RESULT(read(ends[0], &byte, 1));
	close(ends[0]);
	close(ready[0]);
}

/* --- what is no filter --- */

static void bad_filters(void)
{
	const struct sock_filter good[] = { RETURN(SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, (struct sock_filter *)BAD_POINTER };

	RESULT(syscall(SYS_seccomp, 99, 0, NULL));
	RESULT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
	RESULT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, BAD_POINTER));
	RESULT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	RESULT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x100, &program));
	RESULT(install(good, 0, 0));
	RESULT(install(good, 4097, 0));
	RESULT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, BAD_POINTER));
	RESULT(prctl(PR_SET_SECCOMP, 77, 0));
	RESULT(INSTALL(LOAD(nr)));
	RESULT(INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_ST, 16), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 1), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RETURN(0)));
	RESULT(INSTALL(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RETURN(0)));
	RESULT(INSTALL(BPF_STMT(BPF_RET | BPF_X, 0)));
	RESULT(INSTALL({ 0x100, 0, 0, 0 }, RETURN(0)));
	RESULT(prctl(PR_GET_SECCOMP));
}

/* --- what filters do --- */

static volatile int trapped_errno, trapped_call, trapped_code;

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal_number;
	trapped_errno = info->si_errno;
	trapped_call = info->si_syscall;
	trapped_code = info->si_code;
	user->uc_mcontext.gregs[REG_RAX] = 4321;
}

static void actions(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &action, NULL);
	RESULT(INSTALL(
		LOAD(nr), WHEN(SYS_getppid, SECCOMP_RET_ERRNO | 33),
		WHEN(SYS_getuid, SECCOMP_RET_ERRNO | 0xffff), WHEN(SYS_geteuid, SECCOMP_RET_ERRNO),
		WHEN(SYS_getgid, SECCOMP_RET_TRAP | 55), WHEN(SYS_getegid, SECCOMP_RET_TRACE | 1),
		WHEN(SYS_sysinfo, SECCOMP_RET_USER_NOTIF), WHEN(4000, SECCOMP_RET_ERRNO | 7),
		RETURN(SECCOMP_RET_ALLOW)));
	RESULT(prctl(PR_GET_SECCOMP));
	RESULT(syscall(SYS_getppid));
	RESULT(syscall(SYS_getuid));
	RESULT(syscall(SYS_geteuid));
	RESULT(syscall(SYS_getgid));
	say("trapped: errno %d, the call %d, code %d", trapped_errno, trapped_call == SYS_getgid,
	    trapped_code);
	RESULT(syscall(SYS_getegid));
	RESULT(syscall(SYS_sysinfo, 0));
	RESULT(syscall(4000));
	RESULT(syscall(4001));

	/* The stricter holds, whichever came first. */
	RESULT(INSTALL(LOAD(nr), WHEN(SYS_getppid, SECCOMP_RET_ALLOW),
		       WHEN(SYS_getpgrp, SECCOMP_RET_ERRNO | 44),
		       WHEN(SYS_getegid, SECCOMP_RET_ERRNO | 5), RETURN(SECCOMP_RET_ALLOW)));
	RESULT(syscall(SYS_getppid));
	RESULT(syscall(SYS_getpgrp));
	RESULT(syscall(SYS_getegid));
}

/* By the arguments, both halves. */
static void arguments(void)
{
	RESULT(INSTALL(LOAD(nr), UNLESS(SYS_getpgid, 5),
		       BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				offsetof(struct seccomp_data, args[5]) + 4),
		       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1234, 0, 3), LOAD(args[0]),
		       BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		       BPF_STMT(BPF_RET | BPF_A, 0), RETURN(SECCOMP_RET_ALLOW)));
	RESULT(syscall(SYS_getpgid, 77, 0, 0, 0, 0, 0x123400000000));
	RESULT(syscall(SYS_getpgid, 78, 0, 0, 0, 0, 0x123400000001));
	RESULT(syscall(SYS_getpgid, -1, 0, 0, 0, 0, 0x123500000000));
	/* That one was let through isn't remembered, nor where a newer filter doesn't look. */
	RESULT(syscall(SYS_getpgid, 77, 0, 0, 0, 0, 0x123400000000));
	RESULT(INSTALL(RETURN(SECCOMP_RET_ALLOW)));
	RESULT(syscall(SYS_getpgid, -1, 0, 0, 0, 0, 0x123500000000));
	RESULT(syscall(SYS_getpgid, 77, 0, 0, 0, 0, 0x123400000000));
}

static void kills(void)
{
	RESULT(INSTALL(LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		       RETURN(SECCOMP_RET_KILL_PROCESS), LOAD(nr), UNLESS(SYS_getppid, 1),
		       RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)));
	syscall(SYS_getppid);
}

static void no_answer(void)
{
	RESULT(INSTALL(LOAD(nr), UNLESS(SYS_getppid, 1), RETURN(0x00010000),
		       RETURN(SECCOMP_RET_ALLOW)));
	syscall(SYS_getppid);
}

static void *dies_alone(void *argument)
{
	INSTALL(LOAD(nr), UNLESS(SYS_getppid, 1), RETURN(SECCOMP_RET_KILL_THREAD),
		RETURN(SECCOMP_RET_ALLOW));
	syscall(SYS_getppid);
	return argument;
}

static void kills_thread(void)
{
	pthread_t thread;
	int here;

	pthread_create(&thread, NULL, dies_alone, &here);
	pthread_join(thread, NULL);
	say("the thread has ended, the process goes on: %d", getppid() > 0);
	dies_alone(NULL);
}

static void *asks(void *argument)
{
	int *turn = argument;
	long before = syscall(SYS_getpgid, 0x7ffffff);

	say("the other thread's own: %d", before == -1 ? errno : 0);
	__atomic_store_n(turn, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != 2)
		sleep_ms(1);
	say("after TSYNC: %d", syscall(SYS_getpgid, 0x7ffffff) == -1 ? errno : 0);
	return NULL;
}

static void synchronises(void)
{
	const struct sock_filter filter[] = { LOAD(nr), WHEN(SYS_getpgid, SECCOMP_RET_ERRNO | 99),
					      RETURN(SECCOMP_RET_ALLOW) };
	pthread_t thread;
	int turn = 0;

	pthread_create(&thread, NULL, asks, &turn);
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 1)
		sleep_ms(1);
	RESULT(install(filter, ARRAY_SIZE(filter), SECCOMP_FILTER_FLAG_TSYNC));
	__atomic_store_n(&turn, 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

static void *has_its_own(void *argument)
{
	int *turn = argument;

	INSTALL(RETURN(SECCOMP_RET_ALLOW));
	__atomic_store_n(turn, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != 2)
		sleep_ms(1);
	return NULL;
}

static void cannot_synchronise(void)
{
	const struct sock_filter filter[] = { RETURN(SECCOMP_RET_ALLOW) };
	pthread_t thread;
	int turn = 0;

	pthread_create(&thread, NULL, has_its_own, &turn);
	while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != 1)
		sleep_ms(1);
	say("TSYNC names the thread: %d",
	    install(filter, ARRAY_SIZE(filter), SECCOMP_FILTER_FLAG_TSYNC) > 0);
	RESULT(install(filter, ARRAY_SIZE(filter),
		       SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
	__atomic_store_n(&turn, 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

static void inherits(void)
{
	pid_t pid;

	INSTALL(LOAD(nr), WHEN(SYS_getpgid, SECCOMP_RET_ERRNO | 99), RETURN(SECCOMP_RET_ALLOW));
	pid = fork();
	if (!pid) {
		RESULT(getpgid(0));
		_exit(0);
	}
	say_end("a child with its parent's filter", pid);
}

static void grows_too_long(void)
{
	static struct sock_filter filter[4096];
	int nr_added = 0;

	for (size_t i = 0; i + 1 < ARRAY_SIZE(filter); i++)
		filter[i] = (struct sock_filter)LOAD(nr);
	filter[4095] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	while (nr_added < 100 && !install(filter, ARRAY_SIZE(filter), 0))
		nr_added++;
	result("one filter too many", -1);
	say("filters before it: %d", nr_added);
}

/* --- any programs --- */

static uint32_t seed;

static uint32_t number(uint32_t below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % below;
}

static uint32_t constant(void)
{
	static const uint32_t edges[] = { 0, 1, 31, 32, 0x7fffffff, 0x80000000, 0xffffffff };

	return number(2) ? edges[number(ARRAY_SIZE(edges))] : number(1 << 24) * 12345;
}

/* @left: instructions that follow. Mostly valid ones. */
static struct sock_filter instruction(uint32_t left)
{
	static const uint16_t codes[] = {
		BPF_LD | BPF_W | BPF_ABS,
		BPF_LD | BPF_IMM,
		BPF_LDX | BPF_IMM,
		BPF_LD | BPF_MEM,
		BPF_LDX | BPF_MEM,
		BPF_ST,
		BPF_STX,
		BPF_MISC | BPF_TAX,
		BPF_MISC | BPF_TXA,
		BPF_LD | BPF_W | BPF_LEN,
		BPF_LDX | BPF_W | BPF_LEN,
	};
	uint32_t kind = number(20);

	if (kind < 9)
		return (struct sock_filter)BPF_STMT((uint16_t)(BPF_ALU |
							       number(number(8) ? 9 : 12) << 4 |
							       (number(2) ? BPF_X : BPF_K)),
						    number(3) ? number(40) : constant());
	if (kind < 13)
		return (struct sock_filter)BPF_JUMP(
			(uint16_t)(BPF_JMP | (1 + number(4)) << 4 | (number(2) ? BPF_X : BPF_K)),
			constant(), (uint8_t)number(left + 1), (uint8_t)number(left + 1));
	if (kind < 15)
		return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number(16) * 4);
	if (kind == 15 && !number(4))
		return (struct sock_filter)BPF_STMT((uint16_t)number(0x200), constant());
	/* Mostly the words that the prologue writes. */
	return (struct sock_filter)BPF_STMT(codes[number(ARRAY_SIZE(codes))],
					    number(16) ? number(2) * 5 : number(17));
}

enum { PROLOGUE = 5, EPILOGUE = 3, BODY_MAX = 24, PROGRAMS = 400 };

/* The program's A is the error of getpgid(). Returns 1 if it isn't one, else 1000 and what it said of some calls. */
static void run_program(int *answers, size_t nr_answers)
{
	struct sock_filter filter[PROLOGUE + BODY_MAX + EPILOGUE] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_ST, 0),
		BPF_STMT(BPF_ST, 5),
	};
	uint32_t length = 1 + number(BODY_MAX);

	for (uint32_t i = 0; i < length; i++)
		filter[PROLOGUE + i] = instruction(length - i);
	filter[PROLOGUE + length] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff);
	filter[PROLOGUE + length + 1] =
		(struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
	filter[PROLOGUE + length + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	if (install(filter, PROLOGUE + length + EPILOGUE, 0)) {
		answers[0] = -errno;
		return;
	}
	answers[0] = 1000;
	for (size_t i = 1; i < nr_answers; i++) {
		long value = syscall(SYS_getpgid, (uint64_t)constant() << 32 | constant(),
				     constant(), i, constant(), 0x0123456789abcdef, ~0ull);

		answers[i] = value < 0 ? errno : -2;
	}
}

static void any_programs(void)
{
	int *answers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t refused = 0, killed = 0, sum = 0;

	for (uint32_t i = 0; i < PROGRAMS; i++) {
		int status;
		pid_t pid;

		memset(answers, 0, 4096);
		seed = i * 7919;
		pid = fork();
		if (!pid) {
			run_program(answers, 6);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		refused += answers[0] == -EINVAL;
		killed += WIFSIGNALED(status);
		for (int j = 0; j < 6; j++)
			sum = (sum ^ (uint32_t)answers[j]) * 16777619;
		if (i % 16 == 15)
			say("programs up to %u: %u refused, %u killed, sum %08x", i, refused,
			    killed, sum);
	}
	munmap(answers, 4096);
}

/* A filter is for good: each of these in a process of its own. */
static void in_child(const char *what, void (*function)(void))
{
	pid_t pid = fork();

	if (!pid) {
		function();
		_exit(0);
	}
	say_end(what, pid);
}

void group_seccomp(void)
{
	in_child("names", names);
	orphan_dies();
	in_child("bad filters", bad_filters);
	in_child("actions", actions);
	in_child("arguments", arguments);
	in_child("kills", kills);
	in_child("no answer", no_answer);
	in_child("kills a thread", kills_thread);
	in_child("synchronises", synchronises);
	in_child("cannot synchronise", cannot_synchronise);
	in_child("inherits", inherits);
	in_child("grows too long", grows_too_long);
	any_programs();
}
