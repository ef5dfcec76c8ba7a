/*
 * A process: threads that share an address space and descriptors.
 *
 * Fields: [I] immutable  [L] lock  [S] signal_lock  [T] processes_lock (the tree of parents and children)  [a] atomic
 * Locks, in this order: processes_lock, process->lock, process->signal_lock.
 */
#pragma once

#include <linux/resource.h>

#include "kernel/cpu/cpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/fs/fdtable.h"
#include "kernel/fs/node.h"
#include "kernel/mem/mm.h"
#include "kernel/proc/signal.h"
#include "kernel/sched/thread.h"

enum { PROCESS_NAME_BYTES = 16 };

struct process_usage {
	uint64_t ran_ns;    /* by its threads */
	uint64_t pages_max; /* the most that were mapped at once, 4 KiB each */
};

struct process {
	uint32_t refs; /* [a] each thread's; one until somebody has waited for it */
	uint32_t pid;  /* [I] */
	struct mutex lock;
	/* [L] Changes in exec and at the end, by its only thread, which needs no lock to look. */
	struct mm *mm;
	struct fdtable fds;
	struct node *program;		      /* [L] what it runs; NULL: the end */
	uint64_t started_ns;		      /* [I] */
	struct rlimit64 limits[RLIM_NLIMITS]; /* [L] only that of descriptors is one here */
	struct process_usage ended;	      /* [L] of threads and address spaces that are gone */
	struct list threads;		      /* [L and S] */
	uint32_t nr_threads;		      /* [L, a] */
	struct waitq thread_left;	      /* one of its threads has ended */
	struct list everyone;		      /* [T] all processes */
	struct process *parent;		      /* [T] NULL: the first */
	struct list children;		      /* [T] */
	struct list siblings;		      /* [T] */
	struct process_usage children_usage;  /* [T] of those that were waited for */
	uint32_t group, session;	      /* [T] */
	int exit_signal;		      /* [I] what the parent gets; 0: nothing */
	int death_signal;	    /* [a] what it gets when its parent ends; 0: nothing */
	bool isnt_dumpable;	    /* [a] */
	struct waitq child_changed; /* a child has ended */
	bool is_ending;		    /* [L, a] */
	bool has_ended;		    /* [T, a] to be waited for; its memory is free */
	bool has_left_mm; /* [a] it has an address space of its own, or none: vfork() is over */
	struct waitq left_mm;
	struct spinlock signal_lock;
	struct signal_action actions[SIGNALS_MAX]; /* [S] */
	uint64_t signals_pending;		   /* [S, a] for any of its threads */
	struct list signal_items;		   /* [S] */
	int exit_status;			   /* [L] as wait() reports it */
	char name[PROCESS_NAME_BYTES];
	uint64_t unknown_calls_logged[8]; /* [a] a bit for each system call that it was told of */
};

static inline struct process *current_process(void)
{
	return current_thread()->process;
}

/* Starts the first process: /sbin/init, /init or what the command line says. Does not return. */
_Noreturn void process_start_first(void);

/* The one that all others come from. NULL for want of memory. */
struct process *process_create_first(struct mm *mm);

/* It has ended: so does the machine, which is off or starts again. */
_Noreturn void process_end_first(int exit_status);

/* A child of the calling process's with nothing in it but @mm, which it takes. NULL for want of memory: @mm is the caller's. */
struct process *process_create_child(uint32_t pid, struct mm *mm);
/* One that never had a thread: undoes process_create_child(). */
void process_discard_child(struct process *process);

struct process *process_get(struct process *process);
void process_put(struct process *process);

/* Counted; NULL: there is none, or it has ended. */
struct process *process_find(uint32_t pid);
struct process *process_find_by_thread(uint32_t tid);
/* How many there are, those that nobody has waited for too. */
uint32_t process_count(void);
/* With processes_lock held. */
void process_for_each(void (*visit)(struct process *process, void *context), void *context);

/**
 * process_wait() - take leave of a child that has ended
 * @pid: as wait4(): one; -1 any; 0 of the caller's group; below -1 of that group
 * @flags: WNOHANG
 * @usage: its own and that of its children
 *
 * Returns its number; 0 none yet (WNOHANG); -ECHILD there is none; -EINTR.
 */
MUST_CHECK int64_t process_wait(int64_t pid, uint32_t flags, int *status,
				struct process_usage *usage);

/* setsid(). -EPERM. */
MUST_CHECK int process_set_session(void);

/* Counted; @process may be any. NULL: it has ended. */
struct node *process_program(struct process *process);

/* The calling process, of one thread: what it runs from now on (a reference that it takes), and where, which leaves the old one to the caller. */
void process_set_name(const char *path); /* by its program's path */
void process_change_program(struct node *program);
void process_change_mm(struct mm *mm);

/* Its address space is no longer its parent's, who waits in vfork(). */
void process_leave_mm(struct process *process);

/* Ends the calling process's other threads and waits for that. -EAGAIN: the process is ending anyway. */
MUST_CHECK int process_end_other_threads(void);

/* Adds @thread to @process, counted. */
void process_add_thread(struct process *process, struct thread *thread);

/* Ends the calling thread; with the last one its process. */
_Noreturn void process_exit_thread(int status);
/* Ends the whole calling process: other threads leave as soon as they can. */
_Noreturn void process_exit_all(int wait_status);

/**
 * exec_load() - put a program into @mm
 * @out: how it begins, all other registers 0
 *
 * Returns 0; -ENOENT, -EACCES, -ENOEXEC, -ENOMEM, -E2BIG.
 */
struct exec_strings {
	char *bytes; /* all strings, terminated, one after the other: arguments, then environment */
	uint32_t nr_bytes, nr_args, nr_env;
};
MUST_CHECK int exec_load(struct mm *mm, struct node *program, const struct exec_strings *strings,
			 struct trap_frame *out);

/* Into ring 3 for the first time. */
_Noreturn void enter_user_frame(const struct trap_frame *frame);
