/*
 * What somebody typed, cut into words, and a word's beginning taken for the whole.
 */
#include <string.h>

#include "host/choice.h"
#include "host/words.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static void spaces_and_tabs_part_words(void **state UNUSED)
{
	struct words words;

	words_split("  start \t web\r", &words);
	assert_int_equal(words.count, 2);
	assert_string_equal(words.word[0], "start");
	assert_string_equal(words.word[1], "web");
}

static void a_blank_line_has_no_words(void **state UNUSED)
{
	struct words words;

	words_split(" \t ", &words);
	assert_int_equal(words.count, 0);
	words_split("", &words);
	assert_int_equal(words.count, 0);
}

static void words_beyond_the_most_are_left_off(void **state UNUSED)
{
	struct words words;

	words_split("1 2 3 4 5 6 7 8 9 10", &words);
	assert_int_equal(words.count, WORDS_MAX);
	assert_string_equal(words.word[WORDS_MAX - 1], "8");
}

static void a_line_that_is_too_long_is_cut(void **state UNUSED)
{
	struct words words;
	char line[4 * WORDS_BYTES];

	memset(line, 'a', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	words_split(line, &words);
	assert_int_equal(words.count, 1);
	assert_int_equal(strlen(words.word[0]), WORDS_BYTES - 1);
}

static struct choice choose(const char *typed)
{
	static const char *const known[] = { "status", "start", "stop", "stoppage", "list" };
	struct choice choice = choice_begin(typed);

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		choice_offer(&choice, known[i]);
	return choice;
}

static void a_beginning_of_only_one_word_is_that_word(void **state UNUSED)
{
	struct choice choice = choose("li");

	assert_int_equal(choice.nr_matches, 1);
	assert_string_equal(choice.match, "list");
	assert_int_equal(choice.nr_shared, 4);
}

static void a_beginning_of_several_knows_what_they_share(void **state UNUSED)
{
	struct choice choice = choose("sta");

	assert_int_equal(choice.nr_matches, 2);
	assert_int_equal(choice.nr_shared, 3);
	choice = choose("s");
	assert_int_equal(choice.nr_matches, 4);
	assert_int_equal(choice.nr_shared, 2);
}

static void a_whole_word_wins_over_longer_ones(void **state UNUSED)
{
	struct choice choice = choose("stop");

	assert_int_equal(choice.nr_matches, 1);
	assert_string_equal(choice.match, "stop");
}

static void no_word_is_none(void **state UNUSED)
{
	assert_int_equal(choose("lists").nr_matches, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spaces_and_tabs_part_words),
		cmocka_unit_test(a_blank_line_has_no_words),
		cmocka_unit_test(words_beyond_the_most_are_left_off),
		cmocka_unit_test(a_line_that_is_too_long_is_cut),
		cmocka_unit_test(a_beginning_of_only_one_word_is_that_word),
		cmocka_unit_test(a_beginning_of_several_knows_what_they_share),
		cmocka_unit_test(a_whole_word_wins_over_longer_ones),
		cmocka_unit_test(no_word_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
