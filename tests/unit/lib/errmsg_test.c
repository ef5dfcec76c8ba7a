/*
 * Messages for the person who asked: the first one stays.
 */
#include <errno.h>
#include <string.h>

#include "lib/errmsg.h"
#include "tests/support/cmocka.h"

static void a_users_mistake_is_recorded_with_its_error(void **state UNUSED)
{
	struct errmsg why = { 0 };

	assert_int_equal(errmsg_user(&why, -EINVAL, "%s: expected %d", "vm.json", 3), -EINVAL);
	assert_int_equal(why.blame, BLAME_USER);
	assert_string_equal(why.text, "vm.json: expected 3");
}

static void a_failing_system_is_told_apart(void **state UNUSED)
{
	struct errmsg why = { 0 };

	assert_int_equal(errmsg_system(&why, -ENOMEM, "no memory"), -ENOMEM);
	assert_int_equal(why.blame, BLAME_SYSTEM);
	assert_string_equal(why.text, "no memory");
}

static void the_first_message_stays(void **state UNUSED)
{
	struct errmsg why = { 0 };

	(void)errmsg_user(&why, -EINVAL, "first");
	assert_int_equal(errmsg_system(&why, -EIO, "second"), -EIO);
	assert_int_equal(why.blame, BLAME_USER);
	assert_string_equal(why.text, "first");
}

static void a_long_message_is_cut_and_terminated(void **state UNUSED)
{
	struct errmsg why = { 0 };
	char text[2000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)errmsg_user(&why, -EINVAL, "%s", text);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_users_mistake_is_recorded_with_its_error),
		cmocka_unit_test(a_failing_system_is_told_apart),
		cmocka_unit_test(the_first_message_stays),
		cmocka_unit_test(a_long_message_is_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
