/*
 * The control socket's client against a far end that answers well, badly, too much or not at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/api_client.h"
#include "tests/support/cmocka.h"

struct bench {
	struct loop loop;
	struct timers timers;
	struct api_client client;
	int far; /* the other end of the socket */
	char told[2048];
};

static void PRINTF_LIKE(2, 3) tell(struct bench *bench, const char *format, ...)
{
	size_t length = strlen(bench->told);
	va_list args;

	va_start(args, format);
	vsnprintf(bench->told + length, sizeof(bench->told) - length, format, args);
	va_end(args);
}

static void on_event(void *context, const char *name, const json_t *data)
{
	tell(context, "event %s %s;", name, json_string_value(json_object_get(data, "state")));
}

static void on_lost(void *context, const char *reason)
{
	tell(context, "lost: %s;", reason);
}

static void on_answer(void *context, const json_t *result, const char *problem)
{
	if (result)
		tell(context, "result of %zu;", json_object_size(result));
	else
		tell(context, "problem: %s;", problem);
}

static void attach(struct bench *bench)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	bench->far = ends[1];
	assert_int_equal(api_client_attach(&bench->client, ends[0]), 0);
}

static int bench_start(void **state)
{
	static const struct api_client_ops ops = { on_event, on_lost };
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_int_equal(loop_create(&bench->loop), 0);
	api_client_init(&bench->client, &bench->loop, &bench->timers, &ops, bench);
	attach(bench);
	*state = bench;
	return 0;
}

static int bench_stop(void **state)
{
	struct bench *bench = *state;

	api_client_close(&bench->client, "the end");
	loop_destroy(&bench->loop);
	close(bench->far);
	free(bench);
	return 0;
}

static void turn(struct bench *bench)
{
	for (int i = 0; i < 40; i++)
		assert_int_equal(loop_turn(&bench->loop, 0), 0);
}

static void far_says(struct bench *bench, const char *text)
{
	assert_int_equal(write(bench->far, text, strlen(text)), strlen(text));
	turn(bench);
}

static void request(struct bench *bench, const char *command)
{
	api_client_request(&bench->client, command, on_answer, bench);
}

