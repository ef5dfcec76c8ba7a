/*
 * Waiting for a condition: see waitq.h.
 */
#include "kernel/cpu/cpu.h"
#include "kernel/sched/waitq.h"

void waitq_init(struct waitq *queue)
{
	*queue = (struct waitq){ 0 };
	list_init(&queue->waiters);
}

static void wake_thread(struct waiter *waiter)
{
	thread_wake(waiter->thread);
}

void waiter_init_thread(struct waiter *waiter)
{
	*waiter = (struct waiter){ .woken = wake_thread, .thread = current_thread() };
}

void waiter_add(struct waitq *queue, struct waiter *waiter)
{
	uint64_t flags = spin_lock_irqsave(&queue->lock);

	waiter->queue = queue;
	list_append(&queue->waiters, &waiter->node);
	spin_unlock_irqrestore(&queue->lock, flags);
}

void waiter_remove(struct waiter *waiter)
{
	uint64_t flags = spin_lock_irqsave(&waiter->queue->lock);

	list_remove(&waiter->node);
	spin_unlock_irqrestore(&waiter->queue->lock, flags);
}

void waitq_wake_for(struct waitq *queue, uint32_t events)
{
	uint64_t flags = spin_lock_irqsave(&queue->lock);

	list_for_each(node, &queue->waiters) {
		struct waiter *waiter = list_entry(node, struct waiter, node);

		waiter->events = events;
		waiter->woken(waiter);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

void waitq_wake(struct waitq *queue)
{
	waitq_wake_for(queue, UINT32_MAX);
}

void waitq_wake_one(struct waitq *queue)
{
	uint64_t flags = spin_lock_irqsave(&queue->lock);

	if (!list_is_empty(&queue->waiters)) {
		struct waiter *waiter = list_entry(queue->waiters.next, struct waiter, node);

		/* To the back: the next one wakes the next one. */
		list_remove(&waiter->node);
		list_append(&queue->waiters, &waiter->node);
		waiter->woken(waiter);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

void thread_will_block(void)
{
	__atomic_store_n(&current_thread()->state, THREAD_BLOCKED, __ATOMIC_SEQ_CST);
}

void thread_will_run(void)
{
	__atomic_store_n(&current_thread()->state, THREAD_RUNNABLE, __ATOMIC_SEQ_CST);
}
