/*
 * How a process ended: see ending.h.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "host/ending.h"

struct ending ending_from_wait(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return (struct ending){ true, WTERMSIG(wait_status) };
	return (struct ending){ false, WEXITSTATUS(wait_status) };
}

const char *ending_describe(const struct ending *ending, char *out, size_t out_size)
{
	const char *name = ending->by_signal ? sigdescr_np(ending->code) : NULL;

	if (ending->code == ENDING_UNSEEN)
		snprintf(out, out_size, "unseen: an earlier bhd had started it");
	else if (!ending->by_signal)
		snprintf(out, out_size, "with status %d", ending->code);
	else
		snprintf(out, out_size, "by signal %d (%s)", ending->code, name ? name : "unknown");
	return out;
}
