/*
 * A VM's document: what it means, and what is said about a wrong one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "vmm/config.h"
#include "base/json_text.h"

#define BOOT "\"boot\":{\"kernel\":\"vmlinuz\"}"

static struct vm_config parse(const char *text)
{
	struct vm_config config;
	struct errmsg why = { 0 };

	if (config_parse(text, strlen(text), "web.json", &config, &why))
		fail_msg("%s: %s", text, why.text);
	return config;
}

static void expect_refusal(const char *text, const char *message)
{
	struct vm_config config;
	struct errmsg why = { 0 };

	assert_true(config_parse(text, strlen(text), "web.json", &config, &why) < 0);
	assert_string_equal(why.text, message);
	assert_int_equal(why.blame, BLAME_USER);
}

/* @members: of the top object, beside a good "boot". */
static void expect_member_refusal(const char *members, const char *message)
{
	char text[512];

	snprintf(text, sizeof(text), "{" BOOT ",%s}", members);
	expect_refusal(text, message);
}

/* ---- what a document means ---- */

static void only_the_kernel_must_be_given(void **state UNUSED)
{
	struct vm_config config = parse("{" BOOT "}");

	assert_string_equal(config.name, "vm");
	assert_null(config.description);
	assert_int_equal(config.cpus, 1);
	assert_int_equal(config.memory_bytes, 512u << 20);
	assert_string_equal(config.boot.kernel, "vmlinuz");
	assert_null(config.boot.initrd);
	assert_string_equal(config.boot.cmdline, "");
	assert_int_equal(config.nr_disks, 0);
	assert_int_equal(config.nr_nets, 0);
	assert_true(config.rng);
	assert_string_equal(config.console, "stdio");
	assert_null(config.api_socket);
	assert_int_equal(config.on_reset, ON_RESET_RESET);
	assert_true(config.autostart);
	assert_int_equal(config.restart, RESTART_ON_FAILURE);
	config_destroy(&config);
}

static void every_key_reaches_its_field(void **state UNUSED)
{
	struct vm_config config = parse(
		"{\"name\":\"web-1\",\"description\":\"front end\",\"cpus\":4,\"memory\":\"2G\","
		"\"boot\":{\"kernel\":\"k\",\"initrd\":\"i\",\"cmdline\":\"quiet\"},"
		"\"disks\":[{\"id\":\"root\",\"path\":\"a\",\"readonly\":true,\"direct\":true,"
		"\"serial\":\"S1\"}],"
		"\"nets\":[{\"id\":\"lan\",\"tap\":\"tap0\",\"mac\":\"52:54:00:12:34:Fe\",\"mtu\":9000}],"
		"\"rng\":false,\"console\":\"unix:/run/c\",\"api_socket\":\"/run/a\","
		"\"on_reset\":\"exit\",\"autostart\":false,\"restart\":\"always\"}");
	static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0xfe };

	assert_string_equal(config.name, "web-1");
	assert_string_equal(config.description, "front end");
	assert_int_equal(config.cpus, 4);
	assert_int_equal(config.memory_bytes, UINT64_C(2) << 30);
	assert_string_equal(config.boot.initrd, "i");
	assert_string_equal(config.boot.cmdline, "quiet");
	assert_int_equal(config.nr_disks, 1);
	assert_string_equal(config.disks[0].id, "root");
	assert_string_equal(config.disks[0].path, "a");
	assert_true(config.disks[0].readonly);
	assert_true(config.disks[0].direct);
	assert_string_equal(config.disks[0].serial, "S1");
	assert_int_equal(config.nr_nets, 1);
	assert_string_equal(config.nets[0].id, "lan");
	assert_string_equal(config.nets[0].tap, "tap0");
	assert_memory_equal(config.nets[0].mac, mac, sizeof(mac));
	assert_int_equal(config.nets[0].mtu, 9000);
	assert_false(config.rng);
	assert_string_equal(config.console, "unix:/run/c");
	assert_string_equal(config.api_socket, "/run/a");
	assert_int_equal(config.on_reset, ON_RESET_EXIT);
	assert_false(config.autostart);
	assert_int_equal(config.restart, RESTART_ALWAYS);
	config_destroy(&config);
}

