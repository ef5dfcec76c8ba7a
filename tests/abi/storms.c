/*
 * Many of everything: processes, threads and descriptors that come and go. (What they took is given back: main.c looks.)
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/abi/abi.h"

enum { STARTS = 100, CROWD = 60, GENERATIONS = 30 };

extern char **environ;

/* As bhd does it: a session of its own, pipes for its output, every signal as it was. */
static int start_one(posix_spawnattr_t *attributes)
{
	char *arguments[] = { (char *)"abi", (char *)"--end", NULL };
	posix_spawn_file_actions_t actions;
	int ends[2], status = -1;
	char text[8] = "";
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return 0;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (posix_spawn(&pid, abi_program(), &actions, attributes, arguments, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (read(ends[0], text, sizeof(text)) > 0)
		;
	close(ends[0]);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3 &&
	       !strncmp(text, "end", 3);
}

static void starts(void)
{
	posix_spawnattr_t attributes;
	int worked_well = 0;

	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	for (int i = 0; i < STARTS; i++)
		worked_well += start_one(&attributes);
	posix_spawnattr_destroy(&attributes);
	say("programs started and ended: %d", worked_well);
}

/* All at once, and all killed at once. */
static void crowd(void)
{
	int killed = 0, status;
	pid_t pids[CROWD];

	for (int i = 0; i < CROWD; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			volatile char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
						     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			for (size_t at = 0; at < 1 << 20; at += 4096)
				memory[at] = 1;
			for (;;)
				if (i % 2)
					pause();
				else
					memory[0]++;
		}
	}
	for (int i = 0; i < CROWD; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < CROWD; i++)
		killed += waitpid(pids[i], &status, 0) == pids[i] && WIFSIGNALED(status);
	say("killed: %d", killed);
}

/* Each child has one itself and ends: the line of orphans is the first process's to reap. */
static void line(void)
{
	int ends[2];
	char byte;

	pipe(ends);
	if (!fork()) {
		for (int i = 0; i < GENERATIONS; i++)
			if (fork())
				_exit(0);
		write(ends[1], "+", 1);
		_exit(0);
	}
	close(ends[1]);
	say("the last of the line: %zd", read(ends[0], &byte, 1));
	say("and nobody else: %zd", read(ends[0], &byte, 1));
	close(ends[0]);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void *spins(void *argument)
{
	return argument;
}

static void *forks_too(void *argument)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return argument;
}

static void threads(void)
{
	pthread_t thread[4];
	int joined = 0;

	for (int i = 0; i < STARTS; i++) {
		void *back = NULL;

		pthread_create(&thread[0], NULL, spins, thread);
		pthread_join(thread[0], &back);
		joined += back == thread;
	}
	say("threads: %d", joined);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, forks_too, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	RESULT(waitpid(-1, NULL, WNOHANG));
}

/* A process that ends gives back every kind of descriptor, whatever state it is in. */
static void descriptors(void)
{
	int worked_well = 0, status;

	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (!pid) {
			int pair[2], epoll = epoll_create1(0), outer = epoll_create1(0);
			int event = eventfd(1, 0), memory = memfd_create("x", 0), ends[2];
			struct epoll_event all = { .events = EPOLLIN | EPOLLOUT };

			socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
			pipe(ends);
			write(pair[0], "unread", 6);
			write(ends[1], "unread", 6);
			ftruncate(memory, 1 << 20);
			pwrite(memory, "kept", 4, 1 << 19);
			epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &all);
			epoll_ctl(epoll, EPOLL_CTL_ADD, event, &all);
			epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &all);
			mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, memory, 0);
			for (int n = 0; n < 40; n++)
				dup(n % 2 ? pair[0] : epoll);
			if (i % 3 == 1)
				raise(SIGKILL);
			_exit(epoll_wait(outer, &all, 1, 0));
		}
		waitpid(pid, &status, 0);
		worked_well += i % 3 == 1 ? WIFSIGNALED(status) : WEXITSTATUS(status) == 1;
	}
	say("descriptors: %d", worked_well);
}

void group_storms(void)
{
	starts();
	crowd();
	line();
	threads();
	descriptors();
}
