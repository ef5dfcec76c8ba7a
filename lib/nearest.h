/*
 * The known word that somebody probably meant: for "did you mean" in messages.
 *
 *	struct nearest nearest = nearest_to("memroy");
 *
 *	for each known word
 *		nearest_offer(&nearest, word);
 *	nearest.word is the one, or NULL when none is near
 */
#pragma once

#include <stddef.h>

struct nearest {
	const char *meant; /* borrowed */
	const char *word;  /* borrowed: the best offer so far */
	size_t distance;   /* edits from @meant to @word; at first, more than is near */
};

struct nearest nearest_to(const char *meant);
void nearest_offer(struct nearest *nearest, const char *word);
