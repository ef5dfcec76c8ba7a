/*
 * The control protocol: see api.h. The table of commands is the middle of this file: above it stands what
 * each command does, below it how a line becomes a command and a reply.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nearest.h"
#include "vmm/api.h"
#include "base/json_text.h"
#include "base/schema.h"
#include "base/version.h"

struct help_arguments {
	char *command; /* or NULL */
};

/* Room for the arguments of any command. Zeroes: none given. */
union arguments {
	struct help_arguments help;
};

/* One request being carried out. */
struct call {
	const struct api_ops *ops;
	void *vm;
	struct api_session *session;
	union arguments *arguments; /* the member that the command's schema describes */
};

struct command {
	const char *name;
	const struct schema *arguments;
	/* 0 with *result an object, or NULL for {}; -errno with @why. */
	int (*run)(const struct call *call, json_t **result, struct errmsg *why);
	const char *help;
};

static const struct command *find_command(const char *name);
static int fail_unknown_command(const char *name, struct errmsg *why);
static json_t *describe_all_commands(void);

/* ---- what commands do ---- */

static int answer(json_t *object, json_t **result, struct errmsg *why)
{
	if (!object)
		return errmsg_system(why, -ENOMEM, "no memory for the reply");
	*result = object;
	return 0;
}

static int run_state(const struct call *call, json_t **result, struct errmsg *why)
{
	return answer(call->ops->state(call->vm), result, why);
}

static int run_stats(const struct call *call, json_t **result, struct errmsg *why)
{
	return answer(call->ops->stats(call->vm), result, why);
}

static int run_config(const struct call *call, json_t **result, struct errmsg *why)
{
	return answer(call->ops->config(call->vm), result, why);
}

static int run_pause(const struct call *call, json_t **result UNUSED, struct errmsg *why)
{
	return call->ops->pause(call->vm, why);
}

static int run_resume(const struct call *call, json_t **result UNUSED, struct errmsg *why)
{
	return call->ops->resume(call->vm, why);
}

static int run_powerdown(const struct call *call, json_t **result UNUSED, struct errmsg *why)
{
	return call->ops->powerdown(call->vm, why);
}

static int run_reset(const struct call *call, json_t **result UNUSED, struct errmsg *why)
{
	return call->ops->reset(call->vm, why);
}

static int run_quit(const struct call *call, json_t **result UNUSED, struct errmsg *why)
{
	return call->ops->quit(call->vm, why);
}

static int run_subscribe(const struct call *call, json_t **result UNUSED, struct errmsg *why UNUSED)
{
	call->session->is_subscribed = true;
	return 0;
}

static int run_unsubscribe(const struct call *call, json_t **result UNUSED,
			   struct errmsg *why UNUSED)
{
	call->session->is_subscribed = false;
	return 0;
}

static int run_version(const struct call *call UNUSED, json_t **result, struct errmsg *why)
{
	return answer(json_pack("{s:s, s:s}", "program", "bhvm", "version", BULKHEAD_VERSION),
		      result, why);
}

static int run_help(const struct call *call, json_t **result, struct errmsg *why)
{
	const struct help_arguments *arguments = &call->arguments->help;
	const struct command *command;

	if (!arguments->command)
		return answer(describe_all_commands(), result, why);
	command = find_command(arguments->command);
	if (!command)
		return fail_unknown_command(arguments->command, why);
	return answer(json_pack("{s:s}", command->name, command->help), result, why);
}

/* ---- the commands ---- */

static const struct schema_row help_rows[] = {
	{ "command", SCHEMA_TEXT, offsetof(struct help_arguments, command), .max = 64,
	  .help = "the command to describe; without it, all" },
	{ NULL },
};

static const struct schema_row no_rows[] = {
	{ NULL },
};

static const struct schema help_one = { sizeof(struct help_arguments), help_rows };
static const struct schema none = { 0, no_rows };

/* clang-format off */
static const struct command commands[] = {
	{ "state",       &none, run_state,       "what the VM is doing" },
	{ "pause",       &none, run_pause,       "stop the VM where it is; a paused one stays so" },
	{ "resume",      &none, run_resume,      "go on after a pause" },
	{ "powerdown",   &none, run_powerdown,   "press the ACPI power button; the guest decides" },
	{ "reset",       &none, run_reset,       "reset the machine, as by its button" },
	{ "quit",        &none, run_quit,        "end the VM at once, as by its plug" },
	{ "stats",       &none, run_stats,       "counters of exits and devices" },
	{ "config",      &none, run_config,      "the effective configuration document" },
	{ "subscribe",   &none, run_subscribe,   "send events on this connection" },
	{ "unsubscribe", &none, run_unsubscribe, "send no more events" },
	{ "help",        &help_one, run_help, "the commands, and what they do" },
	{ "version",     &none, run_version,     "the program's version" },
};
/* clang-format on */

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int fail_unknown_command(const char *name, struct errmsg *why)
{
	struct nearest nearest = nearest_to(name);
	char shown[64];

	json_text_printable(name, shown, sizeof(shown));
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		nearest_offer(&nearest, commands[i].name);
	if (nearest.word)
		return errmsg_user(why, -ENOENT, "%s: unknown command; did you mean \"%s\"?", shown,
				   nearest.word);
	return errmsg_user(why, -ENOENT, "%s: unknown command; \"help\" lists them", shown);
}

