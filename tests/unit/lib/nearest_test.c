/*
 * The known word that somebody probably meant.
 */
#include "lib/nearest.h"
#include "tests/support/cmocka.h"

static const char *meant_by(const char *word)
{
	static const char *const known[] = { "memory", "cpus", "disks", "rng" };
	struct nearest nearest = nearest_to(word);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		nearest_offer(&nearest, known[i]);
	return nearest.word;
}

static void a_slip_of_the_finger_is_found(void **state)
{
	(void)state;
	assert_string_equal(meant_by("memroy"), "memory");  /* swapped */
	assert_string_equal(meant_by("memry"), "memory");   /* left out */
	assert_string_equal(meant_by("meemory"), "memory"); /* doubled */
	assert_string_equal(meant_by("nemory"), "memory");  /* beside it */
	assert_string_equal(meant_by("disk"), "disks");
	assert_string_equal(meant_by("rgn"), "rng");
}

static void something_else_is_not(void **state)
{
	(void)state;
	assert_null(meant_by("ram"));
	assert_null(meant_by("firmware"));
	assert_null(meant_by("x"));
	assert_null(meant_by(""));
}

static void a_very_long_word_is_near_to_nothing(void **state)
{
	(void)state;
	assert_null(meant_by("memorymemorymemorymemorymemorymemory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_of_the_finger_is_found),
		cmocka_unit_test(something_else_is_not),
		cmocka_unit_test(a_very_long_word_is_near_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
