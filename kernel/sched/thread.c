/*
 * Threads, and the processors' time among them: see thread.h.
 *
 * Virtual time on a queue runs at 1/(sum of weights); a thread's vruntime runs at 1/weight while it has the CPU. The mean of
 * the vruntimes by weight is where everyone should be: who isn't ahead of it is eligible, and of those the one whose slice
 * is due first gets the CPU. The tree is in order of deadlines, and each node knows the smallest vruntime below it, so
 * that the choice takes one way down the tree.
 */
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/arch/spinlock.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/trap.h"
#include "kernel/mem/kspace.h"
#include "kernel/mem/object.h"
#include "kernel/proc/process.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"
#include "lib/format.h"

#define SLICE_NS INT64_C(3000000)

/* Fields: [L] lock */
struct run_queue {
	struct spinlock lock;
	struct rb_tree tree;	/* [L] queued threads, by deadline */
	uint32_t nr_queued;	/* [L, a] */
	uint64_t weight;	/* [L] of queued threads and the one that runs */
	int64_t weighted;	/* [L] sum of weight * (vruntime - base) of the same */
	int64_t base;		/* [L] follows the mean, so that the sum stays small */
	struct thread *current; /* [L] */
	struct thread *idle;	/* [I] */
	struct thread *dead;	/* [L] to be freed by whoever runs next */
	struct timer slice;	/* armed while somebody waits */
};

static struct run_queue queues[CPUS_MAX];
static struct object_cache thread_cache = OBJECT_CACHE("thread", struct thread);
static uint32_t next_tid = 2; /* 1 is the first process's first */

void thread_begin(void);
void thread_switch(uint64_t *old_rsp, uint64_t new_rsp);
void thread_started(struct thread *thread);

/* --- shares --- */

static int64_t vtime_of(const struct thread *thread, int64_t ns)
{
	return ns * THREAD_WEIGHT / (int64_t)thread->weight;
}

static void share_add(struct run_queue *queue, const struct thread *thread)
{
	queue->weight += thread->weight;
	queue->weighted += (int64_t)thread->weight * (thread->vruntime - queue->base);
}

static void share_remove(struct run_queue *queue, const struct thread *thread)
{
	queue->weight -= thread->weight;
	queue->weighted -= (int64_t)thread->weight * (thread->vruntime - queue->base);
}

/* Where everyone should be. */
static int64_t mean_vruntime(const struct run_queue *queue)
{
	if (!queue->weight)
		return queue->base;
	return queue->base + queue->weighted / (int64_t)queue->weight;
}

static void follow_mean(struct run_queue *queue)
{
	int64_t moved = mean_vruntime(queue) - queue->base;

	queue->base += moved;
	queue->weighted -= moved * (int64_t)queue->weight;
}

/* Charges the running thread for the time since it was last charged. */
static void charge(struct run_queue *queue)
{
	struct thread *thread = queue->current;
	uint64_t now = clock_ns();
	int64_t ran = (int64_t)(now - thread->started_ns);

	thread->started_ns = now;
	if (ran <= 0)
		return;
	thread->ran_ns += (uint64_t)ran;
	if (thread->is_idle)
		return;
	share_remove(queue, thread);
	thread->vruntime += vtime_of(thread, ran);
	share_add(queue, thread);
	follow_mean(queue);
	if (thread->vruntime >= thread->vdeadline)
		thread->vdeadline = thread->vruntime + vtime_of(thread, SLICE_NS);
}

/* --- the tree --- */

static struct thread *thread_of(struct rb_node *node)
{
	return rb_entry(node, struct thread, node);
}

static int64_t least(struct rb_node *node, int64_t otherwise)
{
	return node && thread_of(node)->min_vruntime < otherwise ? thread_of(node)->min_vruntime
								 : otherwise;
}

static void update_least(struct rb_node *node)
{
	struct thread *thread = thread_of(node);

	thread->min_vruntime = least(node->left, least(node->right, thread->vruntime));
}

static void tree_insert(struct run_queue *queue, struct thread *thread)
{
	struct rb_node **link = &queue->tree.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = thread->vdeadline < thread_of(parent)->vdeadline ? &parent->left
									: &parent->right;
	}
	thread->min_vruntime = thread->vruntime;
	rb_insert(&queue->tree, &thread->node, parent, link);
	thread->is_queued = true;
	thread->queued_ns = clock_ns();
	__atomic_store_n(&queue->nr_queued, queue->nr_queued + 1, __ATOMIC_RELAXED);
}

