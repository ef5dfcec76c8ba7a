/*
 * The first program on a machine whose KVM API is misused: `probe SEED SECONDS`.
 *
 * One child after the other, each with a few threads that share descriptors and memory, does with them what it likes: any call with any argument in
 * any order, while others of its threads run guests, unmap what the guests stand on, and close what is in use. Which calls a thread makes follows from
 * the seed; how the threads meet doesn't. Then an honest guest must work as ever, and as many objects must be there as before.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/support/object_counts.h"
#include "tests/system/kernel_abuse/abuse.h"

enum {
	VMS = 4,
	THREADS = 4,
	KICK_MS = 2,
	CHILD_MS = 700, /* at most */
	STEPS_OF_FORKED = 20,
	END_TRIES = 5000,
	SETTLE_MS = 50,
	SPARE_FRAMES = 64,
};

uint8_t *arena;
static pthread_t threads[THREADS];

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, (long)(ms % 1000) * 1000000 }, NULL);
}

/* --- steps --- */

static void fork_now_and_then(struct random *random);

static const struct {
	unsigned int weight;
	void (*take)(struct random *random);
} steps[] = {
	{ 1, make_vm },	      { 1, write_guest },   { 2, set_memory }, { 2, set_state },
	{ 1, set_msrs },      { 1, change_state },  { 2, any_ioctl },  { 1, connect_interrupt },
	{ 1, send_message },  { 1, write_run },	    { 6, run_guest },  { 1, make_file },
	{ 1, close_or_copy }, { 3, change_memory }, { 3, any_call },   { 1, fork_now_and_then },
};

static void step(struct random *random)
{
	unsigned int sum = 0;
	uint64_t at;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		sum += steps[i].weight;
	at = pick(random, sum);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (at < steps[i].weight) {
			steps[i].take(random);
			return;
		}
		at -= steps[i].weight;
	}
}

/* Another process with the same descriptors; it ends as it likes. */
static void fork_now_and_then(struct random *random)
{
	pid_t pid;

	if (!one_in(random, 16))
		return;
	pid = fork();
	if (!pid) {
		for (int i = 0; i < STEPS_OF_FORKED; i++)
			step(random);
		_exit(0);
	}
	if (pid > 0 && one_in(random, 2)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* --- children --- */

static void on_kick(int signal)
{
	(void)signal;
}

static void *work_on(void *argument)
{
	struct random random = { *(uint64_t *)argument };

	for (;;)
		step(&random);
	return NULL;
}

/* Kicks its threads out of their guests and calls until its time is up. */
static void child(uint64_t seed)
{
	struct random random = { seed };
	uint64_t seeds[THREADS], end = now_ms() + 50 + pick(&random, CHILD_MS);
	struct sigaction kick = { .sa_handler = on_kick };

	sigaction(SIGUSR1, &kick, NULL);
	arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		_exit(1);
	madvise(arena, ARENA_BYTES, MADV_HUGEPAGE);
	for (int i = 0; i < VMS; i++) {
		write_guest(&random);
		make_vm(&random);
	}
	for (int i = 0; i < THREADS; i++) {
		seeds[i] = next(&random);
		if (pthread_create(&threads[i], NULL, work_on, &seeds[i]))
			_exit(1);
	}
	while (now_ms() < end) {
		sleep_ms(KICK_MS);
		for (int i = 0; i < THREADS; i++)
			pthread_kill(threads[i], SIGUSR1);
	}
	_exit(0);
}

/* All processes but this one, also those that one that is ending makes. */
static void end_all(void)
{
	pid_t ended = 0;

	for (int i = 0; i < END_TRIES && ended >= 0; i++) {
		kill(-1, SIGKILL);
		ended = waitpid(-1, NULL, WNOHANG);
		if (!ended)
			sleep_ms(2);
	}
	if (ended >= 0)
		printf("FAILED: a process that SIGKILL doesn't end\n");
}

static void run_child(uint64_t seed)
{
	pid_t pid = fork();

	if (!pid) {
		/* What it says isn't to be read by anybody. */
		dup2(open("/dev/null", O_RDWR), 1);
		dup2(1, 0);
		dup2(1, 2);
		child(seed);
	}
	if (pid < 0) {
		printf("FAILED: fork: %s\n", strerror(errno));
		return;
	}
	/* Some are not even let finish. A call may be one that nothing ends but a signal, in a child of the child, too. */
	for (int waited = 0; waited < 3 * CHILD_MS; waited += 10) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			break;
		if (seed % 4 == 0 && waited > 200)
			break;
		sleep_ms(10);
	}
	end_all();
}

/* --- before and after --- */

static void tell_leak(const char *kind, long was, long is)
{
	printf("FAILED: %s: %ld before, %ld after\n", kind, was, is);
}

static void remove_file(void)
{
	if (unlink("/tmp/abused") && rmdir("/tmp/abused") && errno != ENOENT)
		printf("FAILED: /tmp/abused: %s\n", strerror(errno));
}

static void read_counts(struct object_counts *counts)
{
	sleep_ms(SETTLE_MS);
	if (!object_counts_read(counts))
		printf("FAILED: no counts: %s\n", strerror(errno));
}

int main(int argc, char *argv[])
{
	static struct object_counts before, after;
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, end;
	unsigned int children = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!honest_guest_works())
		printf("FAILED: an honest guest, before\n");
	run_child(seed); /* what is made once and kept */
	remove_file();
	read_counts(&before);
	end = now_ms() + (argc > 2 ? strtoull(argv[2], NULL, 0) : 10) * 1000;
	for (struct random seeds = { seed }; now_ms() < end; children++) {
		uint64_t of_child = next(&seeds);

		printf("seed %#llx\n", (unsigned long long)of_child);
		run_child(of_child);
	}
	remove_file();
	read_counts(&after);
	if (!object_counts_grown(&before, &after, SPARE_FRAMES, tell_leak) && honest_guest_works())
		printf("abused by %u, all is well\n", children);
	reboot(RB_POWER_OFF);
	return 1;
}
