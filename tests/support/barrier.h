/*
 * Waits until a worker has done what it was told before: an event of ours at the end of its list.
 *
 * epoll hands events out in the order in which they came, so when the barrier's turn comes, the callbacks
 * of all earlier ones have returned. For a worker that runs: a parked one never gets there.
 */
#pragma once

#include <semaphore.h>

#include "vmm/worker.h"

struct barrier {
	struct loop_source source;
	struct worker *worker; /* borrowed */
	sem_t reached;
};

/* Stays put until barrier_remove(). */
void barrier_add(struct barrier *barrier, struct worker *worker);
void barrier_remove(struct barrier *barrier);

void barrier_wait(struct barrier *barrier);
