/*
 * Why something failed, in words for the person who asked.
 *
 * A function that can fail for a reason that a person must read takes a `struct errmsg *why`, fills it on
 * failure and returns -errno. One line: what was expected, what was found, what to do. Whoever asked
 * first prints it or puts it into a reply. The first message stays: a caller adds nothing on the way up.
 */
#pragma once

#include "lib/compiler.h"

enum errmsg_blame {
	BLAME_NOBODY, /* nothing failed yet                                        */
	BLAME_USER,   /* a file, key or option is wrong: exit status 2             */
	BLAME_SYSTEM, /* the machine can't: no memory, no KVM, ...: exit status 1  */
};

struct errmsg {
	enum errmsg_blame blame;
	char text[512];
};

/* Both record the message unless there is one already, and return @err (an -errno). */
int errmsg_user(struct errmsg *why, int err, const char *format, ...) PRINTF_LIKE(3, 4);
int errmsg_system(struct errmsg *why, int err, const char *format, ...) PRINTF_LIKE(3, 4);
