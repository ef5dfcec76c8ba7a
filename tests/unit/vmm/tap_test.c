/*
 * Taps, as far as a user without privileges gets: names and messages. Frames are the business of the
 * system tests.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "vmm/tap.h"

enum { HEADER_BYTES = 12 };

static void a_name_that_is_too_long_is_refused(void **state UNUSED)
{
	struct errmsg why = { 0 };
	int fd = -1;

	assert_int_equal(tap_open("an-interface-nam", HEADER_BYTES, &fd, &why), -EINVAL);
	assert_string_equal(why.text, "tap \"an-interface-nam\": the name is too long");
	assert_int_equal(why.blame, BLAME_USER);
	assert_int_equal(fd, -1);
}

static void what_is_no_tap_refuses_offloads(void **state UNUSED)
{
	const struct tap_offloads all = {
		.checksum = true, .tso4 = true, .tso6 = true, .ecn = true
	};
	const struct tap_offloads none = { 0 };
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(tap_set_offloads(fd, &all), -ENOTTY);
	assert_int_equal(tap_set_offloads(fd, &none), -ENOTTY);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_is_too_long_is_refused),
		cmocka_unit_test(what_is_no_tap_refuses_offloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
