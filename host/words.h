/*
 * What somebody typed, cut into words.
 */
#pragma once

#include <stddef.h>

enum { WORDS_MAX = 8, WORDS_BYTES = 512 };

struct words {
	char text[WORDS_BYTES];
	const char *word[WORDS_MAX]; /* into text */
	size_t count;
};

/* Spaces and control characters part words. What is too much is left off. */
void words_split(const char *line, struct words *out);
