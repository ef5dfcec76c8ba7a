/*
 * Where a guest's serial port goes: each place as its reader and its device see it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "vmm/console.h"

enum { PATIENCE_TURNS = 200 }; /* of 10 ms */

/* A serial port that takes as much as it is told to, and what belongs to it. */
struct bench {
	struct loop loop;
	struct console *console;
	size_t room;
	char input[8192];
	size_t nr_input;
	unsigned nr_quit;
	char folder[64];
	char path[96];
};

static size_t bench_room(void *ctx)
{
	struct bench *bench = ctx;

	return bench->room;
}

static void bench_input(void *ctx, const uint8_t *bytes, size_t n)
{
	struct bench *bench = ctx;

	assert_true(n > 0 && n <= bench->room);
	memcpy(bench->input + bench->nr_input, bytes, n);
	bench->nr_input += n;
	bench->room -= n;
}

static void bench_quit(void *ctx)
{
	struct bench *bench = ctx;

	bench->nr_quit++;
}

static const struct console_ops bench_ops = { bench_room, bench_input, bench_quit };

static int bench_set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	signal(SIGPIPE, SIG_IGN);
	bench->room = 4096;
	strcpy(bench->folder, "/tmp/bulkhead-console-XXXXXX");
	if (!mkdtemp(bench->folder))
		return -1;
	snprintf(bench->path, sizeof(bench->path), "%s/console", bench->folder);
	*state = bench;
	return loop_create(&bench->loop);
}

static int bench_tear_down(void **state)
{
	struct bench *bench = *state;

	console_close(bench->console);
	loop_destroy(&bench->loop);
	unlink(bench->path);
	rmdir(bench->folder);
	free(bench);
	return 0;
}

/* @spec: "unix:" or the like, before the bench's path. */
static void bench_open(struct bench *bench, const char *spec)
{
	struct errmsg why = { 0 };
	char text[128];

	snprintf(text, sizeof(text), "%s%s", spec, strchr(spec, ':') ? bench->path : "");
	if (console_open(text, &bench->loop, &bench_ops, bench, &bench->console, &why))
		fail_msg("%s", why.text);
}

static void turn(struct bench *bench, int times)
{
	while (times-- > 0)
		assert_int_equal(loop_turn(&bench->loop, 10), 0);
}

static void write_text(struct bench *bench, const char *text)
{
	console_write(bench->console, (const uint8_t *)text, strlen(text));
}

static int dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

static int dial_and_arrive(struct bench *bench)
{
	int fd = dial(bench->path);

	turn(bench, 3);
	return fd;
}

/* Lets the console work until @n bytes have come, and returns what came, terminated. */
static size_t collect(struct bench *bench, int fd, char *text, size_t n)
{
	size_t length = 0;

	for (int i = 0; i < PATIENCE_TURNS && length < n; i++) {
		ssize_t got = read(fd, text + length, n - length);

		if (got > 0)
			length += (size_t)got;
		else
			turn(bench, 1);
	}
	text[length] = '\0';
	return length;
}

static void expect_text(struct bench *bench, int fd, const char *expected)
{
	char text[512];

	collect(bench, fd, text, strlen(expected));
	assert_string_equal(text, expected);
}

static void expect_end(struct bench *bench, int fd)
{
	char byte;
	ssize_t got = -1;

	for (int i = 0; i < PATIENCE_TURNS && got < 0; i++) {
		got = read(fd, &byte, 1);
		if (got < 0)
			turn(bench, 1);
	}
	assert_int_equal(got, 0);
}

static void expect_input(struct bench *bench, const char *expected)
{
	for (int i = 0; i < PATIENCE_TURNS && bench->nr_input < strlen(expected); i++)
		turn(bench, 1);
	assert_int_equal(bench->nr_input, strlen(expected));
	assert_memory_equal(bench->input, expected, strlen(expected));
}

static void send_text(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* ---- null ---- */

static void null_takes_everything(void **state)
{
	struct bench *bench = *state;

	bench_open(bench, "null");
	write_text(bench, "lost");
	console_room_changed(bench->console);
	turn(bench, 1);
	assert_int_equal(console_dropped_bytes(bench->console), 0);
}

/* ---- file ---- */

static void read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length = fread(text, 1, size - 1, file);

	text[length] = '\0';
	fclose(file);
}

