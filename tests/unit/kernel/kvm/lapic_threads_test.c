/*
 * Others post while the owner runs: nothing is lost, nothing is made up, and whoever isn't notified had no need
 * to be.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

enum { POSTERS = 3, ROUNDS = 20000 };

/* An owner that sleeps until it is notified, as a halted vCPU does. */
struct sleeper {
	struct bench bench;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool is_notified;
	uint32_t answered[POSTERS]; /* rounds that the owner has seen of each; atomic */
};

struct poster {
	struct sleeper *sleeper;
	uint32_t nth;
};

static void wake(void *context)
{
	struct sleeper *sleeper = context;

	pthread_mutex_lock(&sleeper->lock);
	sleeper->is_notified = true;
	pthread_cond_signal(&sleeper->woken);
	pthread_mutex_unlock(&sleeper->lock);
}

static void sleep_until_notified(struct sleeper *sleeper)
{
	pthread_mutex_lock(&sleeper->lock);
	while (!sleeper->is_notified)
		pthread_cond_wait(&sleeper->woken, &sleeper->lock);
	sleeper->is_notified = false;
	pthread_mutex_unlock(&sleeper->lock);
}

/*
 * Each round posts one of this poster's vectors and waits until the owner has taken it: if one were lost, or
 * the owner left asleep, this would hang.
 */
static void *post_and_wait(void *argument)
{
	struct poster *poster = argument;
	struct sleeper *sleeper = poster->sleeper;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct apic_message message = {
			.vector = (uint8_t)(0x20 + round % 63 * POSTERS + poster->nth),
			.is_level = round & 1,
		};

		if (apic_deliver(&sleeper->bench.map, &message) != 1)
			abort();
		while (__atomic_load_n(&sleeper->answered[poster->nth], __ATOMIC_ACQUIRE) == round)
			sched_yield();
	}
	return NULL;
}

static void take_all(struct sleeper *sleeper)
{
	struct lapic *lapic = bench_lapic(&sleeper->bench, 0);
	int vector;

	while ((vector = lapic_acknowledge(lapic)) >= 0) {
		uint32_t poster = (uint32_t)(vector - 0x20) % POSTERS;
		uint32_t round = sleeper->answered[poster];
		bool is_level = lapic_eoi(lapic) != LAPIC_DONE;

		assert_int_equal(is_level, round & 1);
		__atomic_store_n(&sleeper->answered[poster], round + 1, __ATOMIC_RELEASE);
	}
}

static uint32_t nr_answered(const struct sleeper *sleeper)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < POSTERS; i++)
		sum += sleeper->answered[i];
	return sum;
}

static void no_posted_interrupt_is_lost(void **state UNUSED)
{
	static const struct lapic_ops ops = {
		.notify = wake,
		.timer_cancel = bench_cancel,
	};
	struct sleeper sleeper = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.woken = PTHREAD_COND_INITIALIZER,
	};
	struct poster posters[POSTERS];
	pthread_t threads[POSTERS];
	struct lapic *lapic = bench_lapic(&sleeper.bench, 0);

	bench_start(&sleeper.bench, 1);
	bench_enable(&sleeper.bench, 0);
	lapic->ops = &ops;
	lapic->context = &sleeper;

	for (uint32_t i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){ &sleeper, i };
		assert_int_equal(pthread_create(&threads[i], NULL, post_and_wait, &posters[i]), 0);
	}
	while (nr_answered(&sleeper) < POSTERS * ROUNDS) {
		sleep_until_notified(&sleeper);
		take_all(&sleeper);
	}
	for (uint32_t i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(lapic_pending(lapic), -1);
}

/* ---- addresses that change ---- */

struct mover {
	struct bench bench;
	bool is_done; /* atomic */
};

static void quiet(void *context UNUSED)
{
}

/* The APIC is always at logical id 0x11 or 0x22, and nowhere in between. */
static void *keep_sending(void *argument)
{
	struct mover *mover = argument;
	uintptr_t nr_wrong = 0;

	while (!__atomic_load_n(&mover->is_done, __ATOMIC_RELAXED)) {
		struct apic_message to_none = { .destination = 0x44,
						.vector = 0x40,
						.is_logical = true };
		struct apic_message to_either = { .destination = 0x33,
						  .vector = 0x41,
						  .is_logical = true };

		nr_wrong += apic_deliver(&mover->bench.map, &to_none) != -1;
		nr_wrong += apic_deliver(&mover->bench.map, &to_either) != 1;
	}
	return (void *)nr_wrong;
}

static void an_address_is_never_seen_half_changed(void **state UNUSED)
{
	static const struct lapic_ops ops = { .notify = quiet, .timer_cancel = bench_cancel };
	static struct mover mover;
	struct lapic *lapic = bench_lapic(&mover.bench, 0);
	pthread_t thread;
	void *nr_wrong;

	bench_start(&mover.bench, 1);
	bench_enable(&mover.bench, 0);
	bench_write(&mover.bench, 0, LAPIC_LDR, 0x11000000);
	lapic->ops = &ops;
	assert_int_equal(pthread_create(&thread, NULL, keep_sending, &mover), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		bench_write(&mover.bench, 0, LAPIC_LDR, i & 1 ? 0x11000000 : 0x22000000);
		assert_int_not_equal(lapic_acknowledge(lapic), 0x40);
		lapic_eoi(lapic);
	}
	__atomic_store_n(&mover.is_done, true, __ATOMIC_RELAXED);
	pthread_join(thread, &nr_wrong);
	assert_null(nr_wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_posted_interrupt_is_lost),
		cmocka_unit_test(an_address_is_never_seen_half_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
