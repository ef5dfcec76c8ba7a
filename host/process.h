/*
 * Programs that this one starts: what they print is handed on, their end is told.
 *
 *   - A process has no standard input and a session of its own: a terminal's Ctrl-C doesn't reach it.
 *   - Its end is told after everything that it printed.
 *   - As PID 1 this process inherits orphans: processes_reap() takes them off the list of the dead.
 *   - One that somebody else has started can be adopted: its end is told, but not how, and what it prints isn't heard.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "host/ending.h"
#include "lib/compiler.h"

enum process_stream { PROCESS_STDOUT, PROCESS_STDERR, PROCESS_STREAMS };

struct process_ops {
	void (*output)(void *context, enum process_stream stream, const char *bytes, size_t n);
	void (*ended)(void *context, const struct ending *ending); /* may start it again */
};

struct processes;
struct process;

struct process_pipe {
	struct process *process;
	struct loop_source source; /* fd -1: closed */
};

/* Initialise with process_init(). */
struct process {
	pid_t pid;		    /* 0: not running */
	struct loop_source adopted; /* fd -1: it is our child */
	struct processes *all;
	const struct process_ops *ops;
	void *context;
	struct process_pipe pipes[PROCESS_STREAMS];
	struct process *next;
};

/* All that run. */
struct processes {
	struct loop *loop;
	struct process *first;
};

void process_init(struct process *process, struct processes *all, const struct process_ops *ops,
		  void *context);

/* Returns 0 or -errno. @argv[0] is the program's path. */
MUST_CHECK int process_start(struct process *process, const char *const argv[]);

/* Returns 0 or -errno. That @pid is still who was meant is for the caller to check, after this. */
MUST_CHECK int process_adopt(struct process *process, pid_t pid);

/* Gives an adopted one up, and doesn't tell of its end. */
void process_abandon(struct process *process);

/* One that isn't running gets none. */
void process_signal(const struct process *process, int signal);

/* After SIGCHLD: tells the endings of all that have ended. */
void processes_reap(struct processes *all);
