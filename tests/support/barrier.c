/*
 * Waits until a worker has done what it was told before: see barrier.h.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/barrier.h"

static void reached(void *context, uint32_t events UNUSED)
{
	struct barrier *barrier = context;
	uint64_t count;
	ssize_t got = read(barrier->source.fd, &count, sizeof(count));

	assert(got == sizeof(count));
	sem_post(&barrier->reached);
}

void barrier_add(struct barrier *barrier, struct worker *worker)
{
	int err;

	*barrier = (struct barrier){
		.source = { .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
			    .ready = reached,
			    .context = barrier },
		.worker = worker,
	};
	sem_init(&barrier->reached, 0, 0);
	/* Level-triggered, it would stay in the list after its turn, and be ahead of what comes next. */
	err = loop_add(&worker->loop, &barrier->source, EPOLLIN | EPOLLET);
	assert(!err);
}

void barrier_remove(struct barrier *barrier)
{
	worker_park(barrier->worker);
	loop_remove(&barrier->worker->loop, &barrier->source);
	worker_unpark(barrier->worker);
	close(barrier->source.fd);
	sem_destroy(&barrier->reached);
}

void barrier_wait(struct barrier *barrier)
{
	uint64_t one = 1;
	ssize_t put = write(barrier->source.fd, &one, sizeof(one));

	assert(put == sizeof(one));
	while (sem_wait(&barrier->reached) && errno == EINTR)
		;
}