static void a_file_is_appended_to(void **state)
{
	struct bench *bench = *state;
	char text[64];

	bench_open(bench, "file:");
	write_text(bench, "one ");
	console_close(bench->console);
	bench_open(bench, "file:");
	write_text(bench, "two");
	read_file(bench->path, text, sizeof(text));
	assert_string_equal(text, "one two");
}

static void a_file_is_for_its_owner_alone(void **state)
{
	struct bench *bench = *state;
	struct stat status;

	bench_open(bench, "file:");
	assert_int_equal(stat(bench->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_file_that_cannot_be_written_loses_bytes_and_nothing_else(void **state)
{
	struct bench *bench = *state;
	struct errmsg why = { 0 };

	assert_int_equal(console_open("file:/dev/full", &bench->loop, &bench_ops, bench,
				      &bench->console, &why),
			 0);
	write_text(bench, "12345");
	turn(bench, 2);
	assert_int_equal(console_dropped_bytes(bench->console), 5);
}

static void expect_refusal(struct bench *bench, const char *spec, const char *message)
{
	struct errmsg why = { 0 };

	assert_true(console_open(spec, &bench->loop, &bench_ops, bench, &bench->console, &why) < 0);
	assert_string_equal(why.text, message);
	assert_int_equal(why.blame, BLAME_USER);
}

static void what_cannot_be_opened_says_why(void **state)
{
	struct bench *bench = *state;

	expect_refusal(bench, "file:/nonexistent/log",
		       "console: /nonexistent/log: can't be opened: No such file or directory");
	expect_refusal(bench, "unix:/nonexistent/socket",
		       "/nonexistent/socket: can't listen there: No such file or directory");
	expect_refusal(bench, "tty",
		       "console: expected \"stdio\", \"null\", \"file:PATH\" or "
		       "\"unix:PATH\", found \"tty\"");
}

/* ---- unix: who may come ---- */

static void a_socket_is_for_its_owner_alone(void **state)
{
	struct bench *bench = *state;
	struct stat status;

	bench_open(bench, "unix:");
	assert_int_equal(stat(bench->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_closed_console_leaves_no_socket(void **state)
{
	struct bench *bench = *state;

	bench_open(bench, "unix:");
	console_close(bench->console);
	bench->console = NULL;
	assert_int_equal(access(bench->path, F_OK), -1);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void the_socket_of_a_dead_process_is_replaced(void **state)
{
	struct bench *bench = *state;
	int fd;

	close(listen_at(bench->path));
	bench_open(bench, "unix:");
	write_text(bench, "alive");
	fd = dial_and_arrive(bench);
	expect_text(bench, fd, "alive");
	close(fd);
}

static void expect_path_refusal(struct bench *bench)
{
	char spec[128], message[256];

	snprintf(spec, sizeof(spec), "unix:%s", bench->path);
	snprintf(message, sizeof(message),
		 "%s: exists; another process listens there, or it isn't a socket", bench->path);
	expect_refusal(bench, spec, message);
}

static void the_socket_of_a_living_process_stays(void **state)
{
	struct bench *bench = *state;
	int listener = listen_at(bench->path), fd;

	expect_path_refusal(bench);
	fd = dial(bench->path);
	close(fd);
	close(listener);
}

static void a_file_that_is_no_socket_stays(void **state)
{
	struct bench *bench = *state;
	int fd = open(bench->path, O_WRONLY | O_CREAT, 0600);

	send_text(fd, "precious");
	close(fd);
	expect_path_refusal(bench);
	assert_int_equal(access(bench->path, F_OK), 0);
}

static void a_second_client_is_refused_in_one_line(void **state)
{
	struct bench *bench = *state;
	int first, second;

	bench_open(bench, "unix:");
	first = dial_and_arrive(bench);
	second = dial_and_arrive(bench);
	expect_text(bench, second, "bhvm: another client is on this console\r\n");
	expect_end(bench, second);
	write_text(bench, "still here");
	expect_text(bench, first, "still here");
	close(first);
	close(second);
}

static void a_client_may_follow_another(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	write_text(bench, "to the first");
	expect_text(bench, fd, "to the first");
	close(fd);
	turn(bench, 3);

	write_text(bench, "kept for the next");
	fd = dial_and_arrive(bench);
	expect_text(bench, fd, "kept for the next");
	close(fd);
}

static void a_client_that_left_unread_input_makes_way(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench->room = 0;
	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	send_text(fd, "nobody reads this");
	turn(bench, 3);
	close(fd);
	turn(bench, 3);

	fd = dial_and_arrive(bench);
	write_text(bench, "welcome");
	expect_text(bench, fd, "welcome");
	close(fd);
}

static void what_a_client_sent_before_it_left_is_read(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench_open(bench, "unix:");
	fd = dial(bench->path);
	send_text(fd, "poweroff\n");
	close(fd);
	expect_input(bench, "poweroff\n");
}

/* ---- unix: output ---- */

static void output_before_the_first_client_is_kept(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench_open(bench, "unix:");
	write_text(bench, "boot ");
	write_text(bench, "log");
	fd = dial_and_arrive(bench);
	expect_text(bench, fd, "boot log");
	close(fd);
}

static void fill(struct bench *bench, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		char word[16];

		snprintf(word, sizeof(word), "%07zu\n", i);
		write_text(bench, word);
	}
}

static void expect_words(const char *text, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		char word[16];

		snprintf(word, sizeof(word), "%07zu\n", i);
		assert_memory_equal(text + (i - first) * 8, word, 8);
	}
}

static void only_the_newest_output_is_kept_and_the_rest_counted(void **state)
{
	enum { WORDS = 20000, KEPT = CONSOLE_BACKLOG_BYTES / 8 };
	struct bench *bench = *state;
	char *text = malloc(CONSOLE_BACKLOG_BYTES + 1);
	int fd;

	bench_open(bench, "unix:");
	fill(bench, 0, WORDS);
	assert_int_equal(console_dropped_bytes(bench->console), (WORDS - KEPT) * 8);
	fd = dial_and_arrive(bench);
	assert_int_equal(collect(bench, fd, text, CONSOLE_BACKLOG_BYTES), CONSOLE_BACKLOG_BYTES);
	expect_words(text, WORDS - KEPT, WORDS);
	close(fd);
	free(text);
}

static void one_write_larger_than_the_backlog_keeps_its_end(void **state)
{
	struct bench *bench = *state;
	size_t n = CONSOLE_BACKLOG_BYTES + 100;
	uint8_t *bytes = malloc(n);
	char *text = malloc(n);
	int fd;

	memset(bytes, 'a', 100);
	memset(bytes + 100, 'b', CONSOLE_BACKLOG_BYTES);
	bench_open(bench, "unix:");
	write_text(bench, "x");
	console_write(bench->console, bytes, n);
	assert_int_equal(console_dropped_bytes(bench->console), 101);
	fd = dial_and_arrive(bench);
	collect(bench, fd, text, CONSOLE_BACKLOG_BYTES);
	assert_null(memchr(text, 'a', CONSOLE_BACKLOG_BYTES));
	close(fd);
	free(bytes);
	free(text);
}

static void a_slow_reader_gets_everything_in_order(void **state)
{
	enum { WORDS = 25000 }; /* less than the socket and the backlog take together */
	struct bench *bench = *state;
	char *text = malloc(WORDS * 8 + 1);
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	for (size_t i = 0; i < WORDS; i += 5000) {
		fill(bench, i, i + 5000);
		assert_int_equal(collect(bench, fd, text + i * 8, 5000 * 8), 5000 * 8);
	}
	expect_words(text, 0, WORDS);
	assert_int_equal(console_dropped_bytes(bench->console), 0);
	close(fd);
	free(text);
}

static void a_reader_that_stops_never_stops_the_guest(void **state)
{
	enum { WORDS = 200000 };
	struct bench *bench = *state;
	uint64_t dropped;
	char *text = malloc(WORDS * 8 + 1);
	size_t kept;
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	fill(bench, 0, WORDS);
	dropped = console_dropped_bytes(bench->console);
	assert_true(dropped > 0);
	kept = collect(bench, fd, text, WORDS * 8 - dropped);
	assert_int_equal(kept + dropped, WORDS * 8);
	expect_words(text + kept - 8000, WORDS - 1000, WORDS);
	close(fd);
	free(text);
}

static void output_to_a_client_that_left_goes_to_the_next(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	close(fd);
	write_text(bench, "whoever comes"); /* before the loop has noticed */
	turn(bench, 3);
	fd = dial_and_arrive(bench);
	expect_text(bench, fd, "whoever comes");
	close(fd);
}

struct writer {
	struct bench *bench;
	char letter;
};

static void *write_lines(void *argument)
{
	struct writer *writer = argument;
	char line[9] = "xxxxxxx\n";

	memset(line, writer->letter, 7);
	for (int i = 0; i < 1000; i++)
		write_text(writer->bench, line);
	return NULL;
}

static void writes_of_several_threads_stay_whole(void **state)
{
	enum { TOTAL = 3 * 1000 * 8 };
	struct bench *bench = *state;
	struct writer writers[3];
	pthread_t threads[3];
	char *text = malloc(TOTAL + 1);
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	for (int i = 0; i < 3; i++) {
		writers[i] = (struct writer){ bench, (char)('a' + i) };
		pthread_create(&threads[i], NULL, write_lines, &writers[i]);
	}
	assert_int_equal(collect(bench, fd, text, TOTAL), TOTAL);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (char *line = text; *line; line += 8)
		for (int i = 1; i < 7; i++)
			assert_int_equal(line[i], line[0]);
	close(fd);
	free(text);
}

struct reader {
	int fd;
	size_t length;
	char text[2 * CONSOLE_BACKLOG_BYTES];
};

static void *read_to_the_end(void *argument)
{
	struct reader *reader = argument;
	ssize_t got;

	do {
		got = read(reader->fd, reader->text + reader->length,
			   sizeof(reader->text) - reader->length);
		reader->length += got > 0 ? (size_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EAGAIN));
	return NULL;
}

static void closing_delivers_what_was_kept(void **state)
{
	enum { WORDS = 5000 };
	struct bench *bench = *state;
	struct reader *reader = calloc(1, sizeof(*reader));
	pthread_t thread;

	bench_open(bench, "unix:");
	reader->fd = dial_and_arrive(bench);
	fill(bench, 0, WORDS);
	pthread_create(&thread, NULL, read_to_the_end, reader);
	console_close(bench->console);
	bench->console = NULL;
	pthread_join(thread, NULL);
	assert_int_equal(reader->length, WORDS * 8);
	expect_words(reader->text, 0, WORDS);
	close(reader->fd);
	free(reader);
}

static void closing_does_not_wait_for_a_reader_that_stopped(void **state)
{
	struct bench *bench = *state;
	struct timespec before, after;
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	fill(bench, 0, 20000);
	clock_gettime(CLOCK_MONOTONIC, &before);
	console_close(bench->console);
	clock_gettime(CLOCK_MONOTONIC, &after);
	bench->console = NULL;
	assert_in_range(after.tv_sec - before.tv_sec, 0, 2);
	close(fd);
}

/* ---- unix: input ---- */

static void input_reaches_the_device(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	send_text(fd, "root\n");
	expect_input(bench, "root\n");
	close(fd);
}

static void input_waits_for_room_and_goes_on_when_told(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench->room = 3;
	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	send_text(fd, "abcdefgh");
	turn(bench, 5);
	assert_int_equal(bench->nr_input, 3);

	bench->room = 2;
	console_room_changed(bench->console);
	turn(bench, 5);
	assert_int_equal(bench->nr_input, 5);

	bench->room = 100;
	console_room_changed(bench->console);
	expect_input(bench, "abcdefgh");
	close(fd);
}

static void a_socket_has_no_escapes(void **state)
{
	struct bench *bench = *state;
	int fd;

	bench_open(bench, "unix:");
	fd = dial_and_arrive(bench);
	send_text(fd, "\x01x\x01h");
	expect_input(bench, "\x01x\x01h");
	assert_int_equal(bench->nr_quit, 0);
	close(fd);
}

/* ---- stdio, in a process of its own ---- */

/*
 * Runs bhvm's part in a child whose standard input and output are @in and @out: echoes what comes in,
 * ends at Ctrl-A x with status 42, at @expected bytes of input with status 0.
 */
static pid_t start_echo(struct bench *bench, int in, int out, size_t expected)
{
	pid_t child = fork();
	size_t nr_echoed = 0;

	if (child)
		return child;
	loop_destroy(&bench->loop); /* a loop is shared across a fork */
	assert_int_equal(loop_create(&bench->loop), 0);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	bench_open(bench, "stdio");
	write_text(bench, "ready\n");
	while (!bench->nr_quit && nr_echoed < expected) {
		turn(bench, 1);
		console_write(bench->console, (const uint8_t *)bench->input + nr_echoed,
			      bench->nr_input - nr_echoed);
		nr_echoed = bench->nr_input;
	}
	console_close(bench->console);
	_exit(bench->nr_quit ? 42 : 0);
}

static int end_of(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int open_terminal(int *terminal)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	*terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(*terminal >= 0);
	return master;
}

static tcflag_t mode_of(int terminal)
{
	struct termios mode;

	assert_int_equal(tcgetattr(terminal, &mode), 0);
	return mode.c_lflag;
}

static void a_terminal_passes_every_key(void **state)
{
	struct bench *bench = *state;
	int terminal, master = open_terminal(&terminal);
	pid_t child = start_echo(bench, terminal, terminal, 5);

	expect_text(bench, master, "ready\r\n");
	send_text(master, "a\x03\x1a\x04z"); /* Ctrl-C, Ctrl-Z, Ctrl-D */
	expect_text(bench, master, "a\x03\x1a\x04z");
	assert_int_equal(end_of(child), 0);
	close(master);
	close(terminal);
}

static void a_terminal_is_given_back_as_it_was(void **state)
{
	struct bench *bench = *state;
	int terminal, master = open_terminal(&terminal);
	tcflag_t before = mode_of(terminal);
	pid_t child = start_echo(bench, terminal, terminal, 1);

	expect_text(bench, master, "ready\r\n");
	assert_int_equal(mode_of(terminal) & (ICANON | ECHO | ISIG), 0);
	assert_int_equal(fcntl(terminal, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	send_text(master, "q");
	assert_int_equal(end_of(child), 0);
	assert_int_equal(mode_of(terminal), before);
	assert_int_equal(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0);
	close(master);
	close(terminal);
}

static void a_deadly_signal_gives_the_terminal_back(void **state)
{
	struct bench *bench = *state;
	int terminal, master = open_terminal(&terminal);
	tcflag_t before = mode_of(terminal);
	pid_t child = start_echo(bench, terminal, terminal, 1);

	expect_text(bench, master, "ready\r\n");
	kill(child, SIGTERM);
	assert_int_equal(end_of(child), SIGTERM);
	assert_int_equal(mode_of(terminal), before);
	close(master);
	close(terminal);
}

static void ctrl_a_x_quits(void **state)
{
	struct bench *bench = *state;
	int terminal, master = open_terminal(&terminal);
	pid_t child = start_echo(bench, terminal, terminal, 100);

	expect_text(bench, master, "ready\r\n");
	send_text(master, "\x01x");
	assert_int_equal(WEXITSTATUS(end_of(child)), 42);
	close(master);
	close(terminal);
}

static void ctrl_a_x_quits_a_guest_that_does_not_listen(void **state)
{
	struct bench *bench = *state;
	int terminal, master = open_terminal(&terminal);
	char keys[2000];
	pid_t child;

	bench->room = 0;
	child = start_echo(bench, terminal, terminal, 100);
	expect_text(bench, master, "ready\r\n");
	memset(keys, 'k', sizeof(keys));
	assert_int_equal(write(master, keys, sizeof(keys)), sizeof(keys));
	send_text(master, "\x01x");
	assert_int_equal(WEXITSTATUS(end_of(child)), 42);
	close(master);
	close(terminal);
}

static void ctrl_a_a_is_a_literal_ctrl_a_and_other_keys_are_lost(void **state)
{
	struct bench *bench = *state;
	int terminal, master = open_terminal(&terminal);
	pid_t child = start_echo(bench, terminal, terminal, 4);

	expect_text(bench, master, "ready\r\n");
	send_text(master, "1\x01"
			  "a\x01?2\x01\x01");
	expect_text(bench, master,
		    "1\x01"
		    "2\x01");
	assert_int_equal(end_of(child), 0);
	close(master);
	close(terminal);
}

static void ctrl_a_h_helps(void **state)
{
	struct bench *bench = *state;
	int terminal, master = open_terminal(&terminal);
	pid_t child = start_echo(bench, terminal, terminal, 1);

	expect_text(bench, master, "ready\r\n");
	send_text(master, "\x01h");
	expect_text(bench, master, "\r\r\nCtrl-A x  end bhvm, and the guest with it, at once");
	send_text(master, "\x01x");
	assert_int_equal(WEXITSTATUS(end_of(child)), 42);
	close(master);
	close(terminal);
}

static void open_pipe(int ends[2])
{
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
}

static void a_pipe_has_no_escapes_and_its_end_is_no_end_of_the_guest(void **state)
{
	struct bench *bench = *state;
	int in[2], out[2];
	pid_t child;

	open_pipe(in);
	open_pipe(out);
	child = start_echo(bench, in[0], out[1], 100);
	send_text(in[1], "\x01x\x01h");
	close(in[1]);
	close(in[0]);
	expect_text(bench, out[0], "ready\n\x01x\x01h");
	assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	end_of(child);
	close(out[0]);
	close(out[1]);
}

static void input_may_come_from_a_plain_file(void **state)
{
	struct bench *bench = *state;
	int out[2], in = open(bench->path, O_RDWR | O_CREAT, 0600);
	char text[1001];
	pid_t child;

	for (int i = 0; i < 100; i++)
		send_text(in, "0123456789");
	lseek(in, 0, SEEK_SET);
	open_pipe(out);
	child = start_echo(bench, in, out[1], 1000);
	expect_text(bench, out[0], "ready\n");
	assert_int_equal(collect(bench, out[0], text, 1000), 1000);
	assert_memory_equal(text + 990, "0123456789", 10);
	assert_int_equal(end_of(child), 0);
	close(in);
	close(out[0]);
	close(out[1]);
}

static void input_may_be_dev_null(void **state)
{
	struct bench *bench = *state;
	int out[2], in = open("/dev/null", O_RDONLY);
	pid_t child;

	open_pipe(out);
	child = start_echo(bench, in, out[1], 1);
	expect_text(bench, out[0], "ready\n");
	kill(child, SIGKILL);
	end_of(child);
	close(in);
	close(out[0]);
	close(out[1]);
}

#define with_bench(test) cmocka_unit_test_setup_teardown(test, bench_set_up, bench_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_bench(null_takes_everything),
		with_bench(a_file_is_appended_to),
		with_bench(a_file_is_for_its_owner_alone),
		with_bench(a_file_that_cannot_be_written_loses_bytes_and_nothing_else),
		with_bench(what_cannot_be_opened_says_why),
		with_bench(a_socket_is_for_its_owner_alone),
		with_bench(a_closed_console_leaves_no_socket),
		with_bench(the_socket_of_a_dead_process_is_replaced),
		with_bench(the_socket_of_a_living_process_stays),
		with_bench(a_file_that_is_no_socket_stays),
		with_bench(a_second_client_is_refused_in_one_line),
		with_bench(a_client_may_follow_another),
		with_bench(a_client_that_left_unread_input_makes_way),
		with_bench(what_a_client_sent_before_it_left_is_read),
		with_bench(output_before_the_first_client_is_kept),
		with_bench(only_the_newest_output_is_kept_and_the_rest_counted),
		with_bench(one_write_larger_than_the_backlog_keeps_its_end),
		with_bench(a_slow_reader_gets_everything_in_order),
		with_bench(a_reader_that_stops_never_stops_the_guest),
		with_bench(output_to_a_client_that_left_goes_to_the_next),
		with_bench(writes_of_several_threads_stay_whole),
		with_bench(closing_delivers_what_was_kept),
		with_bench(closing_does_not_wait_for_a_reader_that_stopped),
		with_bench(input_reaches_the_device),
		with_bench(input_waits_for_room_and_goes_on_when_told),
		with_bench(a_socket_has_no_escapes),
		with_bench(a_terminal_passes_every_key),
		with_bench(a_terminal_is_given_back_as_it_was),
		with_bench(a_deadly_signal_gives_the_terminal_back),
		with_bench(ctrl_a_x_quits),
		with_bench(ctrl_a_x_quits_a_guest_that_does_not_listen),
		with_bench(ctrl_a_a_is_a_literal_ctrl_a_and_other_keys_are_lost),
		with_bench(ctrl_a_h_helps),
		with_bench(a_pipe_has_no_escapes_and_its_end_is_no_end_of_the_guest),
		with_bench(input_may_come_from_a_plain_file),
		with_bench(input_may_be_dev_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
