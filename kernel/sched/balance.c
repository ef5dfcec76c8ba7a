/*
 * Threads go to processors that have less to do: see balance.h. What is read of other queues is a hint; what a
 * wrong one does is put right at the next occasion.
 */
#include "kernel/cpu/clock.h"
#include "kernel/sched/balance.h"
#include "kernel/sched/runq.h"

/* Caches that are filled anew cost little beside this. */
#define BALANCE_NS ((uint64_t)(16 * SLICE_NS))

static uint64_t weight_of(const struct runq *queue)
{
	return __atomic_load_n(&queue->weight, __ATOMIC_RELAXED);
}

/* One that waits on @from, of at most @weight_max. */
static void move(struct runq *from, uint64_t weight_max, uint32_t cpu)
{
	struct runq *locked = from;
	struct thread *thread;

	spin_lock(&from->lock);
	thread = runq_oldest(from, weight_max);
	if (thread) {
		runq_remove(from, thread);
		runq_leave(from, thread);
		locked = thread_place(from, thread, cpu);
	}
	spin_unlock(&locked->lock);
}

void balance_pull(void)
{
	uint32_t here = this_cpu()->id;

	for (uint32_t i = 1; i < nr_cpus; i++) {
		struct runq *from = &runqs[(here + i) % nr_cpus];

		/* An idle one has been woken for those that wait there. */
		if (__atomic_load_n(&from->nr_queued, __ATOMIC_RELAXED) &&
		    __atomic_load_n(&from->current, __ATOMIC_RELAXED) != from->idle) {
			move(from, UINT64_MAX, here);
			return;
		}
	}
}

static uint32_t least_loaded(void)
{
	uint32_t least = 0;

	for (uint32_t cpu = 1; cpu < nr_cpus; cpu++)
		if (weight_of(&runqs[cpu]) < weight_of(&runqs[least]))
			least = cpu;
	return least;
}

void balance_push(void)
{
	struct runq *from = this_cpu()->runq;
	uint32_t cpu = least_loaded();
	uint64_t here = weight_of(from), there = weight_of(&runqs[cpu]), now = clock_ns();

	if (there >= here || (there && now - from->balanced_ns < BALANCE_NS))
		return;
	from->balanced_ns = now;
	move(from, here - there, cpu);
}
