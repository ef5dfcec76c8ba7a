/*
 * The command line of bhd.
 */
#include "host/options.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static int parse(char *const words[], struct options *out, struct errmsg *why)
{
	int count = 0;

	while (words[count])
		count++;
	*why = (struct errmsg){ 0 };
	return options_parse(count, words, out, why);
}

#define PARSE(out, why, ...) parse((char *[]){ "bhd", ##__VA_ARGS__, NULL }, out, why)

static void without_options_there_are_defaults(void **state UNUSED)
{
	struct options options;
	struct errmsg why;

	assert_int_equal(PARSE(&options, &why), 0);
	assert_int_equal(options.action, OPTIONS_RUN);
	assert_string_equal(options.vms, "/etc/bulkhead/vms");
	assert_string_equal(options.run_dir, "/run/bulkhead");
	assert_string_equal(options.bhvm, "/bin/bhvm");
	assert_int_equal(options.stop_timeout_s, 60);
}

static void values_follow_after_a_space_or_an_equals_sign(void **state UNUSED)
{
	struct options options;
	struct errmsg why;

	assert_int_equal(PARSE(&options, &why, "--vms", "/v", "--bhvm=/b", "--stop-timeout=5"), 0);
	assert_string_equal(options.vms, "/v");
	assert_string_equal(options.bhvm, "/b");
	assert_int_equal(options.stop_timeout_s, 5);
}

static void an_unknown_option_names_the_nearest(void **state UNUSED)
{
	struct options options;
	struct errmsg why;

	assert_int_not_equal(PARSE(&options, &why, "--vmz", "/v"), 0);
	assert_string_equal(why.text, "--vmz: unknown option; did you mean --vms?");
	assert_int_equal(why.blame, BLAME_USER);
}

static void a_missing_value_is_said(void **state UNUSED)
{
	struct options options;
	struct errmsg why;

	assert_int_not_equal(PARSE(&options, &why, "--vms"), 0);
	assert_string_equal(why.text, "--vms: expected DIR, found nothing");
	assert_int_not_equal(PARSE(&options, &why, "--vms="), 0);
	assert_string_equal(why.text, "--vms: expected DIR, found nothing");
}

static void a_value_too_many_is_said(void **state UNUSED)
{
	struct options options;
	struct errmsg why;

	assert_int_not_equal(PARSE(&options, &why, "--help=me"), 0);
	assert_string_equal(why.text, "--help: expected no value, found \"me\"");
}

static void a_timeout_is_seconds(void **state UNUSED)
{
	static const char *const bad[] = { "1m", "-1", "x", "99999999", " 5" };
	struct options options;
	struct errmsg why;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_not_equal(PARSE(&options, &why, "--stop-timeout", (char *)bad[i]), 0);
	assert_string_equal(why.text, "--stop-timeout: expected seconds, 0 to 86400, found \" 5\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_there_are_defaults),
		cmocka_unit_test(values_follow_after_a_space_or_an_equals_sign),
		cmocka_unit_test(an_unknown_option_names_the_nearest),
		cmocka_unit_test(a_missing_value_is_said),
		cmocka_unit_test(a_value_too_many_is_said),
		cmocka_unit_test(a_timeout_is_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
