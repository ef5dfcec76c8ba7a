/*
 * Threads, and the processors' time among them: see thread.h.
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
#include "kernel/mem/scrub.h"
#include "kernel/proc/process.h"
#include "kernel/sched/balance.h"
#include "kernel/sched/runq.h"
#include "lib/format.h"

static struct object_cache thread_cache = OBJECT_CACHE("thread", struct thread);
static uint32_t next_tid = 2; /* 1 is the first process's first */

void thread_begin(void);
void thread_switch(uint64_t *old_rsp, uint64_t new_rsp);
void thread_started(struct thread *thread);

/* --- switching --- */

/* While somebody waits for the CPU, the running thread's slice is limited. */
static void set_slice(struct runq *queue, struct thread *next)
{
	if (queue->nr_queued && !next->is_idle)
		timer_arm(&queue->slice, clock_ns() + (uint64_t)runq_slice_left(next));
}

static void slice_over(struct timer *timer UNUSED)
{
	balance_push();
	__atomic_store_n(&this_cpu()->needs_resched, true, __ATOMIC_RELAXED);
}

void thread_discard(struct thread *thread)
{
	stack_free(thread->stack);
	fpu_destroy(thread->fpu);
	object_free(&thread_cache, thread);
}

static void reap_dead(struct runq *queue)
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
	struct runq *queue = this_cpu()->runq;

	reap_dead(queue);
	spin_unlock(&queue->lock);
}

