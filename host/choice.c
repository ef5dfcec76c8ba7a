/*
 * One of several words: see choice.h.
 */
#include <string.h>

#include "host/choice.h"

struct choice choice_begin(const char *typed)
{
	return (struct choice){ .typed = typed, .typed_length = strlen(typed) };
}

static void take_only(struct choice *choice, const char *word)
{
	choice->nr_matches = 1;
	choice->match = word;
	choice->nr_shared = strlen(word);
}

static void take_another(struct choice *choice, const char *word)
{
	size_t shared = 0;

	while (shared < choice->nr_shared && word[shared] == choice->match[shared])
		shared++;
	choice->nr_shared = shared;
	choice->nr_matches++;
}

void choice_offer(struct choice *choice, const char *word)
{
	if (choice->is_exact || strncmp(word, choice->typed, choice->typed_length) != 0)
		return;
	choice->is_exact = !word[choice->typed_length];
	if (choice->is_exact || !choice->nr_matches)
		take_only(choice, word);
	else
		take_another(choice, word);
}
