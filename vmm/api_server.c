/*
 * The control socket: see api_server.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/api_server.h"
#include "base/log.h"
#include "base/unix_socket.h"

/*
 * One connection. A client that is dropped while one of its requests is being carried out only loses its
 * descriptor: its place stays where it is, for whoever comes next.
 */
struct client {
	struct api_server *server;
	struct loop_source source; /* fd -1: a free place */
	struct api_session session;
	bool is_leaving; /* disconnected when its output is out */
	char *input;	 /* API_REQUEST_MAX_BYTES + 1, kept for the next client */
	size_t input_length;
	char *output; /* what the socket didn't take at once; NULL: nothing */
	size_t output_length;
};

struct api_server {
	struct loop *loop;
	const struct api_ops *ops;
	void *vm;
	struct unix_socket listener;
	struct loop_source listener_source;
	struct client clients[API_CLIENTS_MAX];
};

static bool is_connected(const struct client *client)
{
	return client->source.fd >= 0;
}

static void client_drop(struct client *client)
{
	loop_remove(client->server->loop, &client->source);
	close(client->source.fd);
	client->source.fd = -1;
	free(client->output);
	client->output = NULL;
	client->output_length = 0;
}

/* ---- output ---- */

/* How many bytes the socket took; -errno if it is broken. */
static ssize_t client_write(const struct client *client, const char *text, size_t length)
{
	ssize_t written = write(client->source.fd, text, length);

	if (written < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return written;
}

/* Nothing is read while output waits: who doesn't read replies can't ask for more. */
static void client_set_events(struct client *client)
{
	if (loop_modify(client->server->loop, &client->source,
			client->output_length ? EPOLLOUT : EPOLLIN))
		client_drop(client);
}

static void client_keep(struct client *client, const char *text, size_t length)
{
	size_t total = client->output_length + length;
	char *output = total <= API_OUTPUT_MAX_BYTES ? realloc(client->output, total) : NULL;

	if (!output) {
		log_warn("control socket: a client doesn't read; it is disconnected");
		client_drop(client);
		return;
	}
	memcpy(output + client->output_length, text, length);
	client->output = output;
	client->output_length = total;
}

static void client_send(struct client *client, const char *line)
{
	size_t length = strlen(line);
	ssize_t written = 0;

	if (!client->output_length)
		written = client_write(client, line, length);
	if (written < 0) {
		client_drop(client);
		return;
	}
	if ((size_t)written == length)
		return;
	client_keep(client, line + written, length - (size_t)written);
	if (is_connected(client))
		client_set_events(client);
}

static void client_flush(struct client *client)
{
	ssize_t written = client_write(client, client->output, client->output_length);

	if (written < 0) {
		client_drop(client);
		return;
	}
	client->output_length -= (size_t)written;
	memmove(client->output, client->output + written, client->output_length);
	if (client->output_length)
		return;
	free(client->output);
	client->output = NULL;
	if (client->is_leaving)
		client_drop(client);
	else
		client_set_events(client);
}

/* ---- input ---- */

static void client_handle_line(struct client *client, const char *text, size_t length)
{
	struct api_server *server = client->server;
	char *reply = api_handle_line(server->ops, server->vm, &client->session, text, length);

	/* The request itself may have dropped the client: by an event that it didn't read. */
	if (reply && is_connected(client))
		client_send(client, reply);
	free(reply);
}

/* Cuts the input into lines, as long as their replies get away. */
static void client_handle_input(struct client *client)
{
	char *line = client->input;
	size_t left = client->input_length;
	char *newline;

	while (is_connected(client) && !client->output_length &&
	       (newline = memchr(line, '\n', left))) {
		client_handle_line(client, line, (size_t)(newline - line));
		left -= (size_t)(newline + 1 - line);
		line = newline + 1;
	}
	memmove(client->input, line, left);
	client->input_length = left;
}

static bool has_overlong_line(const struct client *client)
{
	return client->input_length > API_REQUEST_MAX_BYTES &&
	       !memchr(client->input, '\n', client->input_length);
}

/* Where the next request begins can't be told any more, so this client has to come again. */
static void client_refuse_line(struct client *client)
{
	char *reply = api_overlong_reply();

	client->is_leaving = true;
	client->input_length = 0;
	if (reply)
		client_send(client, reply);
	free(reply);
	if (is_connected(client) && !client->output_length)
		client_drop(client);
}

static void client_read(struct client *client)
{
	ssize_t n = read(client->source.fd, client->input + client->input_length,
			 API_REQUEST_MAX_BYTES + 1 - client->input_length);

	if (n > 0)
		client->input_length += (size_t)n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		client_drop(client);
}

static void client_ready(void *context, uint32_t events UNUSED)
{
	struct client *client = context;

	if (client->output_length)
		client_flush(client);
	else
		client_read(client);
	if (!is_connected(client) || client->output_length)
		return;

	client_handle_input(client);
	if (is_connected(client) && has_overlong_line(client))
		client_refuse_line(client);
}

/* ---- clients come ---- */

static struct client *find_free_place(struct api_server *server)
{
	for (size_t i = 0; i < API_CLIENTS_MAX; i++)
		if (!is_connected(&server->clients[i]))
			return &server->clients[i];
	return NULL;
}

static int client_connect(struct client *client, int fd)
{
	int err;

	if (!client->input)
		client->input = malloc(API_REQUEST_MAX_BYTES + 1);
	if (!client->input)
		return -ENOMEM;
	client->session = (struct api_session){ 0 };
	client->is_leaving = false;
	client->input_length = 0;
	client->source.fd = fd;
	err = loop_add(client->server->loop, &client->source, EPOLLIN);
	if (err)
		client->source.fd = -1;
	return err;
}

static void refuse(int fd)
{
	char *reply = api_busy_reply();

	if (reply && write(fd, reply, strlen(reply)) < 0)
		log_warn("control socket: a client left before it was refused");
	free(reply);
	close(fd);
}

static void client_arrived(void *context, uint32_t events UNUSED)
{
	struct api_server *server = context;
	struct client *client = find_free_place(server);
	int fd = unix_socket_accept(&server->listener);

	if (fd < 0)
		return; /* gone again */
	if (!client || client_connect(client, fd))
		refuse(fd);
}

/* ---- the server ---- */

int api_server_open(const char *path, struct loop *loop, const struct api_ops *ops, void *vm,
		    struct api_server **out, struct errmsg *why)
{
	struct api_server *server;
	int err;

	server = calloc(1, sizeof(*server));
	if (!server)
		return errmsg_system(why, -ENOMEM, "control socket: no memory");
	server->loop = loop;
	server->ops = ops;
	server->vm = vm;
	for (size_t i = 0; i < API_CLIENTS_MAX; i++) {
		server->clients[i].server = server;
		server->clients[i].source =
			(struct loop_source){ -1, client_ready, &server->clients[i] };
	}

	err = unix_socket_listen(&server->listener, path, why);
	if (err)
		goto err_free;
	server->listener_source =
		(struct loop_source){ server->listener.fd, client_arrived, server };
	err = loop_add(loop, &server->listener_source, EPOLLIN);
	if (err) {
		errmsg_system(why, err, "%s: can't wait for clients: %s", path, strerror(-err));
		goto err_close;
	}
	*out = server;
	return 0;

err_close:
	unix_socket_close(&server->listener);
err_free:
	free(server);
	return err;
}

void api_server_close(struct api_server *server)
{
	if (!server)
		return;
	for (size_t i = 0; i < API_CLIENTS_MAX; i++) {
		if (is_connected(&server->clients[i]))
			client_drop(&server->clients[i]);
		free(server->clients[i].input);
	}
	loop_remove(server->loop, &server->listener_source);
	unix_socket_close(&server->listener);
	free(server);
}

void api_event(struct api_server *server, const char *name, const json_t *data)
{
	char *line = api_event_line(name, data);

	for (size_t i = 0; line && i < API_CLIENTS_MAX; i++) {
		struct client *client = &server->clients[i];

		if (is_connected(client) && client->session.is_subscribed)
			client_send(client, line);
	}
	free(line);
}
