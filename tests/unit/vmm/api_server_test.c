/*
 * The control socket: clients that are many, slow, rude or gone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "vmm/api_server.h"

enum { PATIENCE_TURNS = 200 }; /* of 10 ms */

struct bench {
	struct loop loop;
	struct api_server *server;
	char folder[64];
	char path[96];
	unsigned nr_pauses;
	size_t stats_bytes;
};

/* An action that tells of itself before its reply, as a real VM does. */
static int bench_pause(void *vm, struct errmsg *why UNUSED)
{
	struct bench *bench = vm;
	json_t *data = json_pack("{s:s}", "state", "paused");

	bench->nr_pauses++;
	api_event(bench->server, "state", data);
	json_decref(data);
	return 0;
}

static int bench_nothing(void *vm UNUSED, struct errmsg *why UNUSED)
{
	return 0;
}

static json_t *bench_empty(void *vm UNUSED)
{
	return json_object();
}

static json_t *bench_stats(void *vm)
{
	struct bench *bench = vm;
	char *text = calloc(1, bench->stats_bytes + 1);
	json_t *stats;

	memset(text, 's', bench->stats_bytes);
	stats = json_pack("{s:s}", "text", text);
	free(text);
	return stats;
}

static const struct api_ops bench_ops = {
	.state = bench_empty,
	.stats = bench_stats,
	.config = bench_empty,
	.pause = bench_pause,
	.resume = bench_nothing,
	.powerdown = bench_nothing,
	.reset = bench_nothing,
	.quit = bench_nothing,
};

static int bench_set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct errmsg why = { 0 };

	signal(SIGPIPE, SIG_IGN);
	strcpy(bench->folder, "/tmp/bulkhead-api-XXXXXX");
	if (!mkdtemp(bench->folder) || loop_create(&bench->loop))
		return -1;
	snprintf(bench->path, sizeof(bench->path), "%s/api", bench->folder);
	*state = bench;
	return api_server_open(bench->path, &bench->loop, &bench_ops, bench, &bench->server, &why);
}

static int bench_tear_down(void **state)
{
	struct bench *bench = *state;

	api_server_close(bench->server);
	loop_destroy(&bench->loop);
	rmdir(bench->folder);
	free(bench);
	return 0;
}

static void turn(struct bench *bench, int times)
{
	while (times-- > 0)
		assert_int_equal(loop_turn(&bench->loop, 10), 0);
}

static int dial(struct bench *bench)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, bench->path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail_msg("%s", strerror(errno));
	turn(bench, 2);
	return fd;
}

static void send_bytes(struct bench *bench, int fd, const char *bytes, size_t n)
{
	size_t done = 0;

	for (int i = 0; i < PATIENCE_TURNS && done < n; i++) {
		ssize_t written = write(fd, bytes + done, n - done);

		if (written > 0)
			done += (size_t)written;
		turn(bench, 1);
	}
	assert_int_equal(done, n);
}

static void send_text(struct bench *bench, int fd, const char *text)
{
	send_bytes(bench, fd, text, strlen(text));
}

/* The next line of @fd without its newline; "" at its end. */
static char *receive_line(struct bench *bench, int fd)
{
	char *line = calloc(1, 2 * API_OUTPUT_MAX_BYTES);
	size_t length = 0;

	for (int i = 0; i < PATIENCE_TURNS;) {
		ssize_t got = read(fd, line + length, 1);

		if (!got || (got > 0 && line[length] == '\n'))
			break;
		if (got > 0)
			length++;
		else
			turn(bench, 1), i++;
	}
	line[length] = '\0';
	return line;
}

static void expect_line(struct bench *bench, int fd, const char *expected)
{
	char *line = receive_line(bench, fd);

	assert_string_equal(line, expected);
	free(line);
}

static void expect_end(struct bench *bench, int fd)
{
	char bytes[4096];
	ssize_t got = 1;

	for (int i = 0; i < PATIENCE_TURNS && got; i++) {
		got = read(fd, bytes, sizeof(bytes));
		turn(bench, 1);
	}
	assert_int_equal(got, 0);
}

#define OK(id) "{\"id\":" id ",\"ok\":true,\"result\":{}}"

static void a_request_gets_its_reply(void **state)
{
	struct bench *bench = *state;
	int fd = dial(bench);

	send_text(bench, fd, "{\"id\":1,\"command\":\"state\"}\n");
	expect_line(bench, fd, OK("1"));
	close(fd);
}

