/*
 * One of several words, typed in full or as the beginning of only one of them.
 *
 *	struct choice choice = choice_begin("sto");
 *
 *	for each known word
 *		choice_offer(&choice, word);
 *	choice.nr_matches is 1 and choice.match the word, or 0, or too many
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct choice {
	const char *typed; /* borrowed */
	size_t typed_length;
	bool is_exact; /* then match is the only one */
	size_t nr_matches;
	const char *match; /* borrowed: the first */
	size_t nr_shared;  /* bytes that all matches begin with */
};

struct choice choice_begin(const char *typed);
void choice_offer(struct choice *choice, const char *word);
