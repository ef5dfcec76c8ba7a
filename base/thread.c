/*
 * Threads with small stacks: see thread.h.
 */
#include "base/thread.h"

int thread_start(pthread_t *thread, void *(*main)(void *argument), void *argument)
{
	pthread_attr_t attributes;
	int err;

	err = -pthread_attr_init(&attributes);
	if (err)
		return err;
	err = -pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	if (!err)
		err = -pthread_create(thread, &attributes, main, argument);
	pthread_attr_destroy(&attributes);
	return err;
}
