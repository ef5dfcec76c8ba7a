/*
 * A line from a VM's control socket: see api_message.h.
 */
#include <errno.h>

#include "base/json_text.h"
#include "host/api_message.h"

static int refuse(struct errmsg *why, const char *expected)
{
	return errmsg_system(why, -EPROTO, "an unexpected answer: expected %s", expected);
}

static int read_event(struct api_message *message, struct errmsg *why)
{
	message->kind = API_EVENT;
	message->text = json_string_value(json_object_get(message->line, "event"));
	message->data = json_object_get(message->line, "data");
	if (!message->text || !json_is_object(message->data))
		return refuse(why, "an event to have a name and data");
	return 0;
}

static int read_error(struct api_message *message, struct errmsg *why)
{
	const json_t *error = json_object_get(message->line, "error");

	message->kind = API_ERROR;
	message->text = json_string_value(json_object_get(error, "message"));
	return message->text ? 0 : refuse(why, "an error to have a message");
}

static int read_reply(struct api_message *message, struct errmsg *why)
{
	const json_t *id = json_object_get(message->line, "id");
	const json_t *ok = json_object_get(message->line, "ok");

	if (!json_is_boolean(ok))
		return refuse(why, "\"ok\" to be true or false");
	/* Without an id it answers nothing that was asked: the connection was refused. */
	message->id = json_is_integer(id) ? json_integer_value(id) : -1;
	if (json_is_false(ok))
		return read_error(message, why);

	message->kind = API_RESULT;
	message->result = json_object_get(message->line, "result");
	return json_is_object(message->result) ? 0 : refuse(why, "\"result\" to be an object");
}

int api_message_parse(const char *text, size_t length, struct api_message *out, struct errmsg *why)
{
	struct api_message message = { .id = -1 };
	int err;

	err = json_text_parse(text, length, "an unexpected answer", &message.line, why);
	if (err)
		return err;
	if (!json_is_object(message.line))
		err = refuse(why, "an object");
	else if (json_object_get(message.line, "event"))
		err = read_event(&message, why);
	else
		err = read_reply(&message, why);

	if (err)
		api_message_destroy(&message);
	else
		*out = message;
	return err;
}

void api_message_destroy(struct api_message *message)
{
	json_decref(message->line);
	message->line = NULL;
}
