/*
 * The options of bhvm: see options_table.h.
 */
#include <string.h>

#include "vmm/options_table.h"

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

const struct option_group option_groups[] = {
	{ "The machine:", machine_options },
	{ "Reaching it:", control_options },
	{ "Instead of running it:", other_options },
	{ NULL },
};

const struct option_row *option_find(const char *name, size_t length)
{
	for_each_option(row)
		if (strlen(row->name) == length && !strncmp(row->name, name, length))
			return row;
	return NULL;
}

const struct option_row *option_find_by_key(const char *key, size_t length)
{
	for_each_option(row)
		if (row->key && strlen(row->key) == length && !strncmp(row->key, key, length))
			return row;
	return NULL;
}

const struct schema_row *option_key(const struct schema *schema, const char *path)
{
	size_t length = strcspn(path, ".");

	for (const struct schema_row *row = schema->rows; row->key; row++) {
		if (strlen(row->key) != length || strncmp(row->key, path, length) != 0)
			continue;
		return path[length] ? option_key(row->fields, path + length + 1) : row;
	}
	return NULL;
}
