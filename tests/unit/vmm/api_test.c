/*
 * The control protocol: each command's effect and reply, and what malformed requests get.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "vmm/api.h"

/* A VM that only remembers what was asked of it. */
struct fake_vm {
	char calls[128]; /* "pause resume " */
	bool is_paused;
	const char *refusal; /* what every action fails with; NULL: it works */
};

static int fake_call(void *vm, const char *name, struct errmsg *why)
{
	struct fake_vm *fake = vm;

	strcat(strcat(fake->calls, name), " ");
	if (fake->refusal)
		return errmsg_user(why, -EBUSY, "%s", fake->refusal);
	return 0;
}

static int fake_pause(void *vm, struct errmsg *why)
{
	return fake_call(vm, "pause", why);
}

static int fake_resume(void *vm, struct errmsg *why)
{
	return fake_call(vm, "resume", why);
}

static int fake_powerdown(void *vm, struct errmsg *why)
{
	return fake_call(vm, "powerdown", why);
}

static int fake_reset(void *vm, struct errmsg *why)
{
	return fake_call(vm, "reset", why);
}

static int fake_quit(void *vm UNUSED, struct errmsg *why)
{
	return errmsg_system(why, -EIO, "the plug is stuck");
}

static json_t *fake_state(void *vm UNUSED)
{
	return json_pack("{s:s}", "state", "running");
}

static json_t *fake_stats(void *vm UNUSED)
{
	return json_pack("{s:i}", "exits", 7);
}

static json_t *fake_config(void *vm UNUSED)
{
	return json_pack("{s:s}", "name", "web");
}

static const struct api_ops fake_ops = {
	.state = fake_state,
	.stats = fake_stats,
	.config = fake_config,
	.pause = fake_pause,
	.resume = fake_resume,
	.powerdown = fake_powerdown,
	.reset = fake_reset,
	.quit = fake_quit,
};

struct bench {
	struct fake_vm vm;
	struct api_session session;
};

static int bench_set_up(void **state)
{
	*state = calloc(1, sizeof(struct bench));
	return *state ? 0 : -1;
}

static int bench_tear_down(void **state)
{
	free(*state);
	return 0;
}

static char *handle(struct bench *bench, const char *request)
{
	/* A copy without an end, so that reading past it is seen. */
	size_t length = strlen(request);
	char *line = malloc(length ? length : 1);
	char *reply;

	memcpy(line, request, length);
	reply = api_handle_line(&fake_ops, &bench->vm, &bench->session, line, length);
	free(line);
	return reply;
}

static void expect_reply(struct bench *bench, const char *request, const char *expected)
{
	char *reply = handle(bench, request);

	assert_non_null(reply);
	assert_int_equal(reply[strlen(reply) - 1], '\n');
	reply[strlen(reply) - 1] = '\0';
	assert_string_equal(reply, expected);
	free(reply);
}

static void expect_error(struct bench *bench, const char *request, const char *code,
			 const char *message)
{
	char *reply = handle(bench, request);
	json_t *json = json_loads(reply, 0, NULL), *error = json_object_get(json, "error");

	assert_true(json_is_false(json_object_get(json, "ok")));
	assert_string_equal(json_string_value(json_object_get(error, "code")), code);
	assert_string_equal(json_string_value(json_object_get(error, "message")), message);
	assert_string_equal(bench->vm.calls, "");
	assert_false(bench->session.is_subscribed);
	json_decref(json);
	free(reply);
}

/* ---- commands ---- */

static void questions_are_answered_by_the_vm(void **state)
{
	struct bench *bench = *state;

	expect_reply(bench, "{\"id\":1,\"command\":\"state\"}",
		     "{\"id\":1,\"ok\":true,\"result\":{\"state\":\"running\"}}");
	expect_reply(bench, "{\"id\":2,\"command\":\"stats\"}",
		     "{\"id\":2,\"ok\":true,\"result\":{\"exits\":7}}");
	expect_reply(bench, "{\"id\":3,\"command\":\"config\"}",
		     "{\"id\":3,\"ok\":true,\"result\":{\"name\":\"web\"}}");
}

static void actions_reach_the_vm_in_order(void **state)
{
	struct bench *bench = *state;

	expect_reply(bench, "{\"command\":\"pause\"}", "{\"id\":null,\"ok\":true,\"result\":{}}");
	expect_reply(bench, "{\"command\":\"resume\"}", "{\"id\":null,\"ok\":true,\"result\":{}}");
	expect_reply(bench, "{\"command\":\"powerdown\"}",
		     "{\"id\":null,\"ok\":true,\"result\":{}}");
	expect_reply(bench, "{\"command\":\"reset\"}", "{\"id\":null,\"ok\":true,\"result\":{}}");
	assert_string_equal(bench->vm.calls, "pause resume powerdown reset ");
}

