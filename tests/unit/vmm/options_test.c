/*
 * The command line: what it means alone and beside a document, and what is said about a wrong one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "vmm/options.h"
#include "base/version.h"

enum { WORDS_MAX = 32 };

/* Cuts "--cpus 2 --name a" at its blanks. */
struct command_line {
	char text[512];
	char *words[WORDS_MAX];
	int nr_words;
};

static void split(struct command_line *line, const char *text)
{
	char *next = line->text, *word;

	snprintf(line->text, sizeof(line->text), "bhvm %s", text);
	line->nr_words = 0;
	while ((word = strsep(&next, " ")))
		if (*word)
			line->words[line->nr_words++] = word;
	line->words[line->nr_words] = NULL;
}

static struct options parse(const char *text)
{
	struct command_line line;
	struct options options;
	struct errmsg why = { 0 };

	split(&line, text);
	if (options_parse(line.nr_words, line.words, &options, &why))
		fail_msg("%s: %s", text, why.text);
	return options;
}

static void expect_refusal(const char *text, const char *message)
{
	struct command_line line;
	struct options options;
	struct errmsg why = { 0 };

	split(&line, text);
	assert_true(options_parse(line.nr_words, line.words, &options, &why) < 0);
	assert_string_equal(why.text, message);
	assert_int_equal(why.blame, BLAME_USER);
}

static char *answer_to(const char *text)
{
	struct options options = parse(text);
	char *answer;

	assert_int_equal(options_answer(&options, &answer), 0);
	options_destroy(&options);
	return answer;
}

/* ---- what a command line means ---- */

static void a_kernel_makes_a_machine(void **state UNUSED)
{
	struct options options = parse("--kernel vmlinuz");

	assert_int_equal(options.action, OPTIONS_RUN);
	assert_string_equal(options.config.boot.kernel, "vmlinuz");
	assert_int_equal(options.config.cpus, 1);
	assert_true(options.config.rng);
	options_destroy(&options);
}

static void every_option_reaches_its_key(void **state UNUSED)
{
	struct options options = parse(
		"--kernel k --initrd i --cmdline quiet --cpus 4 --memory 2G --no-rng --name web "
		"--console null --api-socket /run/a --on-reset exit");

	assert_string_equal(options.config.boot.kernel, "k");
	assert_string_equal(options.config.boot.initrd, "i");
	assert_string_equal(options.config.boot.cmdline, "quiet");
	assert_int_equal(options.config.cpus, 4);
	assert_int_equal(options.config.memory_bytes, UINT64_C(2) << 30);
	assert_false(options.config.rng);
	assert_string_equal(options.config.name, "web");
	assert_string_equal(options.config.console, "null");
	assert_string_equal(options.config.api_socket, "/run/a");
	assert_int_equal(options.config.on_reset, ON_RESET_EXIT);
	options_destroy(&options);
}

static void an_argument_may_follow_an_equals_sign(void **state UNUSED)
{
	struct options options = parse("--kernel=k --cmdline=root=/dev/vda --cpus=2");

	assert_string_equal(options.config.boot.cmdline, "root=/dev/vda");
	assert_int_equal(options.config.cpus, 2);
	options_destroy(&options);
}

static void the_last_of_two_wins(void **state UNUSED)
{
	struct options options = parse("--kernel k --cpus 2 --cpus 3");

	assert_int_equal(options.config.cpus, 3);
	options_destroy(&options);
}

static void disks_and_nets_come_in_order(void **state UNUSED)
{
	struct options options =
		parse("--kernel k --disk a.img --disk /dev/b,readonly,direct,id=data,serial=S1 "
		      "--disk c,readonly=true,direct=false "
		      "--net tap=tap0 --net mac=52:54:00:00:00:01,tap=tap1,mtu=1400,id=lan");
	const struct vm_config *config = &options.config;

	assert_int_equal(config->nr_disks, 3);
	assert_string_equal(config->disks[0].path, "a.img");
	assert_string_equal(config->disks[0].id, "disk0");
	assert_false(config->disks[0].readonly);
	assert_string_equal(config->disks[1].path, "/dev/b");
	assert_true(config->disks[1].readonly);
	assert_true(config->disks[1].direct);
	assert_string_equal(config->disks[1].id, "data");
	assert_string_equal(config->disks[1].serial, "S1");
	assert_true(config->disks[2].readonly);
	assert_false(config->disks[2].direct);
	assert_int_equal(config->nr_nets, 2);
	assert_string_equal(config->nets[0].tap, "tap0");
	assert_string_equal(config->nets[1].tap, "tap1");
	assert_int_equal(config->nets[1].mac[5], 1);
	assert_int_equal(config->nets[1].mtu, 1400);
	options_destroy(&options);
}

static void digits_stay_text_where_text_is_expected(void **state UNUSED)
{
	struct options options = parse("--kernel 5 --name 7 --disk 9,serial=123");

	assert_string_equal(options.config.boot.kernel, "5");
	assert_string_equal(options.config.name, "7");
	assert_string_equal(options.config.disks[0].path, "9");
	assert_string_equal(options.config.disks[0].serial, "123");
	options_destroy(&options);
}

