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
		.loop = &worker->loop,
	};
	sem_init(&barrier->reached, 0, 0);
	err = loop_add(barrier->loop, &barrier->source, EPOLLIN);
	assert(!err);
}

void barrier_remove(struct barrier *barrier)
{
	loop_remove(barrier->loop, &barrier->source);
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
