/*
 * Locks in memory that processes share, and what becomes of them when who holds them dies.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/abi/abi.h"

enum { PROCESSES = 4, ROUNDS = 300 };

struct board {
	pthread_mutex_t lock, robust;
	pthread_barrier_t barrier;
	sem_t semaphore;
	uint32_t word, other, count, woken;
};

/* Twice in the address space: a word is its place, not its address. */
static struct board *board, *again;

static void make_board(void)
{
	int fd = memfd_create("board", 0);
	pthread_mutexattr_t mutex;
	pthread_barrierattr_t barrier;

	ftruncate(fd, 4096);
	board = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	again = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&board->lock, &mutex);
	pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&board->robust, &mutex);
	pthread_barrierattr_init(&barrier);
	pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&board->barrier, &barrier, PROCESSES);
	sem_init(&board->semaphore, 1, 0);
}

static void wait_for_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void counting(void)
{
	for (int i = 0; i < PROCESSES; i++) {
		if (fork())
			continue;
		pthread_barrier_wait(&board->barrier);
		for (int round = 0; round < ROUNDS; round++) {
			pthread_mutex_lock(&board->lock);
			board->count++;
			pthread_mutex_unlock(&board->lock);
		}
		sem_post(&again->semaphore);
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++)
		sem_wait(&board->semaphore);
	say("counted by all: %u", board->count);
	wait_for_all();
}

static long futex(uint32_t *word, int operation, uint32_t value, uintptr_t value2, uint32_t *other)
{
	return syscall(SYS_futex, word, operation, value, value2, other, 0);
}

/* Until as many wait there as should. */
static void await_waiters(uint32_t *word, uint32_t nr_waiters)
{
	uint32_t got = 0;

	/* Moving them onto themselves tells how many there are. */
	while (got != nr_waiters) {
		long moved = futex(word, FUTEX_REQUEUE, 0, nr_waiters, word);

		got = moved < 0 ? 0 : (uint32_t)moved;
		sleep_ms(2);
	}
}

static void places(void)
{
	for (int i = 0; i < 3; i++) {
		if (fork())
			continue;
		futex(&board->word, FUTEX_WAIT, 0, 0, NULL);
		__atomic_fetch_add(&board->woken, 1, __ATOMIC_RELAXED);
		_exit(0);
	}
	await_waiters(&again->word, 3);
	RESULT(futex(&board->word, FUTEX_WAKE_PRIVATE, 9, 0, NULL));
	RESULT(futex(&again->word, FUTEX_REQUEUE, 1, 1, &board->other));
	RESULT(futex(&again->other, FUTEX_WAKE, 9, 0, NULL));
	RESULT(futex(&again->word, FUTEX_WAKE, 9, 0, NULL));
	wait_for_all();
	say("woken: %u", board->woken);
}

/* --- who holds a lock dies --- */

static void *take_and_end(void *argument)
{
	pthread_mutex_lock(&board->robust);
	return argument;
}

static void say_lock(const char *what)
{
	int err = pthread_mutex_lock(&board->robust);

	say("%s: %s", what, err ? strerrorname_np(err) : "taken");
	if (err == EOWNERDEAD)
		pthread_mutex_consistent(&board->robust);
	if (!err || err == EOWNERDEAD)
		pthread_mutex_unlock(&board->robust);
}

static void dead_owners(void)
{
	pthread_t thread;
	int ends[2], input[2];
	char byte;
	pid_t pid;

	pthread_create(&thread, NULL, take_and_end, NULL);
	pthread_join(thread, NULL);
	say_lock("after a thread's end");

	pid = fork();
	if (!pid) {
		pthread_mutex_lock(&board->robust);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say_lock("after a process's end");

	/* Killed while another waits. */
	pipe(ends);
	pid = fork();
	if (!pid) {
		pthread_mutex_lock(&board->robust);
		write(ends[1], "+", 1);
		for (;;)
			pause();
	}
	read(ends[0], &byte, 1);
	if (!fork()) {
		sleep_ms(30);
		kill(pid, SIGKILL);
		_exit(0);
	}
	say_lock("after a kill");
	wait_for_all();
	say_lock("and then");

	/* A new program holds nothing. It ends when its input does. */
	pipe(input);
	pid = fork();
	if (!pid) {
		char *arguments[] = { (char *)"abi", (char *)"--wait", NULL };

		pthread_mutex_lock(&board->robust);
		write(ends[1], "+", 1);
		dup2(input[0], 0);
		close(input[1]);
		execv(abi_program(), arguments);
		_exit(1);
	}
	read(ends[0], &byte, 1);
	say_lock("after an exec");
	close(input[1]);
	wait_for_all();
	close(input[0]);
	close(ends[0]);
	close(ends[1]);
}

void group_shared(void)
{
	make_board();
	counting();
	places();
	dead_owners();
	munmap(board, 4096);
	munmap(again, 4096);
}