/* ---- beside a document ---- */

static void write_document(char path[], const char *text)
{
	int fd = mkstemp(path);

	assert_true(dprintf(fd, "%s", text) > 0);
	close(fd);
}

static void options_override_the_document(void **state UNUSED)
{
	char path[] = "/tmp/bulkhead-options-XXXXXX", text[128];
	struct options options;

	write_document(path, "{\"name\":\"web\",\"cpus\":2,\"boot\":{\"kernel\":\"k\",\"cmdline\":"
			     "\"quiet\"},\"disks\":[{\"path\":\"a\"},{\"path\":\"b\"}]}");
	snprintf(text, sizeof(text), "--cpus 3 --config %s --cmdline debug --disk c", path);
	options = parse(text);
	assert_string_equal(options.config.name, "web");
	assert_int_equal(options.config.cpus, 3);
	assert_string_equal(options.config.boot.kernel, "k");
	assert_string_equal(options.config.boot.cmdline, "debug");
	assert_int_equal(options.config.nr_disks, 1);
	assert_string_equal(options.config.disks[0].path, "c");
	options_destroy(&options);
	unlink(path);
}

static void a_message_names_the_layer_that_is_wrong(void **state UNUSED)
{
	char path[] = "/tmp/bulkhead-options-XXXXXX", text[128], message[256];

	write_document(path, "{\"cpus\":\"many\"}");
	snprintf(text, sizeof(text), "--config %s --cpus 3", path);
	snprintf(message, sizeof(message),
		 "%s: cpus: expected an integer from 1 to 64, found \"many\"", path);
	expect_refusal(text, message);
	unlink(path);
}

static void a_kernel_missing_from_both_is_missed_in_the_document(void **state UNUSED)
{
	char path[] = "/tmp/bulkhead-options-XXXXXX", text[128], message[256];

	write_document(path, "{\"cpus\":2}");
	snprintf(text, sizeof(text), "--config %s --cpus 3", path);
	snprintf(
		message, sizeof(message),
		"%s: boot.kernel: required, but missing: the guest's kernel: a Linux bzImage or an "
		"ELF with a PVH entry",
		path);
	expect_refusal(text, message);
	unlink(path);
}

static void a_document_that_is_not_there_is_named(void **state UNUSED)
{
	expect_refusal("--config /nonexistent/vm.json",
		       "/nonexistent/vm.json: can't be opened: No such file or directory");
}

/* ---- what is said about a wrong one ---- */

static void a_machine_needs_a_kernel(void **state UNUSED)
{
	expect_refusal("", "command line: --kernel: required, but missing: the guest's kernel: a "
			   "Linux bzImage or an ELF with a PVH entry");
}

static void an_unknown_option_suggests_the_nearest(void **state UNUSED)
{
	expect_refusal("--cpu 2", "command line: --cpu: unknown option; did you mean \"--cpus\"?");
	expect_refusal("--memroy=1G",
		       "command line: --memroy: unknown option; did you mean \"--memory\"?");
	expect_refusal("--frobnicate", "command line: --frobnicate: unknown option; see --help");
	expect_refusal("-h", "command line: \"-h\": expected an option; see --help");
	expect_refusal("vm.json", "command line: \"vm.json\": expected an option; see --help");
}

static void an_option_without_its_argument_is_an_error(void **state UNUSED)
{
	expect_refusal("--kernel k --cpus", "command line: --cpus: expected N, found nothing");
	expect_refusal("--config", "command line: --config: expected FILE, found nothing");
}

static void an_option_without_an_argument_takes_none(void **state UNUSED)
{
	expect_refusal("--no-rng=1", "command line: --no-rng: expected no argument");
	expect_refusal("--check=yes", "command line: --check: expected no argument");
}

static void a_wrong_value_is_told_by_its_option(void **state UNUSED)
{
	expect_refusal("--kernel k --cpus 65",
		       "command line: --cpus: expected an integer from 1 to 64, found 65");
	expect_refusal("--kernel k --cpus two",
		       "command line: --cpus: expected an integer from 1 to 64, found \"two\"");
	expect_refusal(
		"--kernel k --cpus 99999999999",
		"command line: --cpus: expected an integer from 1 to 64, found \"99999999999\"");
	expect_refusal(
		"--kernel k --memory 512MB",
		"command line: --memory: expected a size like \"512M\" from 1M to 16T in steps "
		"of 1M, found \"512MB\"");
	expect_refusal("--kernel=", "command line: --kernel: expected 1 to 4095 bytes, found \"\"");
	expect_refusal("--kernel k --console tty",
		       "command line: --console: expected \"stdio\", \"null\", \"file:PATH\" or "
		       "\"unix:PATH\", found \"tty\"");
	expect_refusal("--kernel k --on-reset halt",
		       "command line: --on-reset: expected \"reset\" or \"exit\", found \"halt\"");
}

