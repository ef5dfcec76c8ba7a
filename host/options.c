/*
 * The command line of bhd: see options.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/options.h"
#include "lib/nearest.h"

enum { STOP_TIMEOUT_MAX_S = 24 * 60 * 60 };

struct option_row {
	const char *name;
	const char *value; /* what --help calls it; NULL: it takes none */
	int (*take)(struct options *options, const char *value, struct errmsg *why);
	const char *help;
};

static int take_vms(struct options *options, const char *value, struct errmsg *why UNUSED)
{
	options->vms = value;
	return 0;
}

static int take_run_dir(struct options *options, const char *value, struct errmsg *why UNUSED)
{
	options->run_dir = value;
	return 0;
}

static int take_bhvm(struct options *options, const char *value, struct errmsg *why UNUSED)
{
	options->bhvm = value;
	return 0;
}

static int take_stop_timeout(struct options *options, const char *value, struct errmsg *why)
{
	char *end;
	unsigned long seconds = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || seconds > STOP_TIMEOUT_MAX_S)
		return errmsg_user(why, -EINVAL,
				   "--stop-timeout: expected seconds, 0 to %d, found \"%s\"",
				   STOP_TIMEOUT_MAX_S, value);
	options->stop_timeout_s = (uint32_t)seconds;
	return 0;
}

static int take_version(struct options *options, const char *value UNUSED,
			struct errmsg *why UNUSED)
{
	options->action = OPTIONS_VERSION;
	return 0;
}

static int take_help(struct options *options, const char *value UNUSED, struct errmsg *why UNUSED)
{
	options->action = OPTIONS_HELP;
	return 0;
}

static const struct option_row rows[] = {
	{ "--vms", "DIR", take_vms,
	  "where the VMs' documents are, NAME.json each\n"
	  "(default /etc/bulkhead/vms)" },
	{ "--run-dir", "DIR", take_run_dir, "where sockets are made (default /run/bulkhead)" },
	{ "--bhvm", "PATH", take_bhvm, "the monitor (default /bin/bhvm)" },
	{ "--stop-timeout", "SECONDS", take_stop_timeout,
	  "how long a guest may take to power off before\n"
	  "its plug is pulled (default 60)" },
	{ "--version", NULL, take_version, "print the version" },
	{ "--help", NULL, take_help, "print this" },
};

static const struct option_row *find_row(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].name) == length && !strncmp(rows[i].name, name, length))
			return &rows[i];
	return NULL;
}

static int fail_unknown(const char *name, struct errmsg *why)
{
	struct nearest nearest = nearest_to(name);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		nearest_offer(&nearest, rows[i].name);
	if (nearest.word)
		return errmsg_user(why, -EINVAL, "%s: unknown option; did you mean %s?", name,
				   nearest.word);
	return errmsg_user(why, -EINVAL, "%s: unknown option; --help lists them", name);
}

/* One option, as `--name value` or `--name=value`. Returns how many words it took, or -errno. */
static int take_option(struct options *options, char *const words[], struct errmsg *why)
{
	const char *equals = strchr(words[0], '=');
	size_t length = equals ? (size_t)(equals - words[0]) : strlen(words[0]);
	const struct option_row *row = find_row(words[0], length);
	const char *value = equals ? equals + 1 : words[1];
	int err;

	if (!row)
		return fail_unknown(words[0], why);
	if (!row->value && equals)
		return errmsg_user(why, -EINVAL, "%s: expected no value, found \"%s\"", row->name,
				   value);
	if (row->value && (!value || !*value))
		return errmsg_user(why, -EINVAL, "%s: expected %s, found nothing", row->name,
				   row->value);
	err = row->take(options, value, why);
	if (err)
		return err;
	return row->value && !equals ? 2 : 1;
}

int options_parse(int argc, char *const argv[], struct options *out, struct errmsg *why)
{
	struct options options = {
		.vms = "/etc/bulkhead/vms",
		.run_dir = "/run/bulkhead",
		.bhvm = "/bin/bhvm",
		.stop_timeout_s = 60,
	};
	int taken;

	for (int i = 1; i < argc; i += taken) {
		taken = take_option(&options, argv + i, why);
		if (taken < 0)
			return taken;
	}
	*out = options;
	return 0;
}

static void print_option(FILE *out, const struct option_row *row)
{
	const char *help = row->help;
	size_t length;
	char name[64];

	snprintf(name, sizeof(name), "%s %s", row->name, row->value ? row->value : "");
	do {
		length = strcspn(help, "\n");
		fprintf(out, "  %-24s %.*s\n", name, (int)length, help);
		help += length + (help[length] == '\n');
		name[0] = '\0';
	} while (*help);
}

void options_print_help(FILE *out)
{
	fputs("bhd runs the virtual machines of this host and owns its console.\n"
	      "\n"
	      "usage: bhd [OPTION]...\n"
	      "\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		print_option(out, &rows[i]);
	fputs("\n"
	      "At its prompt, `help` lists the commands. docs/bhd.md has the rest.\n",
	      out);
}
