/*
 * Formatting gives what the C library's printf gives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/format.h"

#define assert_same_as_printf(...)                                               \
	do {                                                                     \
		char expected[128], found[128];                                  \
                                                                                 \
		snprintf(expected, sizeof(expected), __VA_ARGS__);               \
		assert_int_equal(format_text(found, sizeof(found), __VA_ARGS__), \
				 strlen(expected));                              \
		assert_string_equal(found, expected);                            \
	} while (0)

static void numbers_come_out_as_printf_has_them(void **state)
{
	(void)state;
	assert_same_as_printf("%d %d %d", 0, -1, 2147483647);
	assert_same_as_printf("%d", (int)INT32_MIN);
	assert_same_as_printf("%ld %lu", (long)INT64_MIN, (unsigned long)UINT64_MAX);
	assert_same_as_printf("%lx", 0xdeadbeefcafeul);
	assert_same_as_printf("%zu %zx", (size_t)12345, (size_t)0xabc);
}

static void width_and_flags_are_heeded(void **state)
{
	(void)state;
	assert_same_as_printf("[%5d] [%05d]", 42, 42);
	assert_same_as_printf("[%016lx] [%#lx] [%#8x]", 0x1234ul, 0x1234ul, 0x12u);
	assert_same_as_printf("[%5d] [%3lu] [%#018lx]", -42, 1234ul, 0x12ul);
	assert_same_as_printf("[%05d]", -42);
}

static void strings_and_characters_are_copied(void **state)
{
	(void)state;
	assert_same_as_printf("%s|%8s|%2s|%c|%%", "one", "two", "three", 'x');
}

static void a_missing_string_is_said_to_be_so(void **state)
{
	const char *volatile none = NULL;
	char text[16];

	(void)state;
	format_text(text, sizeof(text), "%s", none);
	assert_string_equal(text, "(null)");
}

static void what_is_not_known_is_copied(void **state)
{
	char text[32];

	(void)state;
	format_text(text, sizeof(text), "%s %o", "so", 8);
	assert_string_equal(text, "so %o");
}

static void the_text_ends_within_its_buffer(void **state)
{
	char text[8] = "xxxxxxx";

	(void)state;
	assert_int_equal(format_text(text, 5, "%s", "abcdefgh"), 8);
	assert_string_equal(text, "abcd");
	assert_int_equal(text[5], 'x');
	assert_int_equal(format_text(text, 0, "%d", 12), 2);
	assert_string_equal(text, "abcd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_out_as_printf_has_them),
		cmocka_unit_test(width_and_flags_are_heeded),
		cmocka_unit_test(strings_and_characters_are_copied),
		cmocka_unit_test(a_missing_string_is_said_to_be_so),
		cmocka_unit_test(what_is_not_known_is_copied),
		cmocka_unit_test(the_text_ends_within_its_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
