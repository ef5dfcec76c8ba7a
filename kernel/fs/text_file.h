/*
 * Files whose contents are made anew for each read, as text: /proc and the like.
 */
#pragma once

#include "kernel/fs/file.h"

enum { TEXT_BYTES = 16384 - 64 }; /* with the length in four pages */

struct text {
	char bytes[TEXT_BYTES];
	size_t length;
};

/* What doesn't fit any more is left out. */
void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

struct text_source {
	/* 0 or -errno, which the read returns. Context: thread, no locks. */
	int (*fill)(struct text *text, uint64_t argument);
	uint64_t argument;
	uint32_t mode;
};

/* One reference; NULL for want of memory. */
struct file *text_file_create(const struct text_source *source, uint32_t flags);
