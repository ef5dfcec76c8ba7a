/*
 * The gate that every vCPU thread passes before it enters the guest. Closed, it holds them all.
 *
 *   - gate_close() only says so; the caller kicks the vCPUs out of the guest, then gate_wait_closed() returns
 *     when all of them stand at the gate.
 *   - gate_leave() is for a thread that will never pass again: nobody waits for it any more.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t nr_threads; /* [lock] who may still pass */
	uint32_t nr_waiting; /* [lock] */
	bool is_closed;	     /* [lock, a] */
	bool is_over;	     /* [lock] open for the last time: everyone is to leave */
};

void gate_init(struct gate *gate, uint32_t nr_threads); /* closed */

/* Threads. gate_pass() waits while the gate is closed; false: leave. */
bool gate_is_closed(struct gate *gate);
bool gate_pass(struct gate *gate);
void gate_leave(struct gate *gate);

/* The main thread; gate_close() also any other. */
void gate_close(struct gate *gate);
void gate_wait_closed(struct gate *gate);
void gate_open(struct gate *gate);
void gate_dismiss(struct gate *gate);
