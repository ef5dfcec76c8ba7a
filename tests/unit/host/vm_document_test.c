/*
 * What bhd takes from documents, and what it remembers of a VM's words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/vm_document.h"
#include "host/vm_log.h"
#include "tests/support/cmocka.h"

static const char *name_of(const char *file_name, const char *text)
{
	static char name[VM_NAME_BYTES];
	char folder[] = "/tmp/document-XXXXXX", path[128];
	FILE *file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/%s", folder, file_name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	vm_document_name(path, name);
	unlink(path);
	rmdir(folder);
	return name;
}

static void the_name_is_the_documents(void **state UNUSED)
{
	assert_string_equal(name_of("a.json", "{\"name\": \"web\"}"), "web");
}

static void without_one_it_is_the_files(void **state UNUSED)
{
	char longest[VM_NAME_BYTES + 10];

	assert_string_equal(name_of("web.1.json", "{}"), "web.1");
	assert_string_equal(name_of("a.json", "{\"name\": 5}"), "a");
	assert_string_equal(name_of("a.json", "{\"name\": \"\"}"), "a");
	assert_string_equal(name_of("a.json", "garbage"), "a");
	memset(longest, 'x', sizeof(longest) - 6);
	strcpy(longest + sizeof(longest) - 6, ".json");
	assert_int_equal(strlen(name_of(longest, "{}")), VM_NAME_BYTES - 1);
}

static void a_file_that_is_not_there_has_its_name_all_the_same(void **state UNUSED)
{
	char name[VM_NAME_BYTES];

	vm_document_name("/nonexistent/web.json", name);
	assert_string_equal(name, "web");
}

static void a_name_never_leads_to_another_folder(void **state UNUSED)
{
	assert_string_equal(name_of("a.json", "{\"name\": \"../x y\\u001b\"}"), "..?x?y?");
}

static int parse(const char *text, struct vm_document *out)
{
	struct errmsg why = { 0 };

	return vm_document_parse(text, strlen(text), out, &why);
}

static void the_effective_document_is_taken(void **state UNUSED)
{
	struct vm_document document = { 0 };

	assert_int_equal(parse("{\"autostart\": true, \"restart\": \"always\", \"cpus\": 4, "
			       "\"memory\": \"2G\"}",
			       &document),
			 0);
	assert_true(document.autostart);
	assert_int_equal(document.restart, RESTART_ALWAYS);
	assert_int_equal(document.cpus, 4);
	assert_string_equal(vm_document_memory(&document), "2G");
	vm_document_destroy(&document);
}

static void anything_else_is_refused_and_changes_nothing(void **state UNUSED)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"autostart\": true, \"restart\": \"sometimes\", \"cpus\": 1}",
		"{\"autostart\": 1, \"restart\": \"never\", \"cpus\": 1}",
		"{\"autostart\": true, \"restart\": \"never\"}",
	};
	struct vm_document document = { .cpus = 7 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_not_equal(parse(bad[i], &document), 0);
	assert_int_equal(document.cpus, 7);
	assert_string_equal(vm_document_memory(&document), "?");
}

/* The log's text without the time at each line's beginning. */
static const char *text_of(const struct vm_log *log)
{
	enum { STAMP = sizeof("12:34:56 ") - 1 };
	static char text[BACKLOG_BYTES];
	static uint8_t bytes[BACKLOG_BYTES];
	size_t n = backlog_copy_newest(&log->backlog, bytes, sizeof(bytes));
	size_t length = 0, column = 0;

	for (size_t i = 0; i < n; i++) {
		if (column++ >= STAMP)
			text[length++] = (char)bytes[i];
		if (bytes[i] == '\n')
			column = 0;
	}
	text[length] = '\0';
	return text;
}

static void each_line_of_the_log_has_one_time(void **state UNUSED)
{
	struct vm_log *log = calloc(1, sizeof(*log));

	vm_log_append(log, "on", 2);
	vm_log_append(log, "e\ntwo\n", 6);
	assert_string_equal(text_of(log), "one\ntwo\n");
	free(log);
}

static void the_last_line_is_at_hand(void **state UNUSED)
{
	struct vm_log *log = calloc(1, sizeof(*log));
	char text[2 * VM_LOG_LINE_BYTES];

	vm_log_append(log, "first\nerror: why\n", 17);
	assert_string_equal(log->last_line, "error: why");
	memset(text, 'x', sizeof(text));
	vm_log_append(log, text, sizeof(text));
	assert_int_equal(strlen(log->last_line), VM_LOG_LINE_BYTES - 1);
	vm_log_append(log, "\nlast words\n", 12);
	vm_log_say(log, "ended");
	assert_string_equal(log->last_line, "last words");
	vm_log_begin(log);
	assert_string_equal(log->last_line, "");
	free(log);
}

static void a_line_of_bhds_own_begins_a_new_one(void **state UNUSED)
{
	struct vm_log *log = calloc(1, sizeof(*log));

	vm_log_append(log, "unfinished", 10);
	vm_log_say(log, "ended %s", "with status 1");
	assert_string_equal(text_of(log), "unfinished\nbhd: ended with status 1\n");
	free(log);
}

static void the_log_forgets_its_oldest_lines(void **state UNUSED)
{
	struct vm_log *log = calloc(1, sizeof(*log));

	for (int i = 0; i < 20000; i++)
		vm_log_say(log, "line %d", i);
	assert_int_equal(log->backlog.length, BACKLOG_BYTES);
	assert_non_null(strstr(text_of(log), "bhd: line 19999\n"));
	free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_the_documents),
		cmocka_unit_test(without_one_it_is_the_files),
		cmocka_unit_test(a_file_that_is_not_there_has_its_name_all_the_same),
		cmocka_unit_test(a_name_never_leads_to_another_folder),
		cmocka_unit_test(the_effective_document_is_taken),
		cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
		cmocka_unit_test(each_line_of_the_log_has_one_time),
		cmocka_unit_test(the_last_line_is_at_hand),
		cmocka_unit_test(a_line_of_bhds_own_begins_a_new_one),
		cmocka_unit_test(the_log_forgets_its_oldest_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