static void a_refusal_and_a_failure_carry_their_reason(void **state)
{
	struct bench *bench = *state;

	bench->vm.refusal = "the VM is stopping";
	expect_reply(
		bench, "{\"id\":1,\"command\":\"pause\"}",
		"{\"id\":1,\"ok\":false,\"error\":{\"code\":\"refused\",\"message\":\"the VM is "
		"stopping\"}}");
	expect_reply(
		bench, "{\"id\":2,\"command\":\"quit\"}",
		"{\"id\":2,\"ok\":false,\"error\":{\"code\":\"failed\",\"message\":\"the plug is "
		"stuck\"}}");
}

static void a_reason_that_is_no_utf8_is_still_told(void **state)
{
	struct bench *bench = *state;

	bench->vm.refusal = "can't open /tmp/\xff\xfe";
	expect_reply(
		bench, "{\"id\":1,\"command\":\"pause\"}",
		"{\"id\":1,\"ok\":false,\"error\":{\"code\":\"refused\",\"message\":\"can't open "
		"/tmp/??\"}}");
}

static void the_id_comes_back_whatever_it_is(void **state)
{
	struct bench *bench = *state;

	expect_reply(bench, "{\"id\":{\"a\":[1.5,null,\"x\"]},\"command\":\"reset\"}",
		     "{\"id\":{\"a\":[1.5,null,\"x\"]},\"ok\":true,\"result\":{}}");
	expect_reply(bench, "{\"command\":\"reset\",\"id\":\"last\"}",
		     "{\"id\":\"last\",\"ok\":true,\"result\":{}}");
}

static void a_session_subscribes_and_unsubscribes(void **state)
{
	struct bench *bench = *state;

	expect_reply(bench, "{\"command\":\"subscribe\"}",
		     "{\"id\":null,\"ok\":true,\"result\":{}}");
	assert_true(bench->session.is_subscribed);
	expect_reply(bench, "{\"command\":\"unsubscribe\"}",
		     "{\"id\":null,\"ok\":true,\"result\":{}}");
	assert_false(bench->session.is_subscribed);
}

static void help_lists_every_command(void **state)
{
	struct bench *bench = *state;
	char *reply = handle(bench, "{\"command\":\"help\"}");
	json_t *json = json_loads(reply, 0, NULL), *result = json_object_get(json, "result");
	const char *name;
	size_t i;

	for (i = 0; (name = api_command_name(i)); i++)
		assert_true(json_is_string(json_object_get(result, name)));
	assert_int_equal(json_object_size(result), i);
	json_decref(json);
	free(reply);
}

static void help_describes_one_command(void **state)
{
	struct bench *bench = *state;

	expect_reply(bench, "{\"command\":\"help\",\"arguments\":{\"command\":\"resume\"}}",
		     "{\"id\":null,\"ok\":true,\"result\":{\"resume\":\"go on after a pause\"}}");
	expect_error(bench, "{\"command\":\"help\",\"arguments\":{\"command\":\"resme\"}}",
		     "unknown-command", "resme: unknown command; did you mean \"resume\"?");
}

static void blank_lines_are_ignored(void **state)
{
	struct bench *bench = *state;

	assert_null(handle(bench, ""));
	assert_null(handle(bench, " \t\r"));
}

static void a_line_may_end_in_carriage_return(void **state)
{
	struct bench *bench = *state;

	expect_reply(bench, "{\"command\":\"reset\"}\r", "{\"id\":null,\"ok\":true,\"result\":{}}");
}

/* ---- malformed requests ---- */

static void what_is_no_json_is_located(void **state)
{
	struct bench *bench = *state;

	expect_error(bench, "pause", "invalid-json",
		     "request: line 1, column 5: invalid token near 'pause'");
	expect_error(bench, "{\"command\":\"pause\"", "invalid-json",
		     "request: line 1, column 18: '}' expected near end of file");
	expect_error(bench, "{\"command\":\"pause\",\"command\":\"quit\"}", "invalid-json",
		     "request: line 1, column 28: duplicate object key near '\"command\"'");
	expect_error(bench, "\xff", "invalid-json",
		     "request: line 1, column 0: unable to decode byte 0xff");
}

static void deep_nesting_is_refused(void **state)
{
	struct bench *bench = *state;
	char request[1025];

	memset(request, '[', 1024);
	request[1024] = '\0';
	expect_error(bench, request, "invalid-json",
		     "request: expected at most 16 levels of nesting");
}

