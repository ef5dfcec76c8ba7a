/*
 * How a process ended, as wait4(2) tells it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ending {
	bool by_signal;
	int code; /* the exit status, or the signal's number */
};

struct ending ending_from_wait(int wait_status);

/* "with status 1", "by signal 9 (Killed)". Returns @out. */
const char *ending_describe(const struct ending *ending, char *out, size_t out_size);