static void a_request_is_a_line_of_json(void **state)
{
	struct bench *bench = *state;
	char text[128] = "";

	request(bench, "pause");
	request(bench, "stats");
	assert_true(read(bench->far, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "{\"id\": 1, \"command\": \"pause\"}\n"
				  "{\"id\": 2, \"command\": \"stats\"}\n");
}

static void answers_reach_who_asked_in_order(void **state)
{
	struct bench *bench = *state;

	request(bench, "pause");
	request(bench, "stats");
	far_says(bench, "{\"id\":1,\"ok\":true,\"result\":{}}\n{\"id\":2,\"ok\":tr");
	assert_string_equal(bench->told, "result of 0;");
	far_says(bench, "ue,\"result\":{\"a\":1}}\n");
	assert_string_equal(bench->told, "result of 0;result of 1;");
}

static void an_error_reply_is_a_problem(void **state)
{
	struct bench *bench = *state;

	request(bench, "pause");
	far_says(bench,
		 "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"refused\",\"message\":\"no\"}}\n");
	assert_string_equal(bench->told, "problem: no;");
	assert_true(api_client_is_connected(&bench->client));
}

static void events_come_between_answers(void **state)
{
	struct bench *bench = *state;

	request(bench, "pause");
	far_says(bench, "{\"event\":\"state\",\"data\":{\"state\":\"paused\"}}\n"
			"{\"id\":1,\"ok\":true,\"result\":{}}\n");
	assert_string_equal(bench->told, "event state paused;result of 0;");
}

static void a_far_end_that_leaves_is_lost_with_its_answers(void **state)
{
	struct bench *bench = *state;
	char text[128];

	request(bench, "pause");
	assert_true(read(bench->far, text, sizeof(text)) > 0);
	close(bench->far);
	turn(bench);
	bench->far = -1;
	assert_string_equal(bench->told, "problem: bhvm closed the control connection;"
					 "lost: bhvm closed the control connection;");
	assert_false(api_client_is_connected(&bench->client));
}

static void without_a_connection_there_is_a_problem_at_once(void **state)
{
	struct bench *bench = *state;

	api_client_close(&bench->client, "closed");
	request(bench, "pause");
	assert_string_equal(bench->told, "problem: there is no control connection to bhvm;");
}

static void nonsense_ends_the_connection(void **state)
{
	static const char *const nonsense[] = {
		"garbage\n",
		"\n",
		"[]\n",
		"{}\n",
		"{\"id\":1,\"ok\":1,\"result\":{}}\n",
		"{\"id\":1,\"ok\":true,\"result\":[]}\n",
		"{\"id\":1,\"ok\":false}\n",
		"{\"id\":1,\"ok\":false,\"error\":{\"message\":5}}\n",
		"{\"id\":2,\"ok\":true,\"result\":{}}\n",
		"{\"id\":\"1\",\"ok\":true,\"result\":{}}\n",
		"{\"event\":5,\"data\":{}}\n",
		"{\"event\":\"state\"}\n",
		"\xff\xfe\n",
		"[[[[[[[[[[[[[[[[[[[[\n",
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		bench->told[0] = '\0';
		request(bench, "pause");
		far_says(bench, nonsense[i]);
		assert_false(api_client_is_connected(&bench->client));
		assert_non_null(strstr(bench->told, "problem: "));
		assert_non_null(strstr(bench->told, "lost: "));
		close(bench->far);
		attach(bench);
	}
}

static void a_busy_bhvm_says_so(void **state)
{
	struct bench *bench = *state;

	request(bench, "state");
	far_says(
		bench,
		"{\"id\":null,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"too many\"}}\n");
	assert_string_equal(bench->told, "problem: too many;lost: too many;");
}

static void an_answer_without_end_ends_the_connection(void **state)
{
	struct bench *bench = *state;
	char piece[4096];
	ssize_t n;

	memset(piece, 'a', sizeof(piece));
	for (int i = 0; i < 100 && api_client_is_connected(&bench->client); i++) {
		n = send(bench->far, piece, sizeof(piece), MSG_NOSIGNAL);
		assert_true(n > 0 || !api_client_is_connected(&bench->client));
		turn(bench);
	}
	assert_string_equal(bench->told, "lost: an answer longer than 128 KiB;");
}

static void an_answer_that_is_late_is_a_problem_but_not_the_end(void **state)
{
	struct bench *bench = *state;

	request(bench, "pause");
	bench->client.pending[0].due_ms = 1; /* long ago */
	timers_run(&bench->timers, UINT64_MAX);
	assert_string_equal(bench->told, "problem: no answer within 10 s;");

	bench->told[0] = '\0';
	request(bench, "stats");
	far_says(bench, "{\"id\":1,\"ok\":true,\"result\":{}}\n"
			"{\"id\":2,\"ok\":true,\"result\":{\"a\":1}}\n");
	assert_string_equal(bench->told, "result of 1;");
}

static void one_that_never_answers_is_asked_no_more(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < API_PENDING_MAX; i++)
		request(bench, "pause");
	assert_string_equal(bench->told, "");
	request(bench, "pause");
	assert_string_equal(bench->told, "problem: bhvm doesn't answer;");
}

static void reconnect(void *context, const json_t *result UNUSED, const char *problem UNUSED)
{
	struct bench *bench = context;

	close(bench->far);
	attach(bench);
	request(bench, "state");
}

static void who_is_told_of_the_loss_may_connect_again(void **state)
{
	struct bench *bench = *state;

	api_client_request(&bench->client, "pause", reconnect, bench);
	far_says(bench, "garbage\n");
	assert_true(api_client_is_connected(&bench->client));
	assert_string_equal(bench->told, "");
	far_says(bench, "{\"id\":1,\"ok\":true,\"result\":{}}\n");
	assert_string_equal(bench->told, "result of 0;");
}

static void closing_answers_what_is_open(void **state)
{
	struct bench *bench = *state;

	request(bench, "pause");
	api_client_close(&bench->client, "bhvm has ended");
	assert_string_equal(bench->told, "problem: bhvm has ended;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_a_line_of_json),
		TEST(answers_reach_who_asked_in_order),
		TEST(an_error_reply_is_a_problem),
		TEST(events_come_between_answers),
		TEST(a_far_end_that_leaves_is_lost_with_its_answers),
		TEST(without_a_connection_there_is_a_problem_at_once),
		TEST(nonsense_ends_the_connection),
		TEST(a_busy_bhvm_says_so),
		TEST(an_answer_without_end_ends_the_connection),
		TEST(an_answer_that_is_late_is_a_problem_but_not_the_end),
		TEST(one_that_never_answers_is_asked_no_more),
		TEST(who_is_told_of_the_loss_may_connect_again),
		TEST(closing_answers_what_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
