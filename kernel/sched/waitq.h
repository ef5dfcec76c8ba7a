/*
 * Waiting for a condition that somebody else makes true, and being told.
 *
 *	waitq_wait(&queue, has_data(pipe));              until it is true
 *	err = waitq_wait_killable(&queue, condition);    0, or -EINTR where the thread has a signal to take
 *	waitq_wake(&queue);                              after making it true
 *
 * No wake-up is lost: the thread is on the queue and marked as blocked before the condition is looked at for the last
 * time. The condition is evaluated without locks of the queue; it takes what it needs.
 * Context: waiting: a thread, interrupts on. Waking: any.
 */
#pragma once

#include <errno.h>

#include "kernel/arch/spinlock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/sched/thread.h"

/* Fields: [L] lock */
struct waitq {
	struct spinlock lock;
	struct list waiters; /* [L] */
};

/* One waits, or polls (poll.h). @woken is called with the queue's lock held and interrupts off. */
struct waiter {
	struct list node; /* [waitq lock] */
	struct waitq *queue;
	void (*woken)(struct waiter *waiter);
	struct thread *thread;
	uint32_t events; /* [waitq lock] what the wake-up was for: EPOLL*, or all bits */
};

#define WAITQ(name)                                             \
	{                                                       \
		.waiters = { &(name).waiters, &(name).waiters } \
	}

void waitq_init(struct waitq *queue);
void waitq_wake(struct waitq *queue);			   /* all */
void waitq_wake_for(struct waitq *queue, uint32_t events); /* all, saying what has happened */
void waitq_wake_one(struct waitq *queue);		   /* the one that has waited longest */

/* Without the lock: for who has just made the condition true, with a full barrier after it. */
static inline bool waitq_has_waiters(const struct waitq *queue)
{
	return __atomic_load_n(&queue->waiters.next, __ATOMIC_RELAXED) != &queue->waiters;
}

/* The steps of waiting; the macros below put them together. */
void waiter_add(struct waitq *queue, struct waiter *waiter);
void waiter_remove(struct waiter *waiter);
void waiter_init_thread(struct waiter *waiter);

/* Says that the calling thread is about to block; a wake-up from here on undoes it. */
void thread_will_block(void);
void thread_will_run(void);

/* Does the calling thread have a reason not to wait? */
static inline bool thread_is_interrupted(void)
{
	const struct thread *thread = current_thread();

	return __atomic_load_n(&thread->is_exiting, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&thread->is_signalled, __ATOMIC_ACQUIRE);
}

#define THREAD_WAIT(condition, may_stop)                             \
	({                                                           \
		int stop_ = 0;                                       \
                                                                     \
		for (;;) {                                           \
			thread_will_block();                         \
			if (condition)                               \
				break;                               \
			if ((may_stop) && thread_is_interrupted()) { \
				stop_ = -EINTR;                      \
				break;                               \
			}                                            \
			thread_block();                              \
		}                                                    \
		thread_will_run();                                   \
		stop_;                                               \
	})

#define WAITQ_WAIT(wait_queue, condition, may_stop)                 \
	({                                                          \
		int result_ = 0;                                    \
                                                                    \
		if (!(condition)) {                                 \
			struct waiter waiter_;                      \
                                                                    \
			waiter_init_thread(&waiter_);               \
			waiter_add(wait_queue, &waiter_);           \
			result_ = THREAD_WAIT(condition, may_stop); \
			waiter_remove(&waiter_);                    \
		}                                                   \
		result_;                                            \
	})

/* On no queue: whoever makes the condition true wakes the thread itself (thread_wake()). 0, or -EINTR. */
#define thread_wait_killable(condition)	      THREAD_WAIT(condition, true)
#define waitq_wait(queue, condition)	      ((void)WAITQ_WAIT(queue, condition, false))
#define waitq_wait_killable(queue, condition) WAITQ_WAIT(queue, condition, true)