static void requests_may_come_in_pieces_and_in_heaps(void **state)
{
	struct bench *bench = *state;
	int fd = dial(bench);

	send_text(bench, fd, "{\"id\":1,\"comm");
	send_text(bench, fd, "and\":\"state\"}\n{\"id\":2,\"command\":\"state\"}\n\n{\"id\":3,");
	send_text(bench, fd, "\"command\":\"state\"}\n");
	expect_line(bench, fd, OK("1"));
	expect_line(bench, fd, OK("2"));
	expect_line(bench, fd, OK("3"));
	close(fd);
}

static void a_bad_request_leaves_the_connection_usable(void **state)
{
	struct bench *bench = *state;
	int fd = dial(bench);

	send_text(bench, fd, "nonsense\n{\"id\":2,\"command\":\"state\"}\n");
	expect_line(bench, fd,
		    "{\"id\":null,\"ok\":false,\"error\":{\"code\":\"invalid-json\",\"message\":"
		    "\"request: line 1, column 8: invalid token near 'nonsense'\"}}");
	expect_line(bench, fd, OK("2"));
	close(fd);
}

/* {"command":"state"} and blanks, @length in all, with a newline at its end. */
static char *padded_request(size_t length)
{
	static const char request[] = "{\"command\":\"state\"}";
	char *line = malloc(length + 1);

	memset(line, ' ', length);
	memcpy(line, request, sizeof(request) - 1);
	line[length] = '\n';
	return line;
}

static void the_longest_request_is_understood(void **state)
{
	struct bench *bench = *state;
	char *line = padded_request(API_REQUEST_MAX_BYTES);
	int fd = dial(bench);

	send_bytes(bench, fd, line, API_REQUEST_MAX_BYTES + 1);
	expect_line(bench, fd, OK("null"));
	close(fd);
	free(line);
}

static void a_longer_request_is_answered_and_ends_the_connection(void **state)
{
	struct bench *bench = *state;
	char *line = padded_request(API_REQUEST_MAX_BYTES + 1);
	int fd = dial(bench);

	send_bytes(bench, fd, line, API_REQUEST_MAX_BYTES + 1);
	expect_line(bench, fd,
		    "{\"id\":null,\"ok\":false,\"error\":{\"code\":\"too-long\",\"message\":\"a "
		    "request has at most 65536 bytes\"}}");
	expect_end(bench, fd);
	close(fd);
	free(line);
}

static void eight_clients_are_served_and_a_ninth_is_refused(void **state)
{
	struct bench *bench = *state;
	int fds[API_CLIENTS_MAX], ninth;

	for (int i = 0; i < API_CLIENTS_MAX; i++)
		fds[i] = dial(bench);
	ninth = dial(bench);
	expect_line(bench, ninth,
		    "{\"id\":null,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"too many "
		    "connections already\"}}");
	expect_end(bench, ninth);
	for (int i = 0; i < API_CLIENTS_MAX; i++) {
		send_text(bench, fds[i], "{\"command\":\"state\"}\n");
		expect_line(bench, fds[i], OK("null"));
		close(fds[i]);
	}
	close(ninth);
}

static void a_place_is_free_again_when_its_client_left(void **state)
{
	struct bench *bench = *state;

	for (int i = 0; i < 3 * API_CLIENTS_MAX; i++) {
		int fd = dial(bench);

		send_text(bench, fd, "{\"command\":\"subscribe\"}\n{\"comm");
		expect_line(bench, fd, OK("null"));
		close(fd);
		turn(bench, 2);
	}
}

static void events_go_to_who_has_subscribed(void **state)
{
	struct bench *bench = *state;
	int listener = dial(bench), actor = dial(bench);

	send_text(bench, listener, "{\"command\":\"subscribe\"}\n");
	expect_line(bench, listener, OK("null"));
	send_text(bench, actor, "{\"id\":1,\"command\":\"pause\"}\n");
	expect_line(bench, actor, OK("1"));
	expect_line(bench, listener, "{\"event\":\"state\",\"data\":{\"state\":\"paused\"}}");

	send_text(bench, listener, "{\"command\":\"unsubscribe\"}\n");
	expect_line(bench, listener, OK("null"));
	send_text(bench, actor, "{\"id\":2,\"command\":\"pause\"}\n");
	send_text(bench, listener, "{\"id\":3,\"command\":\"state\"}\n");
	expect_line(bench, listener, OK("3"));
	close(listener);
	close(actor);
}

