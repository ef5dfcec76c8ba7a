/*
 * Threads of the kernel, and the processors' time among them.
 *
 * Each CPU has a queue of runnable threads, and its time goes to them by their weights (runq.h); the queues are kept equally
 * long (balance.h).
 *
 *   - The kernel isn't preempted while it runs. A thread gives up its CPU by thread_block() (through waitq.h),
 *     thread_yield(), or where it goes back to ring 3 or to a guest and cpu->needs_resched is set.
 *   - thread_wake() may be called from anywhere, any number of times: a thread that isn't blocked stays as it is.
 *
 * Fields: [Q] the lock of the queue of thread->cpu  [T] the thread itself  [I] immutable  [a] atomic
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/list.h"
#include "lib/rbtree.h"

enum thread_state {
	THREAD_RUNNABLE, /* runs, or waits for a CPU */
	THREAD_BLOCKED,	 /* waits to be woken */
	THREAD_DEAD,
};

enum {
	THREAD_WEIGHT = 1024, /* what everyone has */
	THREAD_NAME_BYTES = 16,
};

struct process;
struct fpu;
struct runq;

struct thread {
	uint64_t rsp;		      /* [Q] while it doesn't run */
	void *stack;		      /* [I] its top */
	char name[THREAD_NAME_BYTES]; /* [T] */
	struct process *process;      /* [I] NULL: the kernel's own */
	struct list siblings;	      /* the process's threads [process lock] */
	uint32_t tid;		      /* [T] changes only when a program replaces its process's */

	/* scheduling */
	uint32_t cpu;	      /* [Q, a] whose queue it belongs to */
	uint32_t state;	      /* [Q, a] enum thread_state; its own thread may write BLOCKED */
	bool is_queued;	      /* [Q] in the tree: runnable, and not running */
	bool is_on_cpu;	      /* [Q] on whose stack a CPU is: it runs, or that CPU idles there */
	bool is_idle;	      /* [I] */
	struct rb_node node;  /* [Q] in the tree, by deadline */
	uint64_t weight;      /* [Q] */
	int64_t vruntime;     /* [Q] ns of a share of weight THREAD_WEIGHT */
	int64_t vdeadline;    /* [Q] */
	int64_t min_vruntime; /* [Q] of its subtree */
	int64_t lag;	      /* [Q] while blocked: how far behind its share it was */
	struct runq *left;    /* [Q] while blocked: where that was */
	uint64_t started_ns;  /* [Q] when it was last given the CPU */
	uint64_t ran_ns;      /* [Q] in all */
	uint64_t queued_ns;   /* [Q] when it last came to wait for a CPU */
	uint64_t joined_ns;   /* [Q] when it last came to this CPU */
	uint64_t waited_ns;   /* [Q, a] for a CPU, in all, while runnable */

	/* ring 3's state besides the trap frame */
	uint64_t fs_base;	   /* [T] */
	struct fpu *fpu;	   /* [T] saved state; NULL: a kernel thread, which has none */
	uint64_t *clear_child_tid; /* [T] user address: cleared and woken at exit */
	uint64_t robust_list;	   /* [T] user address */
	bool is_exiting;	   /* [a] leave instead of going back to ring 3 */
	uint64_t signals_pending;  /* [S: process->signal_lock, a] */
	struct list signal_items;  /* [S] what is known of them */
	uint64_t signals_blocked;  /* [T writes under S, a] */
	uint64_t signals_saved;	   /* [T] the mask to go back to, if has_saved_signals */
	bool has_saved_signals;	   /* [T] */
	bool is_signalled;	   /* [a] there is a signal to take: don't wait */
	uint64_t fault_address;	   /* [T] of its last page fault, for handlers */
	struct seccomp *
		seccomp; /* [process lock writes, a] its newest filter of system calls; NULL: none */
	bool has_no_new_privileges; /* [a] */
	void (*on_leave)(
		struct thread
			*thread); /* [T] before another thread runs: a vCPU unloads its state */
	void *vcpu;		  /* [T] whose guest state is loaded */
};

/* Before anything else here; and on each CPU, whose idle thread the caller becomes. */
void sched_init(void);
void sched_init_cpu(void);

/**
 * thread_create() - a thread that will call @function(@argument), which must not return
 *
 * Not running yet: thread_wake() starts it. Returns NULL for want of memory.
 */
struct thread *thread_create(void (*function)(void *argument), void *argument, const char *name);

/* Undoes thread_create() for a thread that was never woken. */
void thread_discard(struct thread *thread);

void thread_wake(struct thread *thread);
/* @thread is runnable and on no queue: puts it on @cpu's. @queue, where it was last, is locked; returns the one that is then. */
struct runq *thread_place(struct runq *queue, struct thread *thread, uint32_t cpu);

/* Wakes it, or makes it come by user_return() soon if it runs: after giving it a reason to. It must not end meanwhile. */
void thread_kick(struct thread *thread);
void thread_yield(void);

/* The caller has set its state to THREAD_BLOCKED and looked at its condition since (waitq.h). */
void thread_block(void);

/* Ends the calling thread. Its memory goes once another runs. */
_Noreturn void thread_exit(void);

/* If another should run: on the way back to ring 3 or into a guest, interrupts on or off. */
void thread_preempt(void);

uint64_t thread_ran_ns(struct thread *thread);

/* How many run or wait for a CPU now. */
uint32_t threads_runnable(void);

/* The idle loop: for the thread that boot became. */
_Noreturn void sched_idle(void);
