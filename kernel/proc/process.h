/*
 * A process: threads that share an address space and descriptors.
 *
 * Fields: [I] immutable  [L] lock  [T] processes_lock (the tree of parents and children)
 */
#pragma once

#include "kernel/cpu/cpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/fs/fdtable.h"
#include "kernel/fs/node.h"
#include "kernel/mem/mm.h"
#include "kernel/sched/thread.h"

enum { PROCESS_NAME_BYTES = 16 };

/* As the system call passes it. */
struct signal_action {
	uint64_t handler, flags, restorer, mask;
};

enum { SIGNALS_MAX = 64 };

struct process {
	uint32_t refs; /* [a] its threads, its parent's interest */
	uint32_t pid;  /* [I] */
	struct mutex lock;
	struct mm *mm; /* [I] but for exec, which its only thread does */
	struct fdtable fds;
	struct node *cwd;			   /* [L] */
	struct list threads;			   /* [L] */
	uint32_t nr_threads;			   /* [L] */
	struct process *parent;			   /* [T] NULL: the first */
	struct list children;			   /* [T] */
	struct list siblings;			   /* [T] */
	struct waitq child_changed;		   /* a child has ended */
	bool is_ending;				   /* [L, a] */
	bool has_ended;				   /* [T] to be waited for */
	struct signal_action actions[SIGNALS_MAX]; /* [L] */
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

/* Adds @thread to @process, counted. */
void process_add_thread(struct process *process, struct thread *thread);

/* Ends the calling thread; with the last one its process. */
_Noreturn void process_exit_thread(int status);
/* Ends the whole calling process: other threads leave as soon as they can. */
_Noreturn void process_exit_all(int wait_status);

/**
 * exec_load() - put a program into @mm
 * @stack: where its arguments are, and its first stack pointer
 *
 * Returns 0; -ENOENT, -EACCES, -ENOEXEC, -ENOMEM, -E2BIG.
 */
struct exec_strings {
	char *bytes; /* all strings, terminated, one after the other: arguments, then environment */
	uint32_t nr_bytes, nr_args, nr_env;
};
MUST_CHECK int exec_load(struct mm *mm, struct node *program, const struct exec_strings *strings,
			 uint64_t *entry, uint64_t *stack);

/* Into ring 3 for the first time, with all registers 0. */
_Noreturn void enter_user(uint64_t entry, uint64_t stack);
/* With these. */
_Noreturn void enter_user_frame(const struct trap_frame *frame);