static uint64_t memory_of(const char *value)
{
	char text[128];
	struct vm_config config;
	uint64_t bytes;

	snprintf(text, sizeof(text), "{" BOOT ",\"memory\":%s}", value);
	config = parse(text);
	bytes = config.memory_bytes;
	config_destroy(&config);
	return bytes;
}

static void memory_has_units_of_powers_of_two(void **state UNUSED)
{
	assert_int_equal(memory_of("\"1M\""), UINT64_C(1) << 20);
	assert_int_equal(memory_of("\"512MiB\""), UINT64_C(512) << 20);
	assert_int_equal(memory_of("\"3G\""), UINT64_C(3) << 30);
	assert_int_equal(memory_of("\"2GiB\""), UINT64_C(2) << 30);
	assert_int_equal(memory_of("\"16T\""), UINT64_C(16) << 40);
	assert_int_equal(memory_of("\"2048K\""), UINT64_C(2) << 20);
	assert_int_equal(memory_of("\"1048576\""), UINT64_C(1) << 20);
	assert_int_equal(memory_of("1048576"), UINT64_C(1) << 20);
}

static void devices_without_an_id_are_numbered(void **state UNUSED)
{
	struct vm_config config = parse("{" BOOT ",\"disks\":[{\"path\":\"a\"},{\"path\":\"b\"}],"
					"\"nets\":[{\"tap\":\"t\"}]}");

	assert_string_equal(config.disks[0].id, "disk0");
	assert_string_equal(config.disks[1].id, "disk1");
	assert_string_equal(config.nets[0].id, "net0");
	config_destroy(&config);
}

static void derived_mac(const char *name, const char *id, uint8_t mac[6])
{
	char text[256];
	struct vm_config config;

	snprintf(text, sizeof(text),
		 "{" BOOT ",\"name\":\"%s\",\"nets\":[{\"id\":\"%s\",\"tap\":\"t\"}]}", name, id);
	config = parse(text);
	memcpy(mac, config.nets[0].mac, 6);
	config_destroy(&config);
}

static void a_derived_mac_is_stable_and_differs_by_vm_and_id(void **state UNUSED)
{
	uint8_t web[6], web_again[6], db[6], web_lan[6];

	derived_mac("web", "net0", web);
	derived_mac("web", "net0", web_again);
	derived_mac("db", "net0", db);
	derived_mac("web", "lan", web_lan);
	assert_memory_equal(web, web_again, 6);
	assert_memory_not_equal(web, db, 6);
	assert_memory_not_equal(web, web_lan, 6);
}

static void a_derived_mac_is_unicast_and_locally_administered(void **state UNUSED)
{
	uint8_t mac[6];
	char name[16];

	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "vm%d", i);
		derived_mac(name, "net0", mac);
		assert_int_equal(mac[0] & 0x03, 0x02);
	}
}

static void the_effective_document_means_the_same(void **state UNUSED)
{
	struct vm_config config = parse("{" BOOT
					",\"memory\":1073741824,\"disks\":[{\"path\":\"a\"}],"
					"\"nets\":[{\"tap\":\"t\",\"mtu\":1400}]}");
	json_t *first = config_to_json(&config), *second;
	char *text = json_dumps(first, 0);
	struct vm_config again = parse(text);

	second = config_to_json(&again);
	assert_true(json_equal(first, second));
	assert_string_equal(json_string_value(json_object_get(first, "memory")), "1G");
	assert_string_equal(again.disks[0].id, "disk0");

	free(text);
	json_decref(first);
	json_decref(second);
	config_destroy(&config);
	config_destroy(&again);
}