static void tree_remove(struct run_queue *queue, struct thread *thread)
{
	rb_remove(&queue->tree, &thread->node);
	thread->is_queued = false;
	thread->waited_ns += clock_ns() - thread->queued_ns;
	__atomic_store_n(&queue->nr_queued, queue->nr_queued - 1, __ATOMIC_RELAXED);
}

/* The earliest deadline among the eligible; rounding may leave nobody eligible: then the earliest of all. */
static struct thread *tree_pick(const struct run_queue *queue)
{
	int64_t mean = mean_vruntime(queue);
	struct rb_node *node = queue->tree.root;

	while (node) {
		if (node->left && thread_of(node->left)->min_vruntime <= mean)
			node = node->left;
		else if (thread_of(node)->vruntime <= mean)
			return thread_of(node);
		else
			node = node->right;
	}
	node = rb_first(&queue->tree);
	return node ? thread_of(node) : NULL;
}

/* --- joining and leaving a queue --- */

/* A thread that comes keeps the lag with which it went, within a slice. */
static void join(struct run_queue *queue, struct thread *thread)
{
	int64_t limit = vtime_of(thread, SLICE_NS), lag = thread->lag;

	if (lag > limit)
		lag = limit;
	if (lag < -limit)
		lag = -limit;
	if (!queue->weight) {
		queue->base = mean_vruntime(queue);
		queue->weighted = 0;
	}
	thread->vruntime = mean_vruntime(queue) - lag;
	thread->vdeadline = thread->vruntime + limit;
	share_add(queue, thread);
	tree_insert(queue, thread);
}

static void leave(struct run_queue *queue, struct thread *thread)
{
	int64_t mean = mean_vruntime(queue);

	thread->lag = mean - thread->vruntime;
	share_remove(queue, thread);
	if (!queue->weight) {
		queue->base = mean;
		queue->weighted = 0;
	}
}

/* --- switching --- */

/* While somebody waits for the CPU, the running thread's slice is limited. */
static void set_slice(struct run_queue *queue, struct thread *next)
{
	if (queue->nr_queued && !next->is_idle)
		timer_arm(&queue->slice, clock_ns() + (uint64_t)SLICE_NS);
}

static void slice_over(struct timer *timer)
{
	(void)timer;
	__atomic_store_n(&this_cpu()->needs_resched, true, __ATOMIC_RELAXED);
}

void thread_discard(struct thread *thread)
{
	stack_free(thread->stack);
	fpu_destroy(thread->fpu);
	object_free(&thread_cache, thread);
}

static void reap_dead(struct run_queue *queue)
{
	struct thread *dead = queue->dead;

	if (!dead)
		return;
	queue->dead = NULL;
	thread_discard(dead);
}

/* On the new thread's stack, with the queue's lock still held from before the switch. */
static void finish_switch(void)
{
	struct run_queue *queue = this_cpu()->queue;

	reap_dead(queue);
	spin_unlock(&queue->lock);
}

void thread_started(struct thread *thread)
{
	(void)thread;
	finish_switch();
	irq_enable();
}

static struct thread *pick_next(struct run_queue *queue, struct thread *previous)
{
	struct thread *next = tree_pick(queue);

	/* The one that runs may go on if it comes before all others. */
	if (previous->state == THREAD_RUNNABLE && !previous->is_idle &&
	    (!next || (previous->vruntime <= mean_vruntime(queue) &&
		       previous->vdeadline <= next->vdeadline)))
		return previous;
	return next ? next : queue->idle;
}

static struct mm *mm_of(const struct thread *thread)
{
	return thread->process ? thread->process->mm : NULL;
}

static void switch_state(struct thread *previous, struct thread *next)
{
	if (mm_of(next) != mm_of(previous))
		mm_activate(mm_of(next));
	if (previous->fs_base != next->fs_base)
		wrmsr(MSR_FS_BASE, next->fs_base);
	if (previous->fpu)
		fpu_save(previous->fpu);
	if (next->fpu)
		fpu_load(next->fpu);
}

/* Interrupts are off; the queue's lock is held, and released by whoever runs next. */
static void switch_to(struct run_queue *queue, struct thread *previous, struct thread *next)
{
	struct cpu *cpu = this_cpu();

	trace(TRACE_SWITCH, next->tid, 0);
	previous->is_on_cpu = false;
	next->is_on_cpu = true;
	next->started_ns = previous->started_ns;
	queue->current = next;
	cpu->current = next;
	cpu->kernel_stack = (uint64_t)next->stack;
	cpu->tss.rsp0 = (uint64_t)next->stack;
	switch_state(previous, next);
	thread_switch(&previous->rsp, next->rsp);
	finish_switch();
}