const char *api_command_name(size_t index)
{
	return index < ARRAY_SIZE(commands) ? commands[index].name : NULL;
}

static json_t *describe_all_commands(void)
{
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (json_object_set_new(all, commands[i].name, json_string(commands[i].help))) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

/* ---- replies ---- */

/* Takes @reply. */
static char *line_from_json(json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);
	char *line = text ? realloc(text, strlen(text) + 2) : NULL;

	json_decref(reply);
	if (line)
		strcat(line, "\n");
	else
		free(text);
	return line;
}

/* A message may quote a path, and a path may be no UTF-8, which JSON can't hold. */
static json_t *message_to_json(const char *text)
{
	char ascii[sizeof(((struct errmsg *)NULL)->text)];
	json_t *message = json_string(text);
	size_t i;

	if (message)
		return message;
	for (i = 0; i < sizeof(ascii) - 1 && text[i]; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

/* @id is borrowed; NULL: there was none to be found. */
static char *error_reply(json_t *id, const char *code, const char *message)
{
	return line_from_json(json_pack("{s:O?, s:b, s:{s:s, s:o}}", "id", id, "ok", 0, "error",
					"code", code, "message", message_to_json(message)));
}

/* Takes @result. */
static char *result_reply(json_t *id, json_t *result)
{
	return line_from_json(json_pack("{s:O?, s:b, s:o}", "id", id, "ok", 1, "result", result));
}

char *api_overlong_reply(void)
{
	return error_reply(NULL, "too-long", "a request has at most 65536 bytes");
}

char *api_busy_reply(void)
{
	return error_reply(NULL, "busy", "too many connections already");
}

char *api_event_line(const char *name, const json_t *data)
{
	return line_from_json(json_pack("{s:s, s:O}", "event", name, "data", (json_t *)data));
}

/* ---- requests ---- */

static const char *code_of_failure(int err, const struct errmsg *why)
{
	if (err == -ENOENT)
		return "unknown-command";
	return why->blame == BLAME_USER ? "refused" : "failed";
}

static char *run_command(const struct command *command, const struct call *call, json_t *id)
{
	struct errmsg why = { 0 };
	json_t *result = NULL;
	int err;

	err = command->run(call, &result, &why);
	if (err)
		return error_reply(id, code_of_failure(err, &why), why.text);
	return result_reply(id, result ? result : json_object());
}

static char *run_with_arguments(const struct command *command, const struct call *call, json_t *id,
				const json_t *given)
{
	const struct schema_origin origin = { .name = command->name };
	struct errmsg why = { 0 };
	char *reply;

	if (given && schema_read(command->arguments, given, call->arguments, &origin, &why))
		reply = error_reply(id, "invalid-arguments", why.text);
	else
		reply = run_command(command, call, id);
	schema_clear(command->arguments, call->arguments);
	return reply;
}

static bool is_request_key(const char *key)
{
	return !strcmp(key, "id") || !strcmp(key, "command") || !strcmp(key, "arguments");
}

/* What is wrong with the frame around the command; NULL: nothing. */
static const char *find_flaw(json_t *request)
{
	const char *key;
	json_t *member;

	if (!json_is_object(request))
		return "expected an object";
	json_object_foreach(request, key, member)
		if (!is_request_key(key))
			return "expected no keys but \"id\", \"command\" and \"arguments\"";
	if (!json_is_string(json_object_get(request, "command")))
		return "expected \"command\" to be a string";
	return NULL;
}

static char *handle_request(const struct call *call, json_t *request)
{
	json_t *id = json_object_get(request, "id");
	const char *flaw = find_flaw(request);
	const struct command *command;
	struct errmsg why = { 0 };
	const char *name;

	if (flaw)
		return error_reply(id, "invalid-request", flaw);

	name = json_string_value(json_object_get(request, "command"));
	command = find_command(name);
	if (!command) {
		fail_unknown_command(name, &why);
		return error_reply(id, "unknown-command", why.text);
	}
	return run_with_arguments(command, call, id, json_object_get(request, "arguments"));
}

static bool is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!strchr(" \t\r", text[i]) || !text[i])
			return false;
	return true;
}

char *api_handle_line(const struct api_ops *ops, void *vm, struct api_session *session,
		      const char *text, size_t length)
{
	union arguments arguments = { 0 };
	const struct call call = { ops, vm, session, &arguments };
	struct errmsg why = { 0 };
	json_t *request;
	char *reply;

	if (is_blank(text, length))
		return NULL;
	if (length > API_REQUEST_MAX_BYTES)
		return api_overlong_reply();
	if (json_text_parse(text, length, "request", &request, &why))
		return error_reply(NULL, "invalid-json", why.text);

	reply = handle_request(&call, request);
	json_decref(request);
	return reply;
}