static void a_later_layer_overrides_key_by_key_and_lists_as_a_whole(void **state UNUSED)
{
	const struct schema_origin origin = { .name = "test" };
	struct errmsg why = { 0 };
	struct vm_config config;
	json_t *lower =
		json_loads("{\"cpus\":2,\"name\":\"a\",\"boot\":{\"kernel\":\"k\",\"initrd\":"
			   "\"i\"},\"disks\":[{\"path\":\"x\"},{\"path\":\"y\"}]}",
			   0, NULL);
	json_t *upper = json_loads(
		"{\"cpus\":3,\"boot\":{\"initrd\":\"j\"},\"disks\":[{\"path\":\"z\"}]}", 0, NULL);

	assert_int_equal(config_init(&config, &why), 0);
	assert_int_equal(config_apply(&config, lower, &origin, &why), 0);
	assert_int_equal(config_apply(&config, upper, &origin, &why), 0);
	assert_int_equal(config_complete(&config, &origin, &why), 0);
	assert_int_equal(config.cpus, 3);
	assert_string_equal(config.name, "a");
	assert_string_equal(config.boot.kernel, "k");
	assert_string_equal(config.boot.initrd, "j");
	assert_int_equal(config.nr_disks, 1);
	assert_string_equal(config.disks[0].path, "z");
	json_decref(lower);
	json_decref(upper);
	config_destroy(&config);
}

/* ---- what is said about a wrong one ---- */

static void bad_json_is_located_by_line_and_column(void **state UNUSED)
{
	expect_refusal("{\n  \"cpus\": 2,\n  oops\n}",
		       "web.json: line 3, column 6: string or '}' expected near 'oops'");
	expect_refusal("", "web.json: line 1, column 0: unexpected token near end of file");
	expect_refusal("{} {}", "web.json: line 1, column 4: end of file expected near '{'");
	expect_refusal("{\"name\":\"\x01\"}",
		       "web.json: line 1, column 9: control character 0x1 near '\"'");
	expect_refusal("{\"name\":\"\xff\"}",
		       "web.json: line 1, column 9: unable to decode byte 0xff near '\"'");
	expect_refusal("{\"name\":\"a\\u0000b\"}",
		       "web.json: line 1, column 18: \\u0000 is not allowed without "
		       "JSON_ALLOW_NUL near '\"a\\u0000b\"'");
}

static void a_key_given_twice_is_an_error(void **state UNUSED)
{
	expect_refusal("{\"cpus\":1,\"cpus\":2}",
		       "web.json: line 1, column 16: duplicate object key near '\"cpus\"'");
}

static void a_document_is_an_object(void **state UNUSED)
{
	expect_refusal("[]", "web.json: expected an object, found an array");
	expect_refusal("7", "web.json: expected an object, found an integer");
}

static void an_unknown_key_suggests_the_nearest(void **state UNUSED)
{
	expect_refusal("{\"memroy\":1}", "web.json: memroy: unknown key; did you mean \"memory\"?");
	expect_refusal("{\"boot\":{\"kernal\":\"k\"}}",
		       "web.json: boot.kernal: unknown key; did you mean \"kernel\"?");
	expect_refusal("{\"disks\":[{\"path\":\"a\"},{\"read_only\":true}]}",
		       "web.json: disks[1].read_only: unknown key; did you mean \"readonly\"?");
	expect_refusal(
		"{\"boot\":{\"firmware\":\"k\"}}",
		"web.json: boot.firmware: unknown key; expected one of kernel, initrd, cmdline");
}

static void a_hostile_key_is_shown_harmless_and_short(void **state UNUSED)
{
	expect_refusal(
		"{\"boot\":{\"\\u001b[31m\":1}}",
		"web.json: boot.?[31m: unknown key; expected one of kernel, initrd, cmdline");
	expect_refusal(
		"{\"boot\":{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\":1}}",
		"web.json: boot.abcdefghijklmnopqrstuvwxyzabcdef: unknown key; expected one of "
		"kernel, initrd, cmdline");
}

static void the_kernel_is_required(void **state UNUSED)
{
	static const char message[] = "web.json: boot.kernel: required, but missing: the guest's "
				      "kernel: a Linux bzImage or an ELF with a PVH entry";

	expect_refusal("{}", message);
	expect_refusal("{\"boot\":{}}", message);
	expect_refusal("{\"boot\":{\"kernel\":null}}",
		       "web.json: boot.kernel: expected a string, found null");
	expect_refusal("{\"boot\":{\"kernel\":\"\"}}",
		       "web.json: boot.kernel: expected 1 to 4095 bytes, found \"\"");
	expect_refusal("{\"boot\":\"vmlinuz\"}",
		       "web.json: boot: expected an object, found a string");
}