static void schedule(void)
{
	struct cpu *cpu = this_cpu();
	struct run_queue *queue = cpu->queue;
	struct thread *previous = queue->current, *next;

	__atomic_store_n(&cpu->needs_resched, false, __ATOMIC_RELAXED);
	if (previous->on_leave)
		previous->on_leave(previous);
	spin_lock(&queue->lock);
	charge(queue);
	next = pick_next(queue, previous);
	if (next == previous) {
		set_slice(queue, next);
		spin_unlock(&queue->lock);
		return;
	}
	if (!previous->is_idle) {
		if (previous->state == THREAD_RUNNABLE)
			tree_insert(queue, previous);
		else
			leave(queue, previous);
	}
	if (previous->state == THREAD_DEAD)
		queue->dead = previous;
	if (!next->is_idle)
		tree_remove(queue, next);
	set_slice(queue, next);
	switch_to(queue, previous, next);
}

void thread_block(void)
{
	uint64_t flags = irq_save();

	schedule();
	irq_restore(flags);
}

void thread_yield(void)
{
	struct thread *thread = current_thread();
	uint64_t flags = irq_save();

	/* To the end of its slice: whoever is due comes first. */
	spin_lock(&this_cpu()->queue->lock);
	thread->vdeadline += vtime_of(thread, SLICE_NS);
	spin_unlock(&this_cpu()->queue->lock);
	schedule();
	irq_restore(flags);
}

void thread_preempt(void)
{
	uint64_t flags = irq_save();

	if (__atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED))
		schedule();
	irq_restore(flags);
}

void thread_exit(void)
{
	irq_disable();
	current_thread()->state = THREAD_DEAD;
	schedule();
	panic("a dead thread runs");
}

/* --- waking --- */

static struct run_queue *lock_queue_of(struct thread *thread)
{
	for (;;) {
		uint32_t cpu = __atomic_load_n(&thread->cpu, __ATOMIC_RELAXED);

		spin_lock(&queues[cpu].lock);
		if (cpu == thread->cpu)
			return &queues[cpu];
		spin_unlock(&queues[cpu].lock);
	}
}

/* An idle CPU if there is one, its last one first: its caches are warm. */
static uint32_t choose_cpu(const struct thread *thread)
{
	for (uint32_t i = 0; i < nr_cpus; i++) {
		uint32_t cpu = (thread->cpu + i) % nr_cpus;
		const struct run_queue *queue = &queues[cpu];

		if (__atomic_load_n(&queue->current, __ATOMIC_RELAXED) == queue->idle &&
		    !__atomic_load_n(&queue->nr_queued, __ATOMIC_RELAXED))
			return cpu;
	}
	return thread->cpu;
}

static void ask_to_resched(uint32_t cpu)
{
	if (__atomic_exchange_n(&cpus[cpu]->needs_resched, true, __ATOMIC_SEQ_CST))
		return;
	if (cpu != this_cpu()->id)
		apic_send(cpus[cpu]->apic_id, VECTOR_RESCHEDULE);
}

/* Should @thread, which has just come, have the CPU at once? */
static bool comes_before_current(struct run_queue *queue, const struct thread *thread)
{
	if (queue->current->is_idle)
		return true;
	return thread->vruntime <= mean_vruntime(queue) &&
	       thread->vdeadline < queue->current->vdeadline;
}

/* With @queue locked, where it was last. Returns the queue that is locked then: where it is. */
static struct run_queue *enqueue(struct run_queue *queue, struct thread *thread)
{
	uint32_t cpu = choose_cpu(thread);

	if (cpu != thread->cpu) {
		/* Runnable and on no queue: nobody else will touch it until it is on the new one. */
		spin_unlock(&queue->lock);
		queue = &queues[cpu];
		spin_lock(&queue->lock);
		__atomic_store_n(&thread->cpu, cpu, __ATOMIC_RELAXED);
	}
	join(queue, thread);
	/* Another CPU sets its slice when it reschedules. */
	if (comes_before_current(queue, thread) || (cpu != this_cpu()->id && queue->nr_queued == 1))
		ask_to_resched(cpu);
	else if (queue->nr_queued == 1)
		set_slice(queue, queue->current);
	return queue;
}

