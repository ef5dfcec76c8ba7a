/*
 * Where a guest's serial port goes: see console.h. This file knows the four places; what they share is in
 * console_output.c and console_input.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/console.h"
#include "vmm/console_input.h"
#include "base/console_output.h"
#include "vmm/console_spec.h"
#include "base/log.h"
#include "base/terminal.h"
#include "base/unix_socket.h"

enum { CLOSE_TIMEOUT_MS = 900 };

static_assert((int)CONSOLE_BACKLOG_BYTES == (int)BACKLOG_BYTES, "console.h promises it");

/* [I] immutable after console_open(); the rest is the loop's thread's, or has rules of its own. */
struct console {
	const struct console_place *place; /* [I] */
	struct loop *loop;		   /* [I] */
	const struct console_ops *ops;	   /* [I] */
	void *ctx;			   /* [I] */
	struct console_output output;
	struct console_input input;
	struct unix_socket listener;
	struct loop_source listener_source;
};

struct console_place {
	bool has_output, has_input;
	int (*open)(struct console *console, const char *path, struct errmsg *why);
	void (*close)(struct console *console);
	void (*input_ended)(struct console *console);
	void (*output_hung_up)(void *console); /* NULL: nobody else will come to read */
};

/* ---- null ---- */

static int null_open(struct console *console UNUSED, const char *path UNUSED,
		     struct errmsg *why UNUSED)
{
	return 0;
}

static void nothing(struct console *console UNUSED)
{
}

/* ---- file ---- */

/* Appended to, since it may hold what an earlier run of the VM had to say. */
static int file_open(struct console *console, const char *path, struct errmsg *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		      S_IRUSR | S_IWUSR);

	if (fd < 0)
		return errmsg_user(why, -errno, "console: %s: can't be opened: %s", path,
				   strerror(errno));
	console_output_attach(&console->output, fd);
	return 0;
}

static void file_close(struct console *console)
{
	int fd = console->output.sink.fd;

	console_output_detach(&console->output);
	close(fd);
}

/* ---- stdio ---- */

static int stdio_open(struct console *console, const char *path UNUSED, struct errmsg *why)
{
	bool is_terminal = terminal_borrow(STDIN_FILENO, STDOUT_FILENO);
	int err;

	console_output_attach(&console->output, STDOUT_FILENO);
	err = console_input_attach(&console->input, STDIN_FILENO, is_terminal);
	if (!err || err == -EBADF) /* started without standard input: there is none */
		return 0;
	terminal_restore();
	return errmsg_system(why, err, "console: can't wait for standard input: %s",
			     strerror(-err));
}

static void stdio_close(struct console *console)
{
	console_input_detach(&console->input);
	console_output_detach(&console->output);
	terminal_restore();
}

/* ---- unix ---- */

/* Input and output have a descriptor each, since a loop holds a descriptor only once. */
static void client_attach(struct console *console, int fd)
{
	int output_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (output_fd < 0 || console_input_attach(&console->input, fd, false)) {
		close(fd);
		if (output_fd >= 0)
			close(output_fd);
		return; /* the client sees that it was dropped, and may try again */
	}
	console_output_attach(&console->output, output_fd);
}

/* What the guest hasn't read yet still reaches it: only the way out is closed. */
static void client_stopped_reading(void *context)
{
	struct console *console = context;
	int fd = console->output.sink.fd;

	console_output_detach(&console->output);
	close(fd);
}

static void client_left(struct console *console)
{
	int fd = console->input.source.fd;

	if (console->output.sink.fd >= 0)
		client_stopped_reading(console);
	console_input_detach(&console->input);
	if (fd >= 0)
		close(fd);
}

static bool has_client(const struct console *console)
{
	return console->input.source.fd >= 0 && !console->input.has_hung_up &&
	       console->output.sink.fd >= 0;
}

static void client_arrived(void *context, uint32_t events UNUSED)
{
	static const char refusal[] = "bhvm: another client is on this console\r\n";
	struct console *console = context;
	int fd = unix_socket_accept(&console->listener);

	if (fd < 0)
		return; /* gone again */
	if (has_client(console)) {
		if (write(fd, refusal, sizeof(refusal) - 1) < 0)
			log_warn("console: a client left before it was refused");
		close(fd);
		return;
	}
	client_left(console);
	client_attach(console, fd);
}