static void cpus_are_from_1_to_64(void **state UNUSED)
{
	expect_member_refusal("\"cpus\":0",
			      "web.json: cpus: expected an integer from 1 to 64, found 0");
	expect_member_refusal("\"cpus\":65",
			      "web.json: cpus: expected an integer from 1 to 64, found 65");
	expect_member_refusal("\"cpus\":-1",
			      "web.json: cpus: expected an integer from 1 to 64, found -1");
	expect_member_refusal("\"cpus\":4294967297",
			      "web.json: cpus: expected an integer from 1 to 64, found 4294967297");
	expect_member_refusal("\"cpus\":1.5",
			      "web.json: cpus: expected an integer from 1 to 64, found 1.5");
	expect_member_refusal("\"cpus\":\"2\"",
			      "web.json: cpus: expected an integer from 1 to 64, found \"2\"");
}

static void expect_memory_refusal(const char *value)
{
	char members[128], message[256];

	snprintf(members, sizeof(members), "\"memory\":%s", value);
	snprintf(message, sizeof(message),
		 "web.json: memory: expected a size like \"512M\" from 1M to 16T in steps of 1M, "
		 "found %s",
		 value);
	expect_member_refusal(members, message);
}

static void memory_is_whole_mebibytes_in_range(void **state UNUSED)
{
	expect_memory_refusal("\"512\"");
	expect_memory_refusal("\"512MB\"");
	expect_memory_refusal("\"512m\"");
	expect_memory_refusal("\"512 M\"");
	expect_memory_refusal("\"M\"");
	expect_memory_refusal("\"\"");
	expect_memory_refusal("\"-1M\"");
	expect_memory_refusal("\"1.5G\"");
	expect_memory_refusal("\"17T\"");
	expect_memory_refusal("\"18446744073709551617M\"");
	expect_memory_refusal("\"16777216T\"");
	expect_memory_refusal("\"1025K\"");
	expect_memory_refusal("1048577");
	expect_memory_refusal("-1048576");
	expect_memory_refusal("true");
}

#define NAME_FORM \
	"1 to 63 letters, digits, '.', '_' or '-', of which the first is a letter or digit"

static void a_name_has_a_narrow_form(void **state UNUSED)
{
	expect_member_refusal("\"name\":\"\"",
			      "web.json: name: expected " NAME_FORM ", found \"\"");
	expect_member_refusal("\"name\":\"-web\"",
			      "web.json: name: expected " NAME_FORM ", found \"-web\"");
	expect_member_refusal("\"name\":\"a/b\"",
			      "web.json: name: expected " NAME_FORM ", found \"a/b\"");
	expect_member_refusal(
		"\"name\":\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg\"",
		"web.json: name: expected " NAME_FORM
		", found \"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd...\"");
	expect_member_refusal("\"name\":5", "web.json: name: expected a string, found an integer");
}

static void a_wrong_disk_is_named_by_its_place(void **state UNUSED)
{
	expect_member_refusal("\"disks\":{}",
			      "web.json: disks: expected an array, found an object");
	expect_member_refusal("\"disks\":[\"a.img\"]",
			      "web.json: disks[0]: expected an object, found a string");
	expect_member_refusal("\"disks\":[{\"path\":\"a\"},{\"path\":7}]",
			      "web.json: disks[1].path: expected a string, found an integer");
	expect_member_refusal(
		"\"disks\":[{\"path\":\"a\"},{}]",
		"web.json: disks[1].path: required, but missing: a raw image file or a block device");
	expect_member_refusal("\"disks\":[{\"path\":\"a\",\"readonly\":\"yes\"}]",
			      "web.json: disks[0].readonly: expected true or false, found \"yes\"");
	expect_member_refusal("\"disks\":[{\"path\":\"a\",\"serial\":\"123456789012345678901\"}]",
			      "web.json: disks[0].serial: expected at most 20 printable ASCII "
			      "characters, found \"123456789012345678901\"");
}

