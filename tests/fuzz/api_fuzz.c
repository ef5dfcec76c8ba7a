/*
 * Any lines from a client. What must hold: every reply is one line of JSON that says "ok" or why not, and a
 * request that isn't ok changes nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static unsigned nr_actions;

static void claim(bool is_true)
{
	if (!is_true)
		abort();
}

static int act(void *vm UNUSED, struct errmsg *why UNUSED)
{
	nr_actions++;
	return 0;
}

static int refuse(void *vm UNUSED, struct errmsg *why)
{
	return errmsg_user(why, -EBUSY, "not \xff now");
}

static json_t *answer(void *vm UNUSED)
{
	return json_pack("{s:s}", "state", "running");
}

static const struct api_ops ops = {
	.state = answer,
	.stats = answer,
	.config = answer,
	.pause = act,
	.resume = act,
	.powerdown = act,
	.reset = act,
	.quit = refuse,
};

static void check_reply(const char *reply, unsigned nr_new_actions)
{
	json_t *json = json_loads(reply, JSON_REJECT_DUPLICATES, NULL);
	json_t *ok = json_object_get(json, "ok");

	claim(strchr(reply, '\n') == reply + strlen(reply) - 1);
	claim(json_is_boolean(ok) && json_object_get(json, "id"));
	claim(nr_new_actions <= 1 && (json_is_true(ok) || !nr_new_actions));
	claim(json_is_object(json_object_get(json, json_is_true(ok) ? "result" : "error")));
	json_decref(json);
}

static void handle(struct api_session *session, const char *line, size_t length)
{
	unsigned before = nr_actions;
	char *reply = api_handle_line(&ops, NULL, session, line, length);

	if (reply)
		check_reply(reply, nr_actions - before);
	free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *line = (const char *)bytes, *end = line + n, *newline;
	struct api_session session = { 0 };

	while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
		handle(&session, line, (size_t)(newline - line));
		line = newline + 1;
	}
	handle(&session, line, (size_t)(end - line));
	return 0;
}
