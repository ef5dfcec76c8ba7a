/*
 * bhd's connection to a guest's console: see console_link.h.
 */
#include <errno.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "host/console_link.h"

enum { READ_BYTES = 4096 };

bool console_link_is_connected(const struct console_link *link)
{
	return link->source.fd >= 0;
}

static void disconnect(struct console_link *link)
{
	loop_remove(link->loop, &link->source);
	close(link->source.fd);
	link->source.fd = -1;
}

static void take_output(struct console_link *link, const uint8_t *bytes, size_t n)
{
	backlog_append(&link->history, bytes, n);
	if (link->watch)
		link->watch(link->watcher, bytes, n);
}

/* Returns: 0, -EAGAIN (nothing now) or another -errno (nothing ever). */
static int read_some(struct console_link *link)
{
	uint8_t bytes[READ_BYTES];
	ssize_t n = read(link->source.fd, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return -EPIPE;
	take_output(link, bytes, (size_t)n);
	return 0;
}

static void link_ready(void *context, uint32_t events UNUSED)
{
	struct console_link *link = context;
	int err = read_some(link);

	if (!err || err == -EAGAIN)
		return;
	disconnect(link);
	link->lost(link->context);
}

void console_link_init(struct console_link *link, struct loop *loop, void (*lost)(void *context),
		       void *context)
{
	link->loop = loop;
	link->lost = lost;
	link->context = context;
	link->source = (struct loop_source){ -1, link_ready, link };
}

int console_link_connect(struct console_link *link, const char *path)
{
	int fd = unix_socket_connect(path);
	int err;

	if (fd < 0)
		return fd;
	link->source.fd = fd;
	err = loop_add(link->loop, &link->source, EPOLLIN);
	if (!err)
		return 0;
	link->source.fd = -1;
	close(fd);
	return err;
}

void console_link_close(struct console_link *link)
{
	if (!console_link_is_connected(link))
		return;
	while (!read_some(link))
		;
	disconnect(link);
}

size_t console_link_type(struct console_link *link, const uint8_t *bytes, size_t n)
{
	ssize_t taken;

	if (!console_link_is_connected(link))
		return 0;
	taken = write(link->source.fd, bytes, n);
	return taken < 0 ? 0 : (size_t)taken;
}
