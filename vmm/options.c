/*
 * The command line of bhvm: see options.h.
 *
 * An argument becomes JSON, the JSON becomes a configuration, and messages about that JSON speak of
 * options again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nearest.h"
#include "base/json_text.h"
#include "vmm/options.h"
#include "vmm/options_table.h"

/* What the command line said so far. */
struct command_line {
	const char *config_path; /* NULL: no --config */
	json_t *document;
	enum options_action action;
};

/* ---- messages ---- */

/* "boot.kernel" becomes "--kernel", "disks[1].serial" becomes "--disk #2: serial". */
static void rename_to_option(const char *path, char *out, size_t out_size)
{
	size_t key_length = strcspn(path, "[");
	const struct option_row *row = option_find_by_key(path, key_length);
	unsigned long index;
	char *rest;

	if (!row || !path[key_length]) {
		snprintf(out, out_size, "%s", row ? row->name : path);
		return;
	}
	index = strtoul(path + key_length + 1, &rest, 10);
	rest += *rest == ']';
	snprintf(out, out_size, "%s #%lu%s%s", row->name, index + 1, *rest ? ": " : "",
		 *rest ? rest + 1 : "");
}

static const struct schema_origin command_line_origin = {
	.name = "command line",
	.rename = rename_to_option,
};

/* @word: "--cpu=2" */
static int fail_unknown_option(const char *word, struct errmsg *why)
{
	struct nearest nearest;
	char shown[64];

	json_text_printable(word, shown, sizeof(shown));
	if (strncmp(word, "--", 2) != 0)
		return errmsg_user(why, -EINVAL,
				   "command line: \"%s\": expected an option; see --help", shown);
	shown[strcspn(shown, "=")] = '\0';
	nearest = nearest_to(shown);
	for_each_option(row)
		nearest_offer(&nearest, row->name);
	if (nearest.word)
		return errmsg_user(why, -EINVAL,
				   "command line: %s: unknown option; did you mean \"%s\"?", shown,
				   nearest.word);
	return errmsg_user(why, -EINVAL, "command line: %s: unknown option; see --help", shown);
}

/* ---- from an argument to JSON ---- */

static bool is_decimal(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < 10 && strspn(text, "0123456789") == length;
}

/* What @text means for @key, which is NULL where the schema has none. Else a string, for it to judge. */
static json_t *value_from_text(const struct schema_row *key, const char *text)
{
	if (key && key->kind == SCHEMA_COUNT && is_decimal(text))
		return json_integer(atoi(text));
	if (key && key->kind == SCHEMA_BOOL && !strcmp(text, "true"))
		return json_true();
	if (key && key->kind == SCHEMA_BOOL && !strcmp(text, "false"))
		return json_false();
	return json_string(text);
}

/* Takes @value. */
static int document_set(json_t *object, const char *key, json_t *value, struct errmsg *why)
{
	if (json_object_set_new(object, key, value))
		return errmsg_system(why, -ENOMEM, "no memory for the command line");
	return 0;
}

/* The container under @key, made if there is none. Borrowed; NULL for want of memory. */
static json_t *document_enter(json_t *object, const char *key, json_t *(*make)(void))
{
	json_t *inner = json_object_get(object, key);

	if (!inner && json_object_set_new(object, key, make()) == 0)
		inner = json_object_get(object, key);
	return inner;
}

static int set_value(json_t *document, const struct option_row *row, json_t *value,
		     struct errmsg *why)
{
	const char *dot = strchr(row->key, '.');
	json_t *boot;

	if (!dot)
		return document_set(document, row->key, value, why);

	boot = document_enter(document, "boot", json_object);
	return document_set(boot, dot + 1, value, why);
}

/* One part of "PATH,readonly,id=root", cut in place. */
static int set_part(json_t *item, const struct option_row *row, char *part, bool is_first,
		    struct errmsg *why)
{
	const struct schema *fields = option_key(&config_schema, row->key)->fields;
	char *equals = strchr(part, '=');

	if (is_first && row->first)
		return document_set(item, row->first, json_string(part), why);
	if (!equals)
		return document_set(item, part, json_true(), why);
	*equals = '\0';
	return document_set(item, part, value_from_text(option_key(fields, part), equals + 1), why);
}