static void a_request_is_an_object_with_three_keys(void **state)
{
	struct bench *bench = *state;

	expect_error(bench, "[]", "invalid-request", "expected an object");
	expect_error(bench, "\"pause\"", "invalid-request", "expected an object");
	expect_error(bench, "{}", "invalid-request", "expected \"command\" to be a string");
	expect_error(bench, "{\"command\":7}", "invalid-request",
		     "expected \"command\" to be a string");
	expect_error(bench, "{\"command\":\"pause\",\"args\":{}}", "invalid-request",
		     "expected no keys but \"id\", \"command\" and \"arguments\"");
}

static void an_error_carries_the_id_where_one_was_found(void **state)
{
	struct bench *bench = *state;

	expect_reply(bench, "{\"id\":9,\"command\":7}",
		     "{\"id\":9,\"ok\":false,\"error\":{\"code\":\"invalid-request\",\"message\":"
		     "\"expected \\\"command\\\" to be a string\"}}");
}

static void an_unknown_command_suggests_the_nearest(void **state)
{
	struct bench *bench = *state;

	expect_error(bench, "{\"command\":\"puase\"}", "unknown-command",
		     "puase: unknown command; did you mean \"pause\"?");
	expect_error(bench, "{\"command\":\"\"}", "unknown-command",
		     ": unknown command; \"help\" lists them");
	expect_error(bench, "{\"command\":\"Pause\\n\"}", "unknown-command",
		     "Pause?: unknown command; did you mean \"pause\"?");
}

static void wrong_arguments_change_nothing(void **state)
{
	struct bench *bench = *state;

	expect_error(bench, "{\"command\":\"pause\",\"arguments\":{\"now\":true}}",
		     "invalid-arguments", "pause: now: unknown key; there is none to give");
	expect_error(bench, "{\"command\":\"pause\",\"arguments\":[]}", "invalid-arguments",
		     "pause: expected an object, found an array");
	expect_error(bench, "{\"command\":\"subscribe\",\"arguments\":null}", "invalid-arguments",
		     "subscribe: expected an object, found null");
	expect_error(bench, "{\"command\":\"help\",\"arguments\":{\"command\":7}}",
		     "invalid-arguments", "help: command: expected a string, found an integer");
}

static void a_line_too_long_is_refused(void **state)
{
	struct bench *bench = *state;
	size_t length = API_REQUEST_MAX_BYTES + 1;
	char *line = malloc(length + 1);

	memset(line, ' ', length);
	memcpy(line, "{}", 2);
	line[length] = '\0';
	expect_error(bench, line, "too-long", "a request has at most 65536 bytes");
	free(line);
}

/* ---- events ---- */

static void an_event_is_one_line(void **state UNUSED)
{
	json_t *data = json_pack("{s:s}", "state", "paused");
	char *line = api_event_line("state", data);

	assert_string_equal(line, "{\"event\":\"state\",\"data\":{\"state\":\"paused\"}}\n");
	free(line);
	json_decref(data);
}

/* ---- the reference ---- */

static void the_reference_describes_every_command(void **state UNUSED)
{
	char *text = calloc(1, 64 * 1024), heading[64];
	FILE *file = fopen("docs/bhvm-api.md", "r");
	const char *name;

	assert_non_null(file);
	assert_in_range(fread(text, 1, 64 * 1024 - 1, file), 1000, 64 * 1024 - 2);
	fclose(file);
	for (size_t i = 0; (name = api_command_name(i)); i++) {
		snprintf(heading, sizeof(heading), "\n### %s\n", name);
		if (!strstr(text, heading))
			fail_msg("docs/bhvm-api.md has no section on \"%s\"", name);
		snprintf(heading, sizeof(heading), "\"command\": \"%s\"", name);
		if (!strstr(text, heading))
			fail_msg("docs/bhvm-api.md has no request of \"%s\"", name);
	}
	free(text);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_set_up, bench_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bench(questions_are_answered_by_the_vm),
		with_bench(actions_reach_the_vm_in_order),
		with_bench(a_refusal_and_a_failure_carry_their_reason),
		with_bench(a_reason_that_is_no_utf8_is_still_told),
		with_bench(the_id_comes_back_whatever_it_is),
		with_bench(a_session_subscribes_and_unsubscribes),
		with_bench(help_lists_every_command),
		with_bench(help_describes_one_command),
		with_bench(blank_lines_are_ignored),
		with_bench(a_line_may_end_in_carriage_return),
		with_bench(what_is_no_json_is_located),
		with_bench(deep_nesting_is_refused),
		with_bench(a_request_is_an_object_with_three_keys),
		with_bench(an_error_carries_the_id_where_one_was_found),
		with_bench(an_unknown_command_suggests_the_nearest),
		with_bench(wrong_arguments_change_nothing),
		with_bench(a_line_too_long_is_refused),
		with_bench(an_event_is_one_line),
		with_bench(the_reference_describes_every_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
