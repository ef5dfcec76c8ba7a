/*
 * Threads with small stacks.
 *
 * The C library's default of 8 MiB is more than no thread here needs, and costs: where the host backs memory by
 * huge pages unasked, the first word on such a stack makes 2 MiB of it resident, and clears them.
 */
#pragma once

#include <pthread.h>

#include "lib/compiler.h"

enum { THREAD_STACK_BYTES = 256 * 1024 };

/* Returns 0 or -errno. Pair: pthread_join(). */
MUST_CHECK int thread_start(pthread_t *thread, void *(*main)(void *argument), void *argument);
