/*
 * Timers: see timer.h.
 */
#include "kernel/arch/spinlock.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/sched/timer.h"

/* Fields: [L] lock */
struct timer_queue {
	struct spinlock lock;
	struct rb_tree tree;   /* [L] */
	struct timer *running; /* [L] whose function runs now */
	uint64_t set_for_ns;   /* [L] what the hardware is set for */
};

static struct timer_queue queues[CPUS_MAX];

static struct timer *first_of(struct timer_queue *queue)
{
	struct rb_node *node = rb_first(&queue->tree);

	return node ? rb_entry(node, struct timer, node) : NULL;
}

static void insert(struct timer_queue *queue, struct timer *timer)
{
	struct rb_node **link = &queue->tree.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = timer->when_ns < rb_entry(parent, struct timer, node)->when_ns
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&queue->tree, &timer->node, parent, link);
}

/* Only the CPU that owns a queue sets its hardware. */
static void set_hardware(struct timer_queue *queue)
{
	struct timer *first = first_of(queue);
	uint64_t when = first ? first->when_ns : TIMER_NEVER;

	if (when == queue->set_for_ns)
		return;
	queue->set_for_ns = when;
	apic_timer_set(when);
}

/* Takes it out of the queue that it is in, if any. Waits out its function if @waits. */
static void detach(struct timer *timer, bool waits)
{
	for (;;) {
		struct timer_queue *queue = &queues[__atomic_load_n(&timer->cpu, __ATOMIC_RELAXED)];
		uint64_t flags = spin_lock_irqsave(&queue->lock);
		bool is_running;

		if (queue != &queues[timer->cpu]) {
			spin_unlock_irqrestore(&queue->lock, flags);
			continue; /* it was moved meanwhile */
		}
		if (timer->when_ns != TIMER_NEVER) {
			rb_remove(&queue->tree, &timer->node);
			timer->when_ns = TIMER_NEVER;
			/* The hardware may fire for nothing: cheaper than setting it. */
		}
		is_running = queue->running == timer;
		spin_unlock_irqrestore(&queue->lock, flags);
		if (!is_running || !waits)
			return;
		cpu_relax();
	}
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer))
{
	*timer = (struct timer){ .when_ns = TIMER_NEVER, .expired = expired };
}

void timer_arm(struct timer *timer, uint64_t when_ns)
{
	uint64_t flags = irq_save();
	struct timer_queue *queue = &queues[this_cpu()->id];

	detach(timer, false);
	spin_lock(&queue->lock);
	timer->cpu = this_cpu()->id;
	timer->when_ns = when_ns;
	insert(queue, timer);
	set_hardware(queue);
	spin_unlock(&queue->lock);
	irq_restore(flags);
}

void timer_cancel(struct timer *timer)
{
	detach(timer, true);
}

static void expire_due(struct timer_queue *queue)
{
	struct timer *timer;

	while ((timer = first_of(queue)) && timer->when_ns <= clock_ns()) {
		rb_remove(&queue->tree, &timer->node);
		timer->when_ns = TIMER_NEVER;
		queue->running = timer;
		spin_unlock(&queue->lock);
		timer->expired(timer);
		spin_lock(&queue->lock);
		queue->running = NULL;
	}
}

static void on_timer_interrupt(struct trap_frame *frame UNUSED)
{
	struct timer_queue *queue = &queues[this_cpu()->id];

	irq_end();
	spin_lock(&queue->lock);
	queue->set_for_ns = TIMER_NEVER; /* it is set no more */
	expire_due(queue);
	set_hardware(queue);
	spin_unlock(&queue->lock);
}

void timers_init(void)
{
	trap_set_handler(VECTOR_TIMER, on_timer_interrupt);
}

void timers_init_cpu(void)
{
	queues[this_cpu()->id].set_for_ns = TIMER_NEVER;
}