void thread_wake(struct thread *thread)
{
	uint64_t flags = irq_save();
	struct run_queue *queue = lock_queue_of(thread);

	if (thread->state == THREAD_BLOCKED) {
		__atomic_store_n(&thread->state, THREAD_RUNNABLE, __ATOMIC_SEQ_CST);
		/* If it is on its way to sleep, it will find itself runnable. */
		if (!thread->is_on_cpu)
			queue = enqueue(queue, thread);
	}
	spin_unlock(&queue->lock);
	irq_restore(flags);
}

void thread_kick(struct thread *thread)
{
	uint64_t flags = irq_save();
	struct run_queue *queue = lock_queue_of(thread);
	bool is_running_elsewhere = thread->is_on_cpu && thread->cpu != this_cpu()->id;

	spin_unlock(&queue->lock);
	if (is_running_elsewhere)
		apic_send(cpus[thread->cpu]->apic_id, VECTOR_RESCHEDULE);
	thread_wake(thread);
	irq_restore(flags);
}

static void on_reschedule(struct trap_frame *frame)
{
	(void)frame;
	irq_end(); /* needs_resched is set already */
}

/* --- making threads --- */

static void prepare_stack(struct thread *thread, void (*function)(void *), void *argument)
{
	uint64_t *stack = thread->stack;

	/* As thread_switch() would have left it, with thread_begin() to return to. */
	*--stack = 0;
	*--stack = (uint64_t)thread_begin;
	*--stack = (uint64_t)function; /* rbx */
	*--stack = 0;		       /* rbp */
	*--stack = (uint64_t)thread;   /* r12 */
	*--stack = (uint64_t)argument; /* r13 */
	*--stack = 0;
	*--stack = 0;
	thread->rsp = (uint64_t)stack;
}

static struct thread *thread_new(const char *name)
{
	struct thread *thread = object_alloc(&thread_cache);

	if (!thread)
		return NULL;
	thread->weight = THREAD_WEIGHT;
	thread->cpu = this_cpu()->id;
	list_init(&thread->siblings);
	list_init(&thread->signal_items);
	format_text(thread->name, sizeof(thread->name), "%s", name);
	return thread;
}

struct thread *thread_create(void (*function)(void *argument), void *argument, const char *name)
{
	struct thread *thread = thread_new(name);

	if (!thread)
		return NULL;
	thread->stack = stack_alloc();
	if (!thread->stack) {
		object_free(&thread_cache, thread);
		return NULL;
	}
	thread->state = THREAD_BLOCKED;
	thread->tid = __atomic_fetch_add(&next_tid, 1, __ATOMIC_RELAXED);
	prepare_stack(thread, function, argument);
	return thread;
}

uint64_t thread_ran_ns(struct thread *thread)
{
	uint64_t flags = irq_save();
	struct run_queue *queue = lock_queue_of(thread);
	uint64_t ran = thread->ran_ns;

	if (thread->is_on_cpu)
		ran += clock_ns() - thread->started_ns;
	spin_unlock(&queue->lock);
	irq_restore(flags);
	return ran;
}

uint32_t threads_runnable(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < nr_cpus; i++) {
		const struct run_queue *queue = &queues[i];

		sum += __atomic_load_n(&queue->nr_queued, __ATOMIC_RELAXED) +
		       (__atomic_load_n(&queue->current, __ATOMIC_RELAXED) != queue->idle);
	}
	return sum;
}

void sched_init(void)
{
	trap_set_handler(VECTOR_RESCHEDULE, on_reschedule);
}

void sched_init_cpu(void)
{
	struct cpu *cpu = this_cpu();
	struct run_queue *queue = &queues[cpu->id];
	struct thread *idle = thread_new("idle");

	if (!idle)
		panic("CPU %u: no memory for its idle thread", cpu->id);
	idle->is_idle = true;
	idle->is_on_cpu = true;
	idle->started_ns = clock_ns();
	queue->tree.update = update_least;
	queue->idle = queue->current = idle;
	timer_init(&queue->slice, slice_over);
	cpu->queue = queue;
	cpu->idle = cpu->current = idle;
}

void sched_idle(void)
{
	for (;;) {
		irq_disable();
		if (__atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED)) {
			schedule();
			irq_enable();
		} else {
			irq_enable_and_halt();
		}
	}
}
