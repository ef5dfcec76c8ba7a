/*
 * What a piece of code writes to standard error.
 */
#pragma once

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/compiler.h"

struct captured_stderr {
	int file, original;
	char text[4096];
};

static inline void capture_start(struct captured_stderr *captured)
{
	*captured =
		(struct captured_stderr){ .file = memfd_create("stderr", MFD_CLOEXEC),
					  .original = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) };
	assert(captured->file >= 0 && captured->original >= 0);
	dup2(captured->file, STDERR_FILENO);
}

/* Returns the text, cut after 4095 bytes. */
static inline const char *capture_stop(struct captured_stderr *captured)
{
	ssize_t got = pread(captured->file, captured->text, sizeof(captured->text) - 1, 0);

	captured->text[got > 0 ? got : 0] = '\0';
	dup2(captured->original, STDERR_FILENO);
	close(captured->original);
	close(captured->file);
	return captured->text;
}