static void there_are_at_most_16_disks(void **state UNUSED)
{
	char members[512] = "\"disks\":[{}";

	for (int i = 1; i < 17; i++)
		strcat(members, ",{}");
	strcat(members, "]");
	expect_member_refusal(members, "web.json: disks: expected at most 16 items, found 17");
}

static void an_id_is_unique_among_all_devices(void **state UNUSED)
{
	expect_member_refusal(
		"\"disks\":[{\"path\":\"a\",\"id\":\"x\"},{\"path\":\"b\",\"id\":\"x\"}]",
		"web.json: disks[1].id: expected a unique id, found \"x\" a second time");
	expect_member_refusal(
		"\"disks\":[{\"path\":\"a\",\"id\":\"disk1\"},{\"path\":\"b\"}]",
		"web.json: disks[1].id: expected a unique id, found \"disk1\" a second time");
	expect_member_refusal(
		"\"disks\":[{\"path\":\"a\",\"id\":\"x\"}],\"nets\":[{\"tap\":\"t\",\"id\":\"x\"}]",
		"web.json: nets[0].id: expected a unique id, found \"x\" a second time");
}

static void a_wrong_net_is_named_by_its_place(void **state UNUSED)
{
	expect_member_refusal(
		"\"nets\":[{}]",
		"web.json: nets[0].tap: required, but missing: the host's tap interface");
	expect_member_refusal("\"nets\":[{\"tap\":\"a-name-too-long1\"}]",
			      "web.json: nets[0].tap: expected an interface name of 1 to 15 "
			      "characters, found \"a-name-too-long1\"");
	expect_member_refusal("\"nets\":[{\"tap\":\"a/b\"}]",
			      "web.json: nets[0].tap: expected an interface name of 1 to 15 "
			      "characters, found \"a/b\"");
	expect_member_refusal(
		"\"nets\":[{\"tap\":\"t\",\"mtu\":67}]",
		"web.json: nets[0].mtu: expected an integer from 68 to 65535, found 67");
}

static void expect_mac_refusal(const char *mac)
{
	char members[128], message[256];

	snprintf(members, sizeof(members), "\"nets\":[{\"tap\":\"t\",\"mac\":\"%s\"}]", mac);
	snprintf(message, sizeof(message),
		 "web.json: nets[0].mac: expected a unicast MAC address like "
		 "\"52:54:00:12:34:56\", found \"%s\"",
		 mac);
	expect_member_refusal(members, message);
}

static void a_mac_is_six_bytes_of_a_unicast_address(void **state UNUSED)
{
	expect_mac_refusal("");
	expect_mac_refusal("52:54:00:12:34");
	expect_mac_refusal("52:54:00:12:34:56:78");
	expect_mac_refusal("52-54-00-12-34-56");
	expect_mac_refusal("52:54:00:12:34:5g");
	expect_mac_refusal("01:00:5e:00:00:01");
	expect_mac_refusal("ff:ff:ff:ff:ff:ff");
	expect_mac_refusal("00:00:00:00:00:00");
}

static void expect_console_refusal(const char *spec)
{
	char members[256], message[256];

	snprintf(members, sizeof(members), "\"console\":\"%s\"", spec);
	snprintf(message, sizeof(message),
		 "web.json: console: expected \"stdio\", \"null\", \"file:PATH\" or \"unix:PATH\", "
		 "found \"%s\"",
		 spec);
	expect_member_refusal(members, message);
}

static void a_console_is_one_of_four(void **state UNUSED)
{
	expect_console_refusal("");
	expect_console_refusal("tty");
	expect_console_refusal("stdio:");
	expect_console_refusal("nulls");
	expect_console_refusal("file:");
	expect_console_refusal("unix:");
}

