/*
 * The command line of bhvm: see options.h.
 *
 * The table of options comes first; then how an argument becomes JSON; then how messages about that JSON
 * speak of options again; then the answers to --help and its like.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nearest.h"
#include "vmm/json_text.h"
#include "vmm/options.h"
#include "vmm/version.h"

enum option_kind {
	OPTION_FILE,   /* --config                                          */
	OPTION_ACTION, /* what to do instead of running                     */
	OPTION_VALUE,  /* the value of one key of the document              */
	OPTION_OFF,    /* sets a key to false                               */
	OPTION_ITEM,   /* one more item of a list: KEY=VALUE,KEY,KEY=VALUE  */
};

struct option_row {
	const char *name;
	const char *argument; /* as --help shows it; NULL: none */
	enum option_kind kind;
	const char *key;   /* of the document: "boot.kernel" */
	const char *first; /* OPTION_ITEM: the key of a first part without one */
	enum options_action action;
	const char *help; /* lines of at most 54 characters */
};

static const struct option_row machine_options[] = {
	{ "--config", "FILE", OPTION_FILE,
	  .help = "the machine's JSON document (docs/vm.md);\noptions beside it override it" },
	{ "--kernel", "FILE", OPTION_VALUE, "boot.kernel",
	  .help = "Linux bzImage, or ELF with a PVH entry" },
	{ "--initrd", "FILE", OPTION_VALUE, "boot.initrd", .help = "initial RAM disk" },
	{ "--cmdline", "TEXT", OPTION_VALUE, "boot.cmdline", .help = "the kernel's command line" },
	{ "--cpus", "N", OPTION_VALUE, "cpus", .help = "virtual CPUs, 1 to 64" },
	{ "--memory", "SIZE", OPTION_VALUE, "memory", .help = "guest memory: 512M, 2G" },
	{ "--disk", "PATH[,...]", OPTION_ITEM, "disks", "path",
	  .help = "a raw image or block device; with ,readonly ,direct\n"
		  ",id=NAME ,serial=TEXT; may be repeated" },
	{ "--net", "tap=NAME[,...]", OPTION_ITEM, "nets",
	  .help = "a network interface on a tap; with ,mac=ADDRESS\n"
		  ",mtu=BYTES ,id=NAME; may be repeated" },
	{ "--no-rng", NULL, OPTION_OFF, "rng", .help = "no virtio source of random numbers" },
	{ "--name", "NAME", OPTION_VALUE, "name", .help = "what this host calls the VM" },
	{ NULL },
};

static const struct option_row control_options[] = {
	{ "--console", "SPEC", OPTION_VALUE, "console",
	  .help = "where the serial port goes: stdio, null, file:PATH,\n"
		  "unix:PATH; Ctrl-A h in a terminal helps" },
	{ "--api-socket", "PATH", OPTION_VALUE, "api_socket",
	  .help = "listen for commands (docs/bhvm-api.md)" },
	{ "--on-reset", "WHAT", OPTION_VALUE, "on_reset",
	  .help = "when the guest resets: reset, exit" },
	{ NULL },
};

static const struct option_row other_options[] = {
	{ "--check", NULL, OPTION_ACTION, .action = OPTIONS_CHECK,
	  .help = "only check the configuration" },
	{ "--dump-config", NULL, OPTION_ACTION, .action = OPTIONS_DUMP,
	  .help = "only print the effective document" },
	{ "--version", NULL, OPTION_ACTION, .action = OPTIONS_VERSION,
	  .help = "print the version" },
	{ "--help", NULL, OPTION_ACTION, .action = OPTIONS_HELP, .help = "print this" },
	{ NULL },
};

static const struct option_group {
	const char *title;
	const struct option_row *rows; /* ends with a row without a name */
} option_groups[] = {
	{ "The machine:", machine_options },
	{ "Reaching it:", control_options },
	{ "Instead of running it:", other_options },
};

#define for_each_option(row)                                                  \
	for (size_t group_ = 0; group_ < ARRAY_SIZE(option_groups); group_++) \
		for (const struct option_row *row = option_groups[group_].rows; row->name; row++)

/* What the command line said so far. */
struct command_line {
	const char *config_path; /* NULL: no --config */
	json_t *document;
	enum options_action action;
};

/* ---- messages ---- */

static const struct option_row *find_option_by_key(const char *path, size_t length)
{
	for_each_option(row)
		if (row->key && strlen(row->key) == length && !strncmp(row->key, path, length))
			return row;
	return NULL;
}

