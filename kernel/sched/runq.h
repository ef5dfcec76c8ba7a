/*
 * One processor's queue of threads, and who of them is to run.
 *
 * Virtual time on a queue runs at 1/(sum of weights); a thread's vruntime runs at 1/weight while it has the CPU. The mean of
 * the vruntimes by weight is where everyone should be: who isn't ahead of it is eligible, and of those the one whose slice
 * is due first gets the CPU ("earliest eligible virtual deadline first", EEVDF). The tree is in order of deadlines, and each
 * node knows the smallest vruntime below it, so that the choice takes one way down the tree.
 *
 * Context: the queue's lock is held, interrupts are off.
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"

/* For how long a thread has the CPU while others wait. */
#define SLICE_NS INT64_C(3000000)
/*
 * The same for the first time after it slept for longer than this: most don't take as long, and a short slice is due early. Who comes
 * more often waits for its turn: then more is done in one go.
 */
#define FIRST_SLICE_NS INT64_C(250000)

/* Fields: [L] lock, [a] read without it, as a hint */
struct runq {
	struct spinlock lock;
	struct rb_tree tree;	/* [L] threads that wait, by deadline */
	uint32_t nr_queued;	/* [L, a] of them */
	uint64_t weight;	/* [L, a] of those that wait and the one that runs */
	int64_t weighted;	/* [L] sum of weight * (vruntime - base) of the same */
	int64_t base;		/* [L] follows the mean, so that the sum stays small */
	struct thread *current; /* [L, a] */
	struct thread *idle;	/* [I] runs when nobody else wants to; has no share */
	struct thread *dead;	/* [L] to be freed by whoever runs next */
	struct timer slice;	/* armed while somebody waits */
	uint64_t balanced_ns;	/* by its CPU alone: when it last gave a thread away (balance.h) */
};

/* By the number of their CPU. */
extern struct runq runqs[CPUS_MAX];

void runq_init(struct runq *queue, struct thread *idle, void (*slice_over)(struct timer *slice));

/* Charges the running thread for the time since it was last charged. */
void runq_charge(struct runq *queue);

/* For how long @thread, charged until now, may go on while others wait. */
int64_t runq_slice_left(const struct thread *thread);

/*
 * @thread comes to this queue, to run or to wait; it keeps the lag with which it left the last one, within a slice; if it was ahead, less
 * what the others have caught up meanwhile.
 */
void runq_enter(struct runq *queue, struct thread *thread);
void runq_join(struct runq *queue, struct thread *thread);
/* @thread, which doesn't wait, is no longer of this queue. */
void runq_leave(struct runq *queue, struct thread *thread);

/* Of those of the queue: waits from now on; waits no longer. */
void runq_insert(struct runq *queue, struct thread *thread);
void runq_remove(struct runq *queue, struct thread *thread);

/* Who is to run, the one that runs among them if it still can: it may be the idle thread. */
struct thread *runq_pick(const struct runq *queue);

/* Should @thread, which waits, have the CPU at once? */
bool runq_comes_before_current(const struct runq *queue, const struct thread *thread);

/* The end of the running thread's turn: whoever is due comes first. */
void runq_yield(struct runq *queue);

/* Of those who wait, the one of at most @weight_max that has been here longest; NULL: none. */
struct thread *runq_oldest(const struct runq *queue, uint64_t weight_max);

/* Any context, without the lock: nothing runs there nor waits. */
static inline bool runq_is_idle(const struct runq *queue)
{
	return __atomic_load_n(&queue->current, __ATOMIC_RELAXED) == queue->idle &&
	       !__atomic_load_n(&queue->nr_queued, __ATOMIC_RELAXED);
}
