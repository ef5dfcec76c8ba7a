/*
 * One supervised VM: its document, its bhvm process, and the connections to that process.
 *
 *             start            checked            answers
 *   STOPPED ---------> CHECKING ------> STARTING --------> RUNNING <-> PAUSED
 *   FAILED                |                |                  |          |
 *      ^                  | bad document   | ends             +----+-----+
 *      |                  v                v                       | stop, or the guest powers off
 *      +------------------+----------------+-- ended badly --------+---> STOPPING ---> STOPPED
 *
 *   - A document is checked (bhvm --dump-config) before each start that a person, or autostart, asks for.
 *   - A bhvm that an earlier bhd has left behind is found by its control socket, and adopted (states STARTING, then as it says).
 *   - The policy of the document decides whether a VM that ended unasked is started again (restart.h);
 *     one that was stopped or killed by a person stays so.
 *   - Nothing here blocks or prints; vm_host.changed tells what happened, and the log why.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "host/api_client.h"
#include "host/console_link.h"
#include "host/process.h"
#include "host/restart.h"
#include "host/timers.h"
#include "host/vm_document.h"
#include "host/vm_log.h"
#include "lib/compiler.h"

enum vm_state {
	VM_STOPPED,
	VM_CHECKING,
	VM_STARTING,
	VM_RUNNING,
	VM_PAUSED,
	VM_STOPPING,
	VM_FAILED,
	VM_STATES,
};

struct vm;

/* What all VMs share. Borrowed by each. */
struct vm_host {
	struct loop *loop;
	struct timers *timers;
	struct processes processes;
	const char *bhvm;    /* the program */
	const char *run_dir; /* where sockets are made */
	uint32_t stop_timeout_ms;
	void (*changed)(void *context, struct vm *vm, enum vm_state before);
	void *context;
};

struct vm {
	struct vm_host *host;
	char name[VM_NAME_BYTES];
	char *path; /* of the document */

	enum vm_state state;
	uint64_t since_ms;	     /* when it came into this state */
	char why[VM_LOG_LINE_BYTES]; /* FAILED: one line; else "" */
	bool is_wanted;		     /* somebody wants it to run */
	bool is_new;		     /* not checked yet: autostart is still to be looked at */
	bool is_listed;		     /* the file was there at the last look: for vm_list.c */

	struct vm_document document; /* of the last good check */
	struct restart restart;
	struct timer restart_timer; /* set: it will be started again then */

	struct process process;
	uint64_t started_ms;
	bool has_ended_before;
	struct ending ending; /* of the latest run */
	struct timer step_timer;
	uint32_t nr_steps; /* within the state */

	struct api_client api;
	struct console_link console;
	struct vm_log log;
	json_t *stats; /* as bhvm told them last; owned, NULL: it didn't */
	char *output;  /* CHECKING: what bhvm printed so far */
	size_t output_length;
};

/* A VM for the document at @path, to be looked at. NULL: no memory. */
MUST_CHECK struct vm *vm_create(struct vm_host *host, const char *path);

/* One that isn't running. */
void vm_destroy(struct vm *vm);

const char *vm_state_name(enum vm_state state);

/* Reads the document; starts the VM if that says autostart and nobody has decided otherwise. */
void vm_load(struct vm *vm);

/* Each returns whether there was something to do; the state says how it goes on. */
bool vm_start(struct vm *vm);
bool vm_stop(struct vm *vm); /* the power button; after the host's time-out, the plug */
bool vm_kill(struct vm *vm); /* the process, at once */

/* Does a process belong to it, or will one without anybody asking? */
bool vm_is_busy(const struct vm *vm);

/* Has it a bhvm that runs it? (One that checks its document doesn't.) */
bool vm_has_monitor(const struct vm *vm);

/* Does that bhvm take requests? */
bool vm_is_up(const struct vm *vm);

enum { VM_SOCKET_PATH_BYTES = 4096 };

/* RUN-DIR/NAME.KIND, where @kind is "api" or "console". Returns @out. */
const char *vm_socket_path(const struct vm *vm, const char *kind, char out[VM_SOCKET_PATH_BYTES]);
