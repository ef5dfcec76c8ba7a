/*
 * How a process ended, as wait4(2) tells its parent; nobody else learns more than that it did.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { ENDING_UNSEEN = -1 };

struct ending {
	bool by_signal;
	int code; /* the exit status, or the signal's number, or ENDING_UNSEEN */
};

struct ending ending_from_wait(int wait_status);

/* "with status 1", "by signal 9 (Killed)". Returns @out. */
const char *ending_describe(const struct ending *ending, char *out, size_t out_size);
