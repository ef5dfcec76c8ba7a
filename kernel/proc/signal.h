/*
 * Signals: sending, and what the calling thread is to take next. Frames on ring 3's stack are signal_frame.h's.
 *
 *   - Sending takes no time and never sleeps: the signal is noted, and a thread that may take it leaves its wait (-EINTR),
 *     ring 3 or its guest for user_return().
 *   - What a process ignores is dropped when it is sent. Stopping and continuing don't exist: those signals are ignored.
 *   - One of each signal waits at most, but for the real-time ones, which queue up (32 and above).
 *
 * Context: any, but for what ends the calling process.
 */
#pragma once

#include "kernel/sched/thread.h"

struct process;
struct trap_frame;

/* The last is sigaltstack(2)'s, which the UAPI headers leave to the C library. */
enum { SIGNALS_MAX = 64, SIGSET_BYTES = SIGNALS_MAX / 8, SS_DISABLE = 2 };

/* As the system call passes it. */
struct signal_action {
	uint64_t handler, flags, restorer, mask;
};

/* What a handler is told (siginfo_t). Which of the last three count depends on the signal. */
struct signal_info {
	int number, code, error;
	uint32_t pid;	/* who sent it */
	int status;	/* of SIGCHLD; the system call's number of SIGSYS */
	uint64_t value; /* the fault's or the system call's address, or sigqueue()'s */
};

static inline uint64_t signal_bit(int number)
{
	return UINT64_C(1) << (number - 1);
}

/* To whichever of @process's threads may take it. */
void signal_send(struct process *process, const struct signal_info *info);
/* To this one, which can't end meanwhile: the caller holds its process's signal_lock, or is it. */
void signal_send_thread_locked(struct thread *thread, const struct signal_info *info);
void signal_send_self(int number);

/* The calling thread did something that it can't go on from: takes the signal now, or the process ends. */
void signal_force(const struct signal_info *info);

/* The next one that the calling thread doesn't block, and what to do about it. False: none. */
bool signal_take(struct signal_info *info, struct signal_action *action);

/* The calling thread's mask; SIGKILL and SIGSTOP are never in it. */
void signal_set_mask(uint64_t blocked);

/* Until user_return(): then it is the old one again, or a handler's end brings that back. */
void signal_set_mask_for_call(uint64_t blocked);

/* Forgets what waits for a thread, or a process, that ends. */
void signal_forget(uint64_t *pending, struct list *items);

/* exec: handlers are gone, what is ignored stays so. */
void signal_reset_handlers(struct process *process);