/* "boot.kernel" becomes "--kernel", "disks[1].serial" becomes "--disk #2: serial". */
static void rename_to_option(const char *path, char *out, size_t out_size)
{
	size_t key_length = strcspn(path, "[");
	const struct option_row *row = find_option_by_key(path, key_length);
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

/* @path: "boot.kernel" */
static const struct schema_row *find_key(const struct schema *schema, const char *path)
{
	size_t length = strcspn(path, ".");

	for (const struct schema_row *row = schema->rows; row->key; row++) {
		if (strlen(row->key) != length || strncmp(row->key, path, length) != 0)
			continue;
		return path[length] ? find_key(row->fields, path + length + 1) : row;
	}
	return NULL;
}

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
	const struct schema *fields = find_key(&config_schema, row->key)->fields;
	char *equals = strchr(part, '=');

	if (is_first && row->first)
		return document_set(item, row->first, json_string(part), why);
	if (!equals)
		return document_set(item, part, json_true(), why);
	*equals = '\0';
	return document_set(item, part, value_from_text(find_key(fields, part), equals + 1), why);
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
				 value_from_text(find_key(&config_schema, row->key), argument),
				 why);
	case OPTION_OFF:
		return set_value(line->document, row, json_false(), why);
	case OPTION_ITEM:
		return add_item(line->document, row, argument, why);
	}
	return -EINVAL;
}

static const struct option_row *find_option(const char *name, size_t length)
{
	for_each_option(row)
		if (strlen(row->name) == length && !strncmp(row->name, name, length))
			return row;
	return NULL;
}

/* "--cpus 2" or "--cpus=2". @next is what follows on the command line; @used_next: it was the argument. */
static int take_words(struct command_line *line, const char *word, const char *next,
		      bool *used_next, struct errmsg *why)
{
	size_t length = strcspn(word, "=");
	const struct option_row *row = find_option(word, length);
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

/* ---- answers ---- */

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

static void print_summary(const struct vm_config *config, FILE *out)
{
	fprintf(out, "ok: %s: %u CPU%s, %llu MiB of memory, %u disk%s, %u network interface%s\n",
		config->name, config->cpus, plural(config->cpus),
		(unsigned long long)(config->memory_bytes >> 20), config->nr_disks,
		plural(config->nr_disks), config->nr_nets, plural(config->nr_nets));
}

static int print_config(const struct vm_config *config, FILE *out)
{
	json_t *document = config_to_json(config);
	int err;

	err = document && !json_dumpf(document, out, JSON_INDENT(2)) ? 0 : -ENOMEM;
	json_decref(document);
	fputc('\n', out);
	return err;
}

enum { HELP_COLUMN = 25 };

/* Lines that follow the first stand below it. */
static void print_help_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		fputc(*text, out);
		if (*text == '\n')
			fprintf(out, "%*s", HELP_COLUMN, "");
	}
}

static void print_help_row(const struct option_row *row, FILE *out)
{
	const struct schema_row *key = row->key ? find_key(&config_schema, row->key) : NULL;
	int length;

	length = fprintf(out, "  %s%s%s", row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
	fprintf(out, "%*s", length < HELP_COLUMN ? HELP_COLUMN - length : 1, "");
	print_help_text(row->help, out);
	if (row->kind == OPTION_VALUE && key && key->preset && *key->preset)
		fprintf(out, " (default %s)", key->preset);
	fputc('\n', out);
}

static void print_help(FILE *out)
{
	fprintf(out, "bhvm runs one virtual machine.\n\n"
		     "usage: bhvm --config FILE [OPTION]...\n"
		     "       bhvm --kernel FILE [OPTION]...\n");
	for (size_t i = 0; i < ARRAY_SIZE(option_groups); i++) {
		fprintf(out, "\n%s\n", option_groups[i].title);
		for (const struct option_row *row = option_groups[i].rows; row->name; row++)
			print_help_row(row, out);
	}
	fprintf(out,
		"\nExit status: 0 when the guest has powered off, 1 when the host can't run it,\n"
		"2 when the configuration or a file it names is wrong.\n");
}

int options_answer(const struct options *options, char **text)
{
	size_t length;
	char *answer = NULL;
	FILE *out = open_memstream(&answer, &length);
	int err = 0;

	if (!out)
		return -ENOMEM;
	switch (options->action) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_CHECK:
		print_summary(&options->config, out);
		break;
	case OPTIONS_DUMP:
		err = print_config(&options->config, out);
		break;
	case OPTIONS_VERSION:
		fprintf(out, "bhvm %s\n", BHVM_VERSION);
		break;
	case OPTIONS_HELP:
		print_help(out);
		break;
	}
	if (fclose(out))
		err = -ENOMEM;
	if (err)
		free(answer);
	else
		*text = answer;
	return err;
}