static void a_wrong_item_is_told_by_its_number(void **state UNUSED)
{
	expect_refusal(
		"--kernel k --disk a --disk b,raedonly",
		"command line: --disk #2: raedonly: unknown key; did you mean \"readonly\"?");
	expect_refusal(
		"--kernel k --disk a,readonly=maybe",
		"command line: --disk #1: readonly: expected true or false, found \"maybe\"");
	expect_refusal(
		"--kernel k --disk a,",
		"command line: --disk #1: : unknown key; expected one of id, path, readonly, "
		"direct, serial");
	expect_refusal("--kernel k --disk=",
		       "command line: --disk #1: path: expected 1 to 4095 bytes, found \"\"");
	expect_refusal("--kernel k --net tap0",
		       "command line: --net #1: tap0: unknown key; did you mean \"tap\"?");
	expect_refusal(
		"--kernel k --net mtu=1500",
		"command line: --net #1: tap: required, but missing: the host's tap interface");
	expect_refusal("--kernel k --net tap=t,mtu=big",
		       "command line: --net #1: mtu: expected an integer from 68 to 65535, found "
		       "\"big\"");
}

static void what_is_not_utf8_is_an_error(void **state UNUSED)
{
	expect_refusal("--kernel k\xff", "command line: --kernel: expected UTF-8 text");
	expect_refusal("--kernel k --disk \xff", "command line: --disk: expected UTF-8 text");
	expect_refusal("--kernel k --disk a,\xff=1", "command line: --disk: expected UTF-8 text");
}

static void too_many_disks_are_counted(void **state UNUSED)
{
	char text[256] = "--kernel k";

	for (int i = 0; i < 17; i++)
		strcat(text, " --disk=a");
	expect_refusal(text, "command line: --disk: expected at most 16 items, found 17");
}

/* ---- answers ---- */

static void check_says_ok(void **state UNUSED)
{
	char *answer = answer_to("--kernel k --name web --cpus 2 --disk a --check");

	assert_string_equal(answer,
			    "ok: web: 2 CPUs, 512 MiB of memory, 1 disk, 0 network interfaces\n");
	free(answer);
}

static void check_refuses_what_running_would_refuse(void **state UNUSED)
{
	expect_refusal("--check --kernel k --cpus 0",
		       "command line: --cpus: expected an integer from 1 to 64, found 0");
}

static void the_dump_is_a_document_that_means_the_same(void **state UNUSED)
{
	char *answer = answer_to("--kernel k --disk a,readonly --net tap=t --dump-config");
	struct errmsg why = { 0 };
	struct vm_config config;

	assert_int_equal(config_parse(answer, strlen(answer), "dump", &config, &why), 0);
	assert_string_equal(config.boot.kernel, "k");
	assert_true(config.disks[0].readonly);
	assert_string_equal(config.nets[0].id, "net0");
	config_destroy(&config);
	free(answer);
}

static void version_and_help_need_no_machine(void **state UNUSED)
{
	char *version = answer_to("--version");
	char *help = answer_to("--help");

	assert_string_equal(version, "bhvm " BULKHEAD_VERSION "\n");
	assert_non_null(strstr(help, "--kernel FILE"));
	free(version);
	free(help);
}

static void help_fits_80_columns(void **state UNUSED)
{
	char *help = answer_to("--help");
	char *next = help, *line;

	while ((line = strsep(&next, "\n")))
		if (strlen(line) > 80)
			fail_msg("%zu columns: %s", strlen(line), line);
	free(help);
}

static void help_names_defaults(void **state UNUSED)
{
	char *help = answer_to("--help");

	assert_non_null(strstr(help, "guest memory: 512M, 2G (default 512M)\n"));
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_makes_a_machine),
		cmocka_unit_test(every_option_reaches_its_key),
		cmocka_unit_test(an_argument_may_follow_an_equals_sign),
		cmocka_unit_test(the_last_of_two_wins),
		cmocka_unit_test(disks_and_nets_come_in_order),
		cmocka_unit_test(digits_stay_text_where_text_is_expected),
		cmocka_unit_test(options_override_the_document),
		cmocka_unit_test(a_message_names_the_layer_that_is_wrong),
		cmocka_unit_test(a_kernel_missing_from_both_is_missed_in_the_document),
		cmocka_unit_test(a_document_that_is_not_there_is_named),
		cmocka_unit_test(a_machine_needs_a_kernel),
		cmocka_unit_test(an_unknown_option_suggests_the_nearest),
		cmocka_unit_test(an_option_without_its_argument_is_an_error),
		cmocka_unit_test(an_option_without_an_argument_takes_none),
		cmocka_unit_test(a_wrong_value_is_told_by_its_option),
		cmocka_unit_test(a_wrong_item_is_told_by_its_number),
		cmocka_unit_test(what_is_not_utf8_is_an_error),
		cmocka_unit_test(too_many_disks_are_counted),
		cmocka_unit_test(check_says_ok),
		cmocka_unit_test(check_refuses_what_running_would_refuse),
		cmocka_unit_test(the_dump_is_a_document_that_means_the_same),
		cmocka_unit_test(version_and_help_need_no_machine),
		cmocka_unit_test(help_fits_80_columns),
		cmocka_unit_test(help_names_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