static int unix_open(struct console *console, const char *path, struct errmsg *why)
{
	int err;

	err = unix_socket_listen(&console->listener, path, why);
	if (err)
		return err;
	console->listener_source =
		(struct loop_source){ console->listener.fd, client_arrived, console };
	err = loop_add(console->loop, &console->listener_source, EPOLLIN);
	if (!err)
		return 0;
	unix_socket_close(&console->listener);
	return errmsg_system(why, err, "console: can't wait for clients: %s", strerror(-err));
}

static void unix_close(struct console *console)
{
	loop_remove(console->loop, &console->listener_source);
	unix_socket_close(&console->listener);
	client_left(console);
}

/* ---- all of them ---- */

/* clang-format off */
static const struct console_place places[] = {
	[CONSOLE_STDIO] = { true, true, stdio_open, stdio_close, nothing },
	[CONSOLE_NULL]  = { false, false, null_open, nothing },
	[CONSOLE_FILE]  = { true, false, file_open, file_close },
	[CONSOLE_UNIX]  = { true, true, unix_open, unix_close, client_left, client_stopped_reading },
};
/* clang-format on */

static size_t device_room(void *context)
{
	struct console *console = context;

	return console->ops->room(console->ctx);
}

static void device_input(void *context, const uint8_t *bytes, size_t n)
{
	struct console *console = context;

	console->ops->input(console->ctx, bytes, n);
}

static void say_help(struct console *console)
{
	static const char help[] = "\r\nCtrl-A x  end bhvm, and the guest with it, at once"
				   "\r\nCtrl-A a  send Ctrl-A to the guest"
				   "\r\nCtrl-A h  this help\r\n";

	console_output_write(&console->output, (const uint8_t *)help, sizeof(help) - 1);
}

static void input_event(void *context, enum console_input_event event)
{
	struct console *console = context;

	switch (event) {
	case CONSOLE_INPUT_ENDED:
		console->place->input_ended(console);
		break;
	case CONSOLE_INPUT_QUIT:
		console->ops->quit(console->ctx);
		break;
	case CONSOLE_INPUT_HELP:
		say_help(console);
		break;
	}
}

static const struct console_input_ops input_ops = { device_room, device_input, input_event };

static int create_directions(struct console *console)
{
	const struct console_place *place = console->place;
	int err;

	if (!place->has_output)
		return 0;
	err = console_output_create(&console->output, console->loop, place->output_hung_up,
				    console);
	if (err || !place->has_input)
		return err;
	err = console_input_create(&console->input, console->loop, &input_ops, console);
	if (err)
		console_output_destroy(&console->output);
	return err;
}

static void destroy_directions(struct console *console)
{
	if (console->place->has_input)
		console_input_destroy(&console->input);
	if (console->place->has_output)
		console_output_destroy(&console->output);
}

/* Pages of its own: calloc() may take them from the heap and clear, so touch, the whole backlog. */
static struct console *allocate(void)
{
	void *pages = mmap(NULL, sizeof(struct console), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

static void release(struct console *console)
{
	munmap(console, sizeof(*console));
}

int console_open(const char *text, struct loop *loop, const struct console_ops *ops, void *ctx,
		 struct console **out, struct errmsg *why)
{
	struct console_spec spec;
	struct console *console;
	int err;

	if (!console_spec_parse(text, &spec))
		return errmsg_user(why, -EINVAL,
				   "console: expected " CONSOLE_SPEC_EXPECTED ", found \"%s\"",
				   text);

	console = allocate();
	if (!console)
		return errmsg_system(why, -ENOMEM, "console: no memory");
	console->place = &places[spec.kind];
	console->loop = loop;
	console->ops = ops;
	console->ctx = ctx;

	err = create_directions(console);
	if (err) {
		errmsg_system(why, err, "console: can't be prepared: %s", strerror(-err));
		goto err_free;
	}
	err = console->place->open(console, spec.path, why);
	if (err)
		goto err_destroy;

	*out = console;
	return 0;

err_destroy:
	destroy_directions(console);
err_free:
	release(console);
	return err;
}

void console_close(struct console *console)
{
	if (!console)
		return;
	if (console->place->has_output)
		console_output_drain(&console->output, CLOSE_TIMEOUT_MS);
	console->place->close(console);
	destroy_directions(console);
	release(console);
}

void console_write(struct console *console, const uint8_t *bytes, size_t n)
{
	if (console->place->has_output)
		console_output_write(&console->output, bytes, n);
}

void console_room_changed(struct console *console)
{
	if (console->place->has_input)
		console_input_room_changed(&console->input);
}

uint64_t console_dropped_bytes(struct console *console)
{
	if (!console->place->has_output)
		return 0;
	return console_output_dropped_bytes(&console->output);
}
