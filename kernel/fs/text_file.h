/*
 * Files whose contents are made anew for each read, as text: /proc and the like.
 */
#pragma once

#include "kernel/fs/node.h"

enum { TEXT_BYTES = 16384 - 64 }; /* with the length in four pages */

struct text {
	char bytes[TEXT_BYTES];
	size_t length;
};

/* What doesn't fit any more is left out. */
void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

struct text_source {
	/* For a file of @node. 0 or -errno, which the read returns. Context: thread, no locks. */
	int (*fill)(struct text *text, const struct node *node);
};

/* -ENOMEM. @source: for as long as the kernel runs. */
MUST_CHECK int text_file_open(const struct text_source *source, uint32_t flags, struct file **out);

/* A special file (node_make_special()) whose text @source gives. */
void text_file_make(const char *path, uint32_t mode, const struct text_source *source);
