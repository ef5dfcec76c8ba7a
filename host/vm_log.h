/*
 * What a VM's monitor and bhd have to say about it: the newest 64 KiB of lines, each with its time (UTC).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/backlog.h"
#include "lib/compiler.h"

enum { VM_LOG_LINE_BYTES = 512 };

/* Zero-initialised is empty. */
struct vm_log {
	struct backlog backlog;
	bool is_in_line; /* the last line has no end yet */
	char last_line
		[VM_LOG_LINE_BYTES]; /* the monitor's, without its time; a longer one is cut short */
	size_t last_line_length;
};

/* For a new monitor, which hasn't said anything yet. */
void vm_log_begin(struct vm_log *log);

/* Its output as it comes, in pieces of any size. */
void vm_log_append(struct vm_log *log, const char *bytes, size_t n);

/* A line of bhd's own. */
void vm_log_say(struct vm_log *log, const char *format, ...) PRINTF_LIKE(2, 3);