static int add_item(json_t *document, const struct option_row *row, const char *text,
		    struct errmsg *why)
{
	json_t *list = document_enter(document, row->key, json_array);
	json_t *item = json_object();
	char *parts = strdup(text);
	char *next = parts, *part;
	int err = 0;

	if (json_array_append_new(list, item) || !parts) {
		err = errmsg_system(why, -ENOMEM, "no memory for the command line");
		goto out;
	}
	while (!err && (part = strsep(&next, ",")))
		err = set_part(item, row, part, part == parts, why);
out:
	free(parts);
	return err;
}

/* ---- from the command line to a document ---- */

/* JSON holds nothing else. */
static bool is_utf8(const char *text)
{
	json_t *string = json_string(text);

	json_decref(string);
	return string != NULL;
}

static int take_option(struct command_line *line, const struct option_row *row,
		       const char *argument, struct errmsg *why)
{
	switch (row->kind) {
	case OPTION_FILE:
		line->config_path = argument;
		return 0;
	case OPTION_ACTION:
		line->action = row->action;
		return 0;
	case OPTION_VALUE:
		return set_value(line->document, row,
				 value_from_text(option_key(&config_schema, row->key), argument),
				 why);
	case OPTION_OFF:
		return set_value(line->document, row, json_false(), why);
	case OPTION_ITEM:
		return add_item(line->document, row, argument, why);
	}
	return -EINVAL;
}

/* "--cpus 2" or "--cpus=2". @next is what follows on the command line; @used_next: it was the argument. */
static int take_words(struct command_line *line, const char *word, const char *next,
		      bool *used_next, struct errmsg *why)
{
	size_t length = strcspn(word, "=");
	const struct option_row *row = option_find(word, length);
	const char *argument = word[length] ? word + length + 1 : NULL;

	if (!row)
		return fail_unknown_option(word, why);
	if (!row->argument && argument)
		return errmsg_user(why, -EINVAL, "command line: %s: expected no argument",
				   row->name);

	*used_next = row->argument && !argument;
	if (*used_next)
		argument = next;
	if (row->argument && !argument)
		return errmsg_user(why, -EINVAL, "command line: %s: expected %s, found nothing",
				   row->name, row->argument);
	if (argument && !is_utf8(argument))
		return errmsg_user(why, -EINVAL, "command line: %s: expected UTF-8 text",
				   row->name);
	return take_option(line, row, argument, why);
}

static bool is_about_the_program(enum options_action action)
{
	return action == OPTIONS_VERSION || action == OPTIONS_HELP;
}

static int take_command_line(struct command_line *line, int argc, char *const argv[],
			     struct errmsg *why)
{
	int err = 0;

	for (int i = 1; i < argc && !err && !is_about_the_program(line->action); i++) {
		bool used_next = false;

		err = take_words(line, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used_next, why);
		i += used_next;
	}
	return err;
}

/* ---- from documents to a configuration ---- */

static int apply_file(const char *path, struct vm_config *config, struct errmsg *why)
{
	const struct schema_origin origin = { .name = path };
	json_t *document;
	int err;

	err = config_read(path, &document, why);
	if (err)
		return err;
	err = config_apply(config, document, &origin, why);
	json_decref(document);
	return err;
}

static int build_config(const struct command_line *line, struct vm_config *config,
			struct errmsg *why)
{
	const struct schema_origin file_origin = { .name = line->config_path };
	int err;

	err = config_init(config, why);
	if (!err && line->config_path)
		err = apply_file(line->config_path, config, why);
	if (!err)
		err = config_apply(config, line->document, &command_line_origin, why);
	if (!err)
		err = config_complete(config,
				      line->config_path ? &file_origin : &command_line_origin, why);
	if (err)
		config_destroy(config);
	return err;
}

int options_parse(int argc, char *const argv[], struct options *out, struct errmsg *why)
{
	struct command_line line = { .action = OPTIONS_RUN };
	struct options options = { 0 };
	int err;

	json_text_seed();
	line.document = json_object();
	if (!line.document)
		return errmsg_system(why, -ENOMEM, "no memory for the command line");

	err = take_command_line(&line, argc, argv, why);
	if (!err && !is_about_the_program(line.action))
		err = build_config(&line, &options.config, why);
	json_decref(line.document);
	if (err)
		return err;

	options.action = line.action;
	*out = options;
	return 0;
}

void options_destroy(struct options *options)
{
	config_destroy(&options->config);
}
