/*
 * Messages for people: their form, and how a guest's are limited.
 */
#include <stdio.h>

#include "base/log.h"
#include "tests/support/captured_stderr.h"
#include "tests/support/cmocka.h"

enum { BURST = 5 };

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void a_line_says_who_speaks_and_how_bad_it_is(void **state UNUSED)
{
	struct captured_stderr captured;

	log_set_prefix("bhvm %s", "web");
	capture_start(&captured);
	log_error("no %s", "disk");
	log_warn("late");
	log_info("started");
	assert_string_equal(
		capture_stop(&captured),
		"bhvm web: error: no disk\nbhvm web: warning: late\nbhvm web: started\n");
}

static void a_long_line_is_cut_and_still_ends(void **state UNUSED)
{
	struct captured_stderr captured;
	char text[3000];
	const char *written;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture_start(&captured);
	log_info("%s", text);
	written = capture_stop(&captured);
	assert_int_equal(strlen(written), 1023);
	assert_int_equal(count_lines(written), 1);
}

static void a_guests_messages_are_swallowed_after_a_burst(void **state UNUSED)
{
	struct log_limit limit = { 0 };
	struct captured_stderr captured;

	log_set_prefix("bhvm");
	capture_start(&captured);
	for (unsigned i = 0; i < 100; i++)
		log_limited(&limit, "disk0: again");
	assert_int_equal(count_lines(capture_stop(&captured)), BURST);
	assert_int_equal(limit.swallowed, 100 - BURST);
}

static void what_was_swallowed_is_counted_in_the_next_window(void **state UNUSED)
{
	struct log_limit limit = { .window_start_ns = 1, .in_window = 12, .swallowed = 7 };
	struct captured_stderr captured;

	log_set_prefix("bhvm");
	capture_start(&captured);
	log_limited(&limit, "disk0: again");
	log_limited(&limit, "disk0: again");
	assert_string_equal(
		capture_stop(&captured),
		"bhvm: guest: disk0: again (7 more like it before)\nbhvm: guest: disk0: again\n");
	assert_int_equal(limit.swallowed, 0);
}

static void the_note_survives_a_long_line(void **state UNUSED)
{
	struct log_limit limit = { .window_start_ns = 1, .swallowed = 7 };
	struct captured_stderr captured;
	const char *note = " (7 more like it before)\n";
	char text[3000];
	const char *written;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture_start(&captured);
	log_limited(&limit, "%s", text);
	written = capture_stop(&captured);
	assert_int_equal(count_lines(written), 1);
	assert_string_equal(written + strlen(written) - strlen(note), note);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_who_speaks_and_how_bad_it_is),
		cmocka_unit_test(a_long_line_is_cut_and_still_ends),
		cmocka_unit_test(a_guests_messages_are_swallowed_after_a_burst),
		cmocka_unit_test(what_was_swallowed_is_counted_in_the_next_window),
		cmocka_unit_test(the_note_survives_a_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
