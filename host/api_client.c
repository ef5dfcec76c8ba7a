/*
 * bhd's end of a VM's control socket: see api_client.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "host/api_client.h"
#include "host/api_message.h"

bool api_client_is_connected(const struct api_client *client)
{
	return client->source.fd >= 0;
}

int api_client_peer(const struct api_client *client)
{
	return unix_socket_peer(client->source.fd);
}

/* ---- the end of a connection ---- */

static void answer(const struct api_pending *pending, const json_t *result, const char *problem)
{
	if (pending->answer)
		pending->answer(pending->context, result, problem);
}

void api_client_close(struct api_client *client, const char *reason)
{
	struct api_pending pending[API_PENDING_MAX];
	size_t nr_pending = client->nr_pending;

	if (!api_client_is_connected(client))
		return;
	loop_remove(client->loop, &client->source);
	close(client->source.fd);
	client->source.fd = -1;
	timer_cancel(client->timers, &client->timer);
	free(client->input);
	client->input = NULL;
	client->input_length = 0;

	/* Those who are told may connect and ask again at once. */
	memcpy(pending, client->pending, sizeof(pending));
	client->nr_pending = 0;
	for (size_t i = 0; i < nr_pending; i++)
		answer(&pending[i], NULL, reason);
}

static void lose(struct api_client *client, const char *reason)
{
	unsigned connection = client->connection;

	api_client_close(client, reason);
	if (connection == client->connection)
		client->ops->lost(client->context, reason);
}

/* ---- answers ---- */

static void set_timer(struct api_client *client)
{
	for (size_t i = 0; i < client->nr_pending; i++) {
		if (!client->pending[i].answer)
			continue;
		timer_set(client->timers, &client->timer, client->pending[i].due_ms);
		return;
	}
	timer_cancel(client->timers, &client->timer);
}

/* The place stays taken until its answer comes: that keeps the order. */
static void first_is_overdue(void *context)
{
	struct api_client *client = context;
	unsigned connection = client->connection;
	uint64_t now_ms = clock_now_ms();

	for (size_t i = 0; i < client->nr_pending; i++) {
		struct api_pending late = client->pending[i];

		if (late.due_ms > now_ms)
			break;
		client->pending[i].answer = NULL;
		answer(&late, NULL, "no answer within 10 s");
		if (!api_client_is_connected(client) || connection != client->connection)
			return;
	}
	set_timer(client);
}

static struct api_pending take_pending(struct api_client *client)
{
	struct api_pending first = client->pending[0];

	client->nr_pending--;
	client->first_id++;
	memmove(client->pending, client->pending + 1, client->nr_pending * sizeof(first));
	set_timer(client);
	return first;
}

static void take_reply(struct api_client *client, const struct api_message *message)
{
	struct api_pending first;

	if (message->id < 0) {
		lose(client, message->kind == API_ERROR ? message->text
							: "an answer to nothing that was asked");
		return;
	}
	if (!client->nr_pending || message->id != client->first_id) {
		lose(client, "an answer to nothing that was asked");
		return;
	}
	first = take_pending(client);
	if (message->kind == API_RESULT)
		answer(&first, message->result, NULL);
	else
		answer(&first, NULL, message->text);
}

static void take_line(struct api_client *client, const char *text, size_t length)
{
	struct errmsg why = { 0 };
	struct api_message message;

	if (api_message_parse(text, length, &message, &why)) {
		lose(client, why.text);
		return;
	}
	if (message.kind == API_EVENT)
		client->ops->event(client->context, message.text, message.data);
	else
		take_reply(client, &message);
	api_message_destroy(&message);
}

/* ---- input ---- */

/* Takes the lines out of the input, unless one of them ends the connection. */
static void take_input(struct api_client *client)
{
	unsigned connection = client->connection;
	size_t done = 0;
	char *newline;

	while ((newline = memchr(client->input + done, '\n', client->input_length - done))) {
		const char *line = client->input + done;

		done = (size_t)(newline + 1 - client->input);
		take_line(client, line, (size_t)(newline - line));
		if (!api_client_is_connected(client) || connection != client->connection)
			return;
	}
	client->input_length -= done;
	memmove(client->input, client->input + done, client->input_length);
	if (client->input_length == API_LINE_MAX_BYTES)
		lose(client, "an answer longer than 128 KiB");
}

static void client_ready(void *context, uint32_t events UNUSED)
{
	struct api_client *client = context;
	ssize_t n = read(client->source.fd, client->input + client->input_length,
			 API_LINE_MAX_BYTES - client->input_length);

	if (n > 0) {
		client->input_length += (size_t)n;
		take_input(client);
	} else if (!n) {
		lose(client, "bhvm closed the control connection");
	} else if (errno != EAGAIN && errno != EINTR) {
		lose(client, strerror(errno));
	}
}

/* ---- requests ---- */

void api_client_request(struct api_client *client, const char *command, api_answer_fn *answer_fn,
			void *context)
{
	const struct api_pending request = { answer_fn, context,
					     clock_now_ms() + API_ANSWER_TIMEOUT_MS };
	char line[128];
	int length;

	if (!api_client_is_connected(client)) {
		answer(&request, NULL, "there is no control connection to bhvm");
		return;
	}
	if (client->nr_pending == API_PENDING_MAX) {
		answer(&request, NULL, "bhvm doesn't answer");
		return;
	}
	length = snprintf(line, sizeof(line),
			  "{\"id\": %" JSON_INTEGER_FORMAT ", \"command\": \"%s\"}\n",
			  client->first_id + (json_int_t)client->nr_pending, command);
	client->pending[client->nr_pending++] = request;
	set_timer(client);
	/* A few short lines fit any socket: one that takes them no more is dead. */
	if (write(client->source.fd, line, (size_t)length) != length)
		lose(client, "bhvm doesn't take requests");
}

/* ---- a connection ---- */

void api_client_init(struct api_client *client, struct loop *loop, struct timers *timers,
		     const struct api_client_ops *ops, void *context)
{
	*client = (struct api_client){
		.loop = loop,
		.timers = timers,
		.ops = ops,
		.context = context,
		.source = { -1, client_ready, client },
		.timer = { first_is_overdue, client },
	};
}

int api_client_attach(struct api_client *client, int fd)
{
	int err = -ENOMEM;

	client->input = malloc(API_LINE_MAX_BYTES);
	if (!client->input)
		goto err_close;
	client->source.fd = fd;
	err = loop_add(client->loop, &client->source, EPOLLIN);
	if (err)
		goto err_free;
	client->input_length = 0;
	client->first_id = 1;
	client->connection++;
	return 0;

err_free:
	client->source.fd = -1;
	free(client->input);
	client->input = NULL;
err_close:
	close(fd);
	return err;
}

int api_client_connect(struct api_client *client, const char *path)
{
	int fd = unix_socket_connect(path);

	return fd < 0 ? fd : api_client_attach(client, fd);
}
