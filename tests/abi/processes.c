/*
 * Processes: fork, exec, wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/abi/abi.h"

static void say_status(const char *what, int status)
{
	if (WIFEXITED(status))
		say("%s: exited with %d", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		say("%s: ended by signal %d", what, WTERMSIG(status));
	else
		say("%s: %#x", what, (unsigned int)status);
}

static void wait_and_say(const char *what, pid_t pid)
{
	int status = -1;
	pid_t got = waitpid(pid, &status, 0);

	if (got != pid)
		say("%s: waitpid %d", what, got < 0 ? -errno : got);
	else
		say_status(what, status);
}

static volatile int variable = 1;

static void forks(void)
{
	static char big[3 << 20];
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *private =
		mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ends[2];
	char text[16] = "";
	pid_t pid;

	memset(big, 1, sizeof(big));
	memset(private, 1, 4 << 20);
	pipe(ends);
	pid = fork();
	if (!pid) {
		say("in the child: %d, own number %d, parent %d", variable, getpid() == gettid(),
		    getppid() > 0);
		variable = 2;
		memset(big, 2, sizeof(big));
		munmap(private + 4096, 4096);
		private[0] = 2;
		shared[0] = 3;
		write(ends[1], "from child", 10);
		_exit(private[3 << 20] == 1 && big[12345] == 2 ? 42 : 1);
	}
	private[5 << 12] = 5;
	wait_and_say("child", pid);
	say("in the parent: %d %d %d %d %d, shared %d", variable, big[sizeof(big) - 1], private[0],
	    private[4096], private[5 << 12], shared[0]);
	RESULT(read(ends[0], text, sizeof(text)));
	say("through the pipe: %s", text);
	close(ends[0]);
	close(ends[1]);
	munmap(shared, 4096);
	munmap(private, 4 << 20);
	RESULT(waitpid(-1, NULL, 0));
	RESULT(waitpid(-1, NULL, WNOHANG));
	RESULT(waitpid(0x7ffffff, NULL, 0));
	RESULT(waitpid(-1, NULL, 0x12345678));
}

static void *sleeper(void *argument)
{
	pause();
	return argument;
}

static void endings(void)
{
	pthread_t thread;
	pid_t pid = fork();

	if (!pid)
		exit(300);
	wait_and_say("exit status is a byte", pid);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	RESULT(waitpid(pid, NULL, WNOHANG));
	RESULT(kill(pid, SIGTERM));
	wait_and_say("terminated", pid);
	RESULT(kill(pid, 0));
	pid = fork();
	if (!pid) {
		signal(SIGTERM, SIG_IGN);
		raise(SIGTERM);
		for (;;)
			variable++;
	}
	sleep_ms(20);
	kill(pid, SIGKILL);
	wait_and_say("killed while it runs", pid);
	pid = fork();
	if (!pid)
		abort();
	wait_and_say("aborted", pid);
	pid = fork();
	if (!pid)
		*(volatile int *)8 = 1;
	wait_and_say("faulted", pid);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, sleeper, NULL);
		sleep_ms(10);
		_exit(7);
	}
	wait_and_say("with threads", pid);
	pid = fork();
	if (!pid) {
		pthread_create(&thread, NULL, sleeper, NULL);
		sleep_ms(10);
		kill(getpid(), SIGKILL);
		pause();
	}
	wait_and_say("killed with threads", pid);
}

static volatile sig_atomic_t children;
static volatile int child_code, child_status;

static void on_child(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	children++;
	child_code = info->si_code;
	child_status = info->si_status;
}

static void notices(void)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART };
	pid_t pid;

	sigaction(SIGCHLD, &action, NULL);
	pid = fork();
	if (!pid)
		_exit(9);
	wait_and_say("then", pid);
	say("SIGCHLD: %d, code %d, status %d", children, child_code, child_status);
	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid)
		_exit(9);
	RESULT(waitpid(pid, NULL, 0));
	signal(SIGCHLD, SIG_DFL);
}

static void orphans(void)
{
	int ends[2];
	char byte = '-';
	pid_t pid;

	pipe(ends);
	pid = fork();
	if (!pid) {
		pid_t parent = getpid();

		if (!fork()) {
			while (getppid() == parent)
				sleep_ms(5);
			write(ends[1], "+", 1);
			_exit(0);
		}
		_exit(0);
	}
	wait_and_say("its parent", pid);
	close(ends[1]);
	read(ends[0], &byte, 1);
	say("the orphan has another parent: %c", byte);
	read(ends[0], &byte, 1);
	close(ends[0]);
	if (getpid() == 1)
		while (waitpid(-1, NULL, 0) > 0)
			;
}

static void execs(void)
{
	char *arguments[] = { (char *)"abi", (char *)"--say", (char *)"one", (char *)"two words",
			      NULL };
	char *environment[] = { (char *)"NAME=value", NULL };
	int kept = open("/", O_RDONLY), closed = open("/", O_RDONLY | O_CLOEXEC);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid;
	int err;

	RESULT(execve("/nonexistent", arguments, environment));
	RESULT(execve("/", arguments, environment));
	RESULT(execve(BAD_POINTER, arguments, environment));
	RESULT(syscall(SYS_execve, abi_program(), BAD_POINTER, environment));
	dup2(kept, 70);
	dup3(closed, 71, O_CLOEXEC);
	pid = fork();
	if (!pid) {
		execve(abi_program(), arguments, environment);
		_exit(1);
	}
	wait_and_say("exec", pid);

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	posix_spawn_file_actions_adddup2(&actions, 70, 72);
	/* It may speak before its parent does. */
	err = posix_spawn(&pid, abi_program(), &actions, &attributes, arguments, environment);
	wait_and_say("spawned", pid);
	say("spawn: %d", err);
	say("spawn of nothing: %d",
	    posix_spawn(&pid, "/nonexistent", &actions, &attributes, arguments, environment));
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(kept);
	close(closed);
	close(70);
	close(71);
}

/* What the program says that execs() starts. */
int exec_said(int argc, char *argv[], char *environment[])
{
	say("exec: %d arguments: %s, %s, %s; environment %s", argc, argv[1], argv[2], argv[3],
	    environment[0] ?: "none");
	say("exec: kept %d, closed %d", fcntl(70, F_GETFD), fcntl(71, F_GETFD));
	say("exec: leads its session: %d", getsid(0) == getpid());
	return 33;
}

void group_processes(void)
{
	forks();
	endings();
	notices();
	orphans();
	execs();
}
