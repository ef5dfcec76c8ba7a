/*
 * Lines typed with every key that the editor knows.
 */
#include <string.h>

#include "host/line_editor.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static void show(void *context UNUSED, const char *bytes UNUSED, size_t n UNUSED)
{
}

static size_t complete(void *context UNUSED, const char *line, size_t length, char *out,
		       size_t out_size)
{
	if (length != 2 || strncmp(line, "st", 2) != 0)
		return 0;
	assert_true(out_size > 4);
	memcpy(out, "art ", 4);
	return 4;
}

static const struct line_editor_ops ops = { show, complete };

/* The line that the last '\r' in @keys finished. */
static const char *type(struct line_editor *editor, const char *keys)
{
	enum line_result result = LINE_UNFINISHED;

	for (; *keys; keys++)
		result = line_editor_key(editor, *keys);
	assert_int_equal(result, LINE_FINISHED);
	return editor->line;
}

static struct line_editor *fresh_editor(void)
{
	static struct line_editor editor;

	line_editor_init(&editor, "> ", &ops, NULL);
	return &editor;
}

static void letters_make_a_line(void **state UNUSED)
{
	assert_string_equal(type(fresh_editor(), "list\r"), "list");
	assert_string_equal(type(fresh_editor(), "\r"), "");
}

static void the_next_line_begins_empty(void **state UNUSED)
{
	struct line_editor *editor = fresh_editor();

	type(editor, "list\r");
	assert_string_equal(type(editor, "help\r"), "help");
	line_editor_show(editor);
	assert_string_equal(editor->line, "");
}

static void backspace_and_delete_remove(void **state UNUSED)
{
	assert_string_equal(type(fresh_editor(), "lisy\x7ft\r"), "list");
	assert_string_equal(type(fresh_editor(), "\x7f\x08x\r"), "x");
	assert_string_equal(type(fresh_editor(), "abc\033[D\033[3~\r"), "ab");
	assert_string_equal(type(fresh_editor(), "abc\x01\x04\r"), "bc");
}

static void arrows_home_and_end_move(void **state UNUSED)
{
	assert_string_equal(type(fresh_editor(), "ac\033[Db\033[Cd\r"), "abcd");
	assert_string_equal(type(fresh_editor(), "bc\033[Ha\033[Fd\r"), "abcd");
	assert_string_equal(type(fresh_editor(), "bc\033[1~a\033OFd\r"), "abcd");
	assert_string_equal(type(fresh_editor(), "b\033[D\033[D\033[Da\033[C\033[C\033[Cc\r"),
			    "abc");
}

static void control_keys_cut(void **state UNUSED)
{
	assert_string_equal(type(fresh_editor(), "one two \x17x\r"), "one x");
	assert_string_equal(type(fresh_editor(), "one two\x15x\r"), "x");
	assert_string_equal(type(fresh_editor(), "one two\033[D\033[D\x0b\r"), "one t");
}

static void earlier_lines_come_back(void **state UNUSED)
{
	struct line_editor *editor = fresh_editor();

	type(editor, "first\r");
	type(editor, "second\r");
	type(editor, "second\r");
	assert_string_equal(type(editor, "\033[A\033[A\r"), "first");
	assert_string_equal(type(editor, "\033[A\033[A\033[B\r"), "first");
	assert_string_equal(type(editor, "\033[A\033[B!\r"), "!");
}

static void there_is_an_end_to_history(void **state UNUSED)
{
	struct line_editor *editor = fresh_editor();
	char line[] = "line-?\r";

	for (int i = 0; i < LINE_HISTORY + 5; i++) {
		line[5] = (char)('0' + i);
		type(editor, line);
	}
	for (int i = 0; i < LINE_HISTORY + 20; i++)
		line_editor_key(editor, 'P' & 0x1f);
	assert_string_equal(type(editor, "\r"), "line-5");
}

static void tab_completes(void **state UNUSED)
{
	assert_string_equal(type(fresh_editor(), "st\tweb\r"), "start web");
	assert_string_equal(type(fresh_editor(), "x\ty\r"), "xy");
}

static void interrupting_drops_the_line(void **state UNUSED)
{
	struct line_editor *editor = fresh_editor();

	line_editor_key(editor, 'x');
	assert_int_equal(line_editor_key(editor, '\x03'), LINE_INTERRUPTED);
	assert_string_equal(type(editor, "y\r"), "y");
}

static void control_d_ends_only_an_empty_line(void **state UNUSED)
{
	struct line_editor *editor = fresh_editor();

	assert_int_equal(line_editor_key(editor, '\x04'), LINE_ENDED);
	line_editor_key(editor, 'x');
	assert_int_equal(line_editor_key(editor, '\x04'), LINE_UNFINISHED);
}

static void a_line_stops_growing(void **state UNUSED)
{
	struct line_editor *editor = fresh_editor();

	for (int i = 0; i < 3 * LINE_BYTES; i++)
		line_editor_key(editor, 'a');
	line_editor_key(editor, '\001');
	line_editor_key(editor, 'b');
	assert_int_equal(strlen(type(editor, "\r")), LINE_BYTES - 1);
}

static void unknown_sequences_are_swallowed(void **state UNUSED)
{
	assert_string_equal(type(fresh_editor(), "a\033[15;2~b\033Zc\033[200Xd\r"), "abcd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_make_a_line),
		cmocka_unit_test(the_next_line_begins_empty),
		cmocka_unit_test(backspace_and_delete_remove),
		cmocka_unit_test(arrows_home_and_end_move),
		cmocka_unit_test(control_keys_cut),
		cmocka_unit_test(earlier_lines_come_back),
		cmocka_unit_test(there_is_an_end_to_history),
		cmocka_unit_test(tab_completes),
		cmocka_unit_test(interrupting_drops_the_line),
		cmocka_unit_test(control_d_ends_only_an_empty_line),
		cmocka_unit_test(a_line_stops_growing),
		cmocka_unit_test(unknown_sequences_are_swallowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
