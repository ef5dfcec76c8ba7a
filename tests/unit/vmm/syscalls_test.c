/*
 * docs/abi.md says of bhvm's system calls just what the table says that the sandbox works from.
 * Runs in the repository's root.
 */
#include <stdio.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "vmm/syscalls.h"

enum { LINE_BYTES = 512 };

static const char *users_text(uint32_t users, char out[64])
{
	snprintf(out, 64, "%s%s%s", users & SYSCALL_MAIN ? ", main" : "",
		 users & SYSCALL_VCPU ? ", vcpu" : "", users & SYSCALL_WORKER ? ", worker" : "");
	return users ? out + 2 : "-";
}

/* The document's line for @row. */
static void expected_line(const struct syscall_row *row, char line[LINE_BYTES])
{
	char users[64];

	snprintf(line, LINE_BYTES, "| `%s` | %s | %s |\n", row->name, users_text(row->users, users),
		 row->purpose);
}

/* Goes on behind the next line that begins with @start. */
static void skip_past(FILE *document, const char *start)
{
	char line[LINE_BYTES];

	while (fgets(line, sizeof(line), document))
		if (!strncmp(line, start, strlen(start)))
			return;
	fail_msg("docs/abi.md: expected a line that begins with \"%s\", found none", start);
}

static void the_document_lists_the_system_calls_of_the_table(void **state)
{
	FILE *document = fopen("docs/abi.md", "r");
	char line[LINE_BYTES], expected[LINE_BYTES];

	(void)state;
	assert_non_null(document);
	skip_past(document, "## bhvm");
	skip_past(document, "### System calls");
	skip_past(document, "|---");
	for (uint32_t i = 0; i < nr_syscalls; i++) {
		expected_line(&syscalls[i], expected);
		assert_non_null(fgets(line, sizeof(line), document));
		assert_string_equal(line, expected);
	}
	assert_non_null(fgets(line, sizeof(line), document));
	assert_string_equal(line, "\n");
	fclose(document);
}

static void no_system_call_is_listed_twice(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < nr_syscalls; i++)
		for (uint32_t other = 0; other < i; other++)
			assert_int_not_equal(syscalls[i].number, syscalls[other].number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_document_lists_the_system_calls_of_the_table),
		cmocka_unit_test(no_system_call_is_listed_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