static void a_new_client_inherits_no_subscription(void **state)
{
	struct bench *bench = *state;
	int fd = dial(bench);

	send_text(bench, fd, "{\"command\":\"subscribe\"}\n");
	close(fd);
	turn(bench, 3);
	fd = dial(bench);
	send_text(bench, fd, "{\"command\":\"pause\"}\n");
	expect_line(bench, fd, OK("null"));
	close(fd);
}

static void a_large_reply_arrives_whole(void **state)
{
	struct bench *bench = *state;
	int fd = dial(bench);
	char *line;

	bench->stats_bytes = 900 * 1024;
	send_text(bench, fd, "{\"command\":\"stats\"}\n{\"id\":2,\"command\":\"state\"}\n");
	line = receive_line(bench, fd);
	assert_int_equal(strlen(line),
			 strlen("{\"id\":null,\"ok\":true,\"result\":{\"text\":\"\"}}") +
				 900 * 1024);
	expect_line(bench, fd, OK("2"));
	close(fd);
	free(line);
}

static void who_reads_no_replies_is_not_asked_for_more_requests(void **state)
{
	struct bench *bench = *state;
	int fd = dial(bench);
	int sent = 0;

	/* The server stops to read after the first reply that doesn't fit, and never disconnects. */
	bench->stats_bytes = 300 * 1024;
	for (int i = 0; i < 5; i++) {
		send_text(bench, fd, "{\"command\":\"stats\"}\n");
		sent++;
	}
	for (int i = 0; i < sent; i++) {
		char *line = receive_line(bench, fd);

		assert_true(strlen(line) > 300 * 1024);
		free(line);
	}
	close(fd);
}

static void who_reads_no_events_is_disconnected(void **state)
{
	struct bench *bench = *state;
	int listener = dial(bench), actor = dial(bench);
	json_t *data = json_object();
	char *text = calloc(1, 100 * 1024 + 1);

	memset(text, 'e', 100 * 1024);
	json_object_set_new(data, "text", json_string(text));
	send_text(bench, listener, "{\"command\":\"subscribe\"}\n");
	for (int i = 0; i < 20; i++)
		api_event(bench->server, "noise", data);
	turn(bench, 3);
	expect_end(bench, listener);

	send_text(bench, actor, "{\"command\":\"state\"}\n");
	expect_line(bench, actor, OK("null"));
	json_decref(data);
	free(text);
	close(listener);
	close(actor);
}

static void who_is_dropped_by_its_own_request_harms_nobody(void **state)
{
	struct bench *bench = *state;
	int fd = dial(bench);

	/* Its place is given up while "pause" sends it an event, with more of its lines to come. */
	send_text(bench, fd, "{\"command\":\"subscribe\"}\n");
	assert_true(write(fd, "{\"command\":\"pause\"}\n{\"command\":\"pause\"}\n", 40) > 0);
	close(fd);
	turn(bench, 3);
	assert_int_equal(bench->nr_pauses, 1);
	fd = dial(bench);
	send_text(bench, fd, "{\"command\":\"state\"}\n");
	expect_line(bench, fd, OK("null"));
	close(fd);
}

static void the_socket_is_for_its_owner_alone(void **state)
{
	struct bench *bench = *state;
	struct stat status;

	assert_int_equal(stat(bench->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_second_server_on_the_same_path_is_refused(void **state)
{
	struct bench *bench = *state;
	struct api_server *second;
	struct errmsg why = { 0 };
	char message[256];

	assert_int_equal(api_server_open(bench->path, &bench->loop, &bench_ops, bench, &second,
					 &why),
			 -EADDRINUSE);
	snprintf(message, sizeof(message),
		 "%s: exists; another process listens there, or it isn't a socket", bench->path);
	assert_string_equal(why.text, message);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_set_up, bench_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bench(a_request_gets_its_reply),
		with_bench(requests_may_come_in_pieces_and_in_heaps),
		with_bench(a_bad_request_leaves_the_connection_usable),
		with_bench(the_longest_request_is_understood),
		with_bench(a_longer_request_is_answered_and_ends_the_connection),
		with_bench(eight_clients_are_served_and_a_ninth_is_refused),
		with_bench(a_place_is_free_again_when_its_client_left),
		with_bench(events_go_to_who_has_subscribed),
		with_bench(a_new_client_inherits_no_subscription),
		with_bench(a_large_reply_arrives_whole),
		with_bench(who_reads_no_replies_is_not_asked_for_more_requests),
		with_bench(who_reads_no_events_is_disconnected),
		with_bench(who_is_dropped_by_its_own_request_harms_nobody),
		with_bench(the_socket_is_for_its_owner_alone),
		with_bench(a_second_server_on_the_same_path_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
