/*
 * The known word that somebody probably meant: see nearest.h.
 */
#include <string.h>

#include "lib/nearest.h"

enum { WORD_MAX = 31 }; /* longer ones are near to nothing */

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	return min2(min2(a, b), c);
}

/* Levenshtein's distance, where swapping two neighbours counts as one edit. Both fit WORD_MAX. */
static size_t edits_between(const char *from, const char *to)
{
	size_t from_length = strlen(from), to_length = strlen(to);
	size_t edits[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= from_length; i++)
		edits[i][0] = i;
	for (size_t j = 0; j <= to_length; j++)
		edits[0][j] = j;

	for (size_t i = 1; i <= from_length; i++) {
		for (size_t j = 1; j <= to_length; j++) {
			edits[i][j] = min3(edits[i - 1][j] + 1, edits[i][j - 1] + 1,
					   edits[i - 1][j - 1] + (from[i - 1] != to[j - 1]));
			if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
				edits[i][j] = min2(edits[i][j], edits[i - 2][j - 2] + 1);
		}
	}
	return edits[from_length][to_length];
}

/* Half of the letters may be wrong, up to three: "cpu" finds "cpus", "ram" finds nothing. */
struct nearest nearest_to(const char *meant)
{
	size_t near = strlen(meant) / 2;

	return (struct nearest){ .meant = meant, .distance = (near < 3 ? near : 3) + 1 };
}

void nearest_offer(struct nearest *nearest, const char *word)
{
	size_t distance;

	if (strlen(nearest->meant) > WORD_MAX || strlen(word) > WORD_MAX)
		return;
	distance = edits_between(nearest->meant, word);
	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->word = word;
	}
}
