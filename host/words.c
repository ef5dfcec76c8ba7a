/*
 * What somebody typed, cut into words: see words.h.
 */
#include <stdbool.h>
#include <stdio.h>

#include "host/words.h"

static bool is_gap(char c)
{
	return (c > '\0' && c <= ' ') || c == 0x7f;
}

void words_split(const char *line, struct words *out)
{
	char *c = out->text;

	snprintf(out->text, sizeof(out->text), "%s", line);
	out->count = 0;
	while (out->count < WORDS_MAX) {
		while (is_gap(*c))
			*c++ = '\0';
		if (!*c)
			break;
		out->word[out->count++] = c;
		while (*c && !is_gap(*c))
			c++;
	}
	while (*c && !is_gap(*c))
		c++;
	*c = '\0';
}