void thread_started(struct thread *thread UNUSED)
{
	finish_switch();
	irq_enable();
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

/* Who is charged for the time from now on. */
static void set_current(struct runq *queue, struct thread *next)
{
	next->started_ns = queue->current->started_ns;
	queue->current = next;
}

/* Interrupts are off; the queue's lock is held, and released by whoever runs next. */
static void switch_to(struct runq *queue, struct thread *previous, struct thread *next)
{
	struct cpu *cpu = this_cpu();

	if (previous->on_leave)
		previous->on_leave(previous);
	trace(TRACE_SWITCH, next->tid, 0);
	previous->is_on_cpu = false;
	next->is_on_cpu = true;
	set_current(queue, next);
	cpu->current = next;
	cpu->kernel_stack = (uint64_t)next->stack;
	cpu->tss.rsp0 = (uint64_t)next->stack;
	switch_state(previous, next);
	thread_switch(&previous->rsp, next->rsp);
	finish_switch();
}

static bool needs_resched(void)
{
	return __atomic_load_n(&this_cpu()->needs_resched, __ATOMIC_RELAXED);
}

/* Until somebody may have come to be run. Interrupts are off before and after. */
static void idle(void)
{
	for (;;) {
		if (!needs_resched())
			balance_pull();
		if (needs_resched())
			break;
		if (scrub_page())
			irq_enable_for_a_moment();
		else
			irq_enable_and_halt();
		irq_disable();
	}
	scrub_stop();
}

/* With the queue's lock, which the other ways to run a thread take: who is to run now. */
static struct thread *choose(struct runq *queue)
{
	__atomic_store_n(&this_cpu()->needs_resched, false, __ATOMIC_RELAXED);
	spin_lock(&queue->lock);
	runq_charge(queue);
	return runq_pick(queue);
}

/*
 * There is nothing to run: the CPU idles on the stack of the thread that has blocked, whose state stays loaded, for mostly it is the
 * one to go on. As it isn't on the queue, no other CPU takes it. Returns who is to run, without the idle thread.
 */
static struct thread *idle_in_place(struct runq *queue, struct thread *thread)
{
	struct thread *next = queue->idle;

	set_current(queue, next);
	while (next->is_idle) {
		spin_unlock(&queue->lock);
		idle();
		next = choose(queue);
		if (thread->state != THREAD_RUNNABLE)
			continue;
		runq_enter(queue, thread);
		if (!queue->nr_queued)
			return thread;
		runq_insert(queue, thread);
		next = runq_pick(queue);
	}
	return next;
}

static void schedule(void)
{
	struct runq *queue = this_cpu()->runq;
	struct thread *previous = queue->current, *next = choose(queue);

	if (next != previous && !previous->is_idle) {
		if (previous->state == THREAD_RUNNABLE)
			runq_insert(queue, previous);
		else
			runq_leave(queue, previous);
	}
	if (previous->state == THREAD_DEAD)
		queue->dead = previous;
	else if (next->is_idle && next != previous)
		next = idle_in_place(queue, previous);
	if (next->is_queued)
		runq_remove(queue, next);
	set_slice(queue, next);
	if (next != previous) {
		switch_to(queue, previous, next);
		return;
	}
	set_current(queue, next);
	spin_unlock(&queue->lock);
}

void thread_block(void)
{
	uint64_t flags = irq_save();

	schedule();
	irq_restore(flags);
}

void thread_yield(void)
{
	uint64_t flags = irq_save();
	struct runq *queue = this_cpu()->runq;

	spin_lock(&queue->lock);
	runq_yield(queue);
	spin_unlock(&queue->lock);
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

/* A thread's CPU is changed only with the lock of the queue where it was. */
static struct runq *lock_queue_of(const struct thread *thread)
{
	for (;;) {
		uint32_t cpu = __atomic_load_n(&thread->cpu, __ATOMIC_RELAXED);

		spin_lock(&runqs[cpu].lock);
		if (cpu == __atomic_load_n(&thread->cpu, __ATOMIC_RELAXED))
			return &runqs[cpu];
		spin_unlock(&runqs[cpu].lock);
	}
}

/* An idle CPU if there is one, its last one first: its caches are warm. */
static uint32_t choose_cpu(const struct thread *thread)
{
	for (uint32_t i = 0; i < nr_cpus; i++) {
		uint32_t cpu = (thread->cpu + i) % nr_cpus;

		if (runq_is_idle(&runqs[cpu]))
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

struct runq *thread_place(struct runq *queue, struct thread *thread, uint32_t cpu)
{
	__atomic_store_n(&thread->cpu, cpu, __ATOMIC_RELAXED);
	if (queue != &runqs[cpu]) {
		/* Runnable and on no queue: nobody touches it until it is on the new one. */
		spin_unlock(&queue->lock);
		queue = &runqs[cpu];
		spin_lock(&queue->lock);
	}
	runq_join(queue, thread);
	/* Another CPU sets its slice when it reschedules. */
	if (runq_comes_before_current(queue, thread) ||
	    (cpu != this_cpu()->id && queue->nr_queued == 1))
		ask_to_resched(cpu);
	else if (queue->nr_queued == 1)
		set_slice(queue, queue->current);
	return queue;
}

void thread_wake(struct thread *thread)
{
	uint64_t flags = irq_save();
	struct runq *queue = lock_queue_of(thread);

	if (thread->state == THREAD_BLOCKED) {
		__atomic_store_n(&thread->state, THREAD_RUNNABLE, __ATOMIC_SEQ_CST);
		/* If it is on its way to sleep, it will find itself runnable. */
		if (!thread->is_on_cpu)
			queue = thread_place(queue, thread, choose_cpu(thread));
		else if (queue->current != thread)
			ask_to_resched(thread->cpu);
	}
	spin_unlock(&queue->lock);
	irq_restore(flags);
}

void thread_kick(struct thread *thread)
{
	uint64_t flags = irq_save();
	struct runq *queue = lock_queue_of(thread);
	bool is_running_elsewhere = thread->is_on_cpu && thread->cpu != this_cpu()->id;

	spin_unlock(&queue->lock);
	if (is_running_elsewhere)
		apic_send(cpus[thread->cpu]->apic_id, VECTOR_RESCHEDULE);
	thread_wake(thread);
	irq_restore(flags);
}

static void on_reschedule(struct trap_frame *frame UNUSED)
{
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
	thread->started_ns = clock_ns();
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
	struct runq *queue = lock_queue_of(thread);
	uint64_t ran = thread->ran_ns;

	if (queue->current == thread)
		ran += clock_ns() - thread->started_ns;
	spin_unlock(&queue->lock);
	irq_restore(flags);
	return ran;
}

uint32_t threads_runnable(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < nr_cpus; i++) {
		const struct runq *queue = &runqs[i];

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
	struct runq *queue = &runqs[cpu->id];
	struct thread *idle = thread_new("idle");

	if (!idle)
		panic("CPU %u: no memory for its idle thread", cpu->id);
	idle->is_idle = true;
	idle->is_on_cpu = true;
	idle->started_ns = clock_ns();
	runq_init(queue, idle, slice_over);
	cpu->runq = queue;
	cpu->idle = cpu->current = idle;
}

void sched_idle(void)
{
	for (;;) {
		irq_disable();
		idle();
		schedule();
		irq_enable();
	}
}
