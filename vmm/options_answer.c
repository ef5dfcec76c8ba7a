/*
 * What bhvm prints instead of running: help, version, the effective document.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/options_table.h"
#include "base/version.h"

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
	const struct schema_row *key = row->key ? option_key(&config_schema, row->key) : NULL;
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
	for (const struct option_group *group = option_groups; group->title; group++) {
		fprintf(out, "\n%s\n", group->title);
		for (const struct option_row *row = group->rows; row->name; row++)
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
		fprintf(out, "bhvm %s\n", BULKHEAD_VERSION);
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
