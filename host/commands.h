/*
 * The commands of bhd's prompt: one table, in commands.c.
 */
#pragma once

#include <stddef.h>

struct daemon;

/* Carries out a line. What is wrong with it is said at the prompt. */
void commands_run(struct daemon *daemon, const char *line);

/* For the line editor's Tab: see line_editor_ops. */
size_t commands_complete(struct daemon *daemon, const char *line, size_t length, char *out,
			 size_t out_size);
