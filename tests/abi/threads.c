/*
 * Threads and futexes.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/abi/abi.h"

enum { THREADS = 8, ROUNDS = 2000 };

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout,
		  uint32_t *other, uint32_t compared)
{
	return syscall(SYS_futex, word, operation, value, timeout, other, compared);
}

static void bad_calls(void)
{
	static uint32_t word = 5;
	const struct timespec wrong = { .tv_nsec = 1000000000 }, negative = { .tv_sec = -1 };

	RESULT(futex(&word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0));
	RESULT(futex(BAD_POINTER, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0));
	RESULT(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0));
	RESULT(futex((uint32_t *)((char *)&word + 1), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	RESULT(futex(&word, FUTEX_WAIT_PRIVATE, 5, &wrong, NULL, 0));
	RESULT(futex(&word, FUTEX_WAIT_PRIVATE, 5, &negative, NULL, 0));
	RESULT(futex(&word, FUTEX_WAIT_PRIVATE, 5, BAD_POINTER, NULL, 0));
	RESULT(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, NULL, NULL, 0));
	RESULT(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0));
	RESULT(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	RESULT(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, NULL, &word, 4));
	RESULT(futex(&word, 77, 1, NULL, NULL, 0));
	RESULT(syscall(SYS_set_robust_list, NULL, 1));
}

static void timeouts(void)
{
	static uint32_t word;
	struct timespec wait = { .tv_nsec = 20000000 };
	uint64_t start = now_ms();

	RESULT(futex(&word, FUTEX_WAIT_PRIVATE, 0, &wait, NULL, 0));
	say("relative: took its time %d", now_ms() - start >= 20);
	RESULT(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &wait, NULL, 1));
	start = now_ms();
	clock_gettime(CLOCK_REALTIME, &wait);
	wait.tv_sec++;
	wait.tv_nsec = wait.tv_nsec / 2;
	RESULT(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &wait, NULL, 1));
	say("absolute, by the calendar: took its time %d", now_ms() - start >= 100);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int count, turn;

static void *add(void *argument)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		count++;
		pthread_mutex_unlock(&lock);
		if (i % 100 == 0)
			sched_yield();
	}
	return argument;
}

static void *take_turns(void *argument)
{
	unsigned int mine = (unsigned int)(uintptr_t)argument;

	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&lock);
		while (turn % THREADS != mine)
			pthread_cond_wait(&changed, &lock);
		turn++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return argument;
}

static void run_all(void *(*function)(void *))
{
	pthread_t threads[THREADS];
	uintptr_t sum = 0;
	void *back;

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, function, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &back);
		sum += (uintptr_t)back;
	}
	say("joined: %lu", sum);
}

static __thread int own = 3;
static pid_t tid_there, pid_there;
static int own_there;

static void *look(void *argument)
{
	char name[16] = "";

	own_there = own++;
	tid_there = gettid();
	pid_there = getpid();
	prctl(PR_SET_NAME, "a name that is too long");
	prctl(PR_GET_NAME, name);
	say("its name: %s", name);
	return argument;
}

static void identity(void)
{
	pthread_t thread;

	say("main thread: %d", gettid() == getpid());
	pthread_create(&thread, NULL, look, NULL);
	pthread_join(thread, NULL);
	say("another: own id %d, same process %d, own variable %d %d", tid_there != gettid(),
	    pid_there == getpid(), own_there, own);
}

static uint32_t words[2];

static void *wait_on_first(void *argument)
{
	return (void *)futex(&words[0], FUTEX_WAIT_PRIVATE, 0, NULL, argument, 0);
}

static void requeue(void)
{
	pthread_t threads[3];
	long woken = 0;

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, wait_on_first, NULL);
	sleep_ms(100);
	RESULT(futex(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &words[1], 0));
	RESULT(futex(&words[1], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0));
	RESULT(futex(&words[0], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0));
	for (int i = 0; i < 3; i++) {
		void *back;

		pthread_join(threads[i], &back);
		woken += back == NULL;
	}
	say("woken: %ld", woken);
}

static void naps(void)
{
	struct timespec nap = { .tv_nsec = 15000000 }, left = { 0 };
	uint64_t start = now_ms();

	RESULT(nanosleep(&nap, &left));
	say("slept %d", now_ms() - start >= 15);
	say("clock_nanosleep: %d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &nap, NULL));
	nap.tv_nsec = -1;
	RESULT(nanosleep(&nap, &left));
	RESULT(clock_gettime(12345, &left));
	RESULT(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD_POINTER));
}

void group_threads(void)
{
	bad_calls();
	timeouts();
	run_all(add);
	say("counted: %u", count);
	run_all(take_turns);
	say("turns: %u", turn);
	identity();
	requeue();
	naps();
}