static void a_sockets_path_fits_its_address(void **state UNUSED)
{
	char members[256] = "\"api_socket\":\"/";

	memset(members + strlen(members), 'a', 107);
	strcat(members, "\"");
	expect_member_refusal(members,
			      "web.json: api_socket: expected a socket's path of 1 to 107 "
			      "bytes, found \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

static void a_choice_lists_what_it_may_be(void **state UNUSED)
{
	expect_member_refusal(
		"\"on_reset\":\"reboot\"",
		"web.json: on_reset: expected \"reset\" or \"exit\", found \"reboot\"");
	expect_member_refusal(
		"\"restart\":1",
		"web.json: restart: expected \"never\", \"on-failure\" or \"always\", "
		"found 1");
}

static void a_long_command_line_is_an_error(void **state UNUSED)
{
	static char text[8192] = "{\"boot\":{\"kernel\":\"k\",\"cmdline\":\"";
	struct vm_config config;

	memset(text + strlen(text), 'a', 4095);
	strcat(text, "\"}}");
	config = parse(text);
	assert_int_equal(strlen(config.boot.cmdline), 4095);
	config_destroy(&config);

	text[strlen(text) - 3] = '\0';
	strcat(text, "a\"}}");
	expect_refusal(text, "web.json: boot.cmdline: expected 0 to 4095 bytes, found "
			     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

static void deep_nesting_is_an_error(void **state UNUSED)
{
	char text[128] = "{\"disks\":";

	memset(text + strlen(text), '[', 64);
	expect_refusal(text, "web.json: expected at most 16 levels of nesting");
}

static void brackets_in_strings_are_no_nesting(void **state UNUSED)
{
	struct vm_config config = parse("{" BOOT ",\"description\":\"[[[[[[[[[[[[[[[[[[\\\"{\"}");

	assert_string_equal(config.description, "[[[[[[[[[[[[[[[[[[\"{");
	config_destroy(&config);
}

static void a_huge_document_is_an_error(void **state UNUSED)
{
	char *text = malloc(JSON_TEXT_MAX_BYTES + 2);

	memset(text, ' ', JSON_TEXT_MAX_BYTES + 1);
	text[JSON_TEXT_MAX_BYTES + 1] = '\0';
	expect_refusal(text, "web.json: expected at most 1048576 bytes");
	free(text);
}

/* ---- files ---- */

static void expect_file_refusal(const char *path, const char *message)
{
	struct vm_config config;
	struct errmsg why = { 0 };

	assert_true(config_load(path, &config, &why) < 0);
	assert_string_equal(why.text, message);
	assert_int_equal(why.blame, BLAME_USER);
}

static void a_document_is_read_from_its_file(void **state UNUSED)
{
	char path[] = "/tmp/bulkhead-config-XXXXXX";
	int fd = mkstemp(path);
	struct vm_config config;
	struct errmsg why = { 0 };

	assert_true(dprintf(fd, "{" BOOT ",\"name\":\"filed\"}\n") > 0);
	close(fd);
	assert_int_equal(config_load(path, &config, &why), 0);
	assert_string_equal(config.name, "filed");
	config_destroy(&config);
	unlink(path);
}

static void a_file_that_cannot_be_read_says_why(void **state UNUSED)
{
	expect_file_refusal("/nonexistent/vm.json",
			    "/nonexistent/vm.json: can't be opened: No such file or directory");
	expect_file_refusal("/tmp", "/tmp: can't be read: Is a directory");
}

/* ---- the reference ---- */

static char *read_reference(void)
{
	char *text = calloc(1, 64 * 1024);
	FILE *file = fopen("docs/vm.md", "r");

	assert_non_null(file);
	assert_in_range(fread(text, 1, 64 * 1024 - 1, file), 1000, 64 * 1024 - 2);
	fclose(file);
	return text;
}

/* Each key has a line of a table: "| `cpus` | ...", with its default in it. */
static void expect_documented(const char *reference, const struct schema *schema, const char *above)
{
	for (const struct schema_row *row = schema->rows; row->key; row++) {
		char start[80], path[64], line[512];
		const char *found;

		snprintf(path, sizeof(path), "%s%s", above, row->key);
		snprintf(start, sizeof(start), "\n| `%s` |", path);
		found = strstr(reference, start);
		if (!found)
			fail_msg("docs/vm.md has no line for `%s`", path);
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(found + 1, "\n"), found + 1);
		if (row->preset && *row->preset && !strstr(line, row->preset))
			fail_msg("docs/vm.md: `%s`: the default %s is missing", path, row->preset);
		if (row->is_required && !strstr(line, "required"))
			fail_msg("docs/vm.md: `%s`: doesn't say that it is required", path);
		for (const char *const *choice = row->choices; choice && *choice; choice++)
			if (!strstr(line, *choice))
				fail_msg("docs/vm.md: `%s`: the choice %s is missing", path,
					 *choice);

		if (row->kind == SCHEMA_OBJECT || row->kind == SCHEMA_LIST) {
			snprintf(path, sizeof(path), "%s%s.", row->key,
				 row->kind == SCHEMA_LIST ? "[]" : "");
			expect_documented(reference, row->fields, path);
		}
	}
}

static void the_reference_describes_every_key(void **state UNUSED)
{
	char *reference = read_reference();

	expect_documented(reference, &config_schema, "");
	free(reference);
}

static void every_example_of_the_reference_is_a_good_document(void **state UNUSED)
{
	char *reference = read_reference();
	char *example = reference;
	int examples = 0;

	while ((example = strstr(example, "```json\n"))) {
		char *end = strstr(example + 8, "```");
		struct vm_config config;

		*end = '\0';
		config = parse(example + 8);
		config_destroy(&config);
		example = end + 1;
		examples++;
	}
	assert_in_range(examples, 1, 16);
	free(reference);
}

static void expect_explained(const struct schema *schema)
{
	for (const struct schema_row *row = schema->rows; row->key; row++) {
		assert_non_null(row->help);
		if (row->fields)
			expect_explained(row->fields);
	}
}

static void every_key_says_what_it_is_for(void **state UNUSED)
{
	expect_explained(&config_schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_kernel_must_be_given),
		cmocka_unit_test(every_key_reaches_its_field),
		cmocka_unit_test(memory_has_units_of_powers_of_two),
		cmocka_unit_test(devices_without_an_id_are_numbered),
		cmocka_unit_test(a_derived_mac_is_stable_and_differs_by_vm_and_id),
		cmocka_unit_test(a_derived_mac_is_unicast_and_locally_administered),
		cmocka_unit_test(the_effective_document_means_the_same),
		cmocka_unit_test(a_later_layer_overrides_key_by_key_and_lists_as_a_whole),
		cmocka_unit_test(bad_json_is_located_by_line_and_column),
		cmocka_unit_test(a_key_given_twice_is_an_error),
		cmocka_unit_test(a_document_is_an_object),
		cmocka_unit_test(an_unknown_key_suggests_the_nearest),
		cmocka_unit_test(a_hostile_key_is_shown_harmless_and_short),
		cmocka_unit_test(the_kernel_is_required),
		cmocka_unit_test(cpus_are_from_1_to_64),
		cmocka_unit_test(memory_is_whole_mebibytes_in_range),
		cmocka_unit_test(a_name_has_a_narrow_form),
		cmocka_unit_test(a_wrong_disk_is_named_by_its_place),
		cmocka_unit_test(there_are_at_most_16_disks),
		cmocka_unit_test(an_id_is_unique_among_all_devices),
		cmocka_unit_test(a_wrong_net_is_named_by_its_place),
		cmocka_unit_test(a_mac_is_six_bytes_of_a_unicast_address),
		cmocka_unit_test(a_console_is_one_of_four),
		cmocka_unit_test(a_sockets_path_fits_its_address),
		cmocka_unit_test(a_choice_lists_what_it_may_be),
		cmocka_unit_test(a_long_command_line_is_an_error),
		cmocka_unit_test(deep_nesting_is_an_error),
		cmocka_unit_test(brackets_in_strings_are_no_nesting),
		cmocka_unit_test(a_huge_document_is_an_error),
		cmocka_unit_test(a_document_is_read_from_its_file),
		cmocka_unit_test(a_file_that_cannot_be_read_says_why),
		cmocka_unit_test(the_reference_describes_every_key),
		cmocka_unit_test(every_example_of_the_reference_is_a_good_document),
		cmocka_unit_test(every_key_says_what_it_is_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
