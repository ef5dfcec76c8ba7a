/*
 * What one virtual machine is made of: see config.h. First the document's keys, then what the tables
 * can't say: ids that are unique, MAC addresses that nobody gave.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/config.h"
#include "vmm/console_spec.h"
#include "base/json_text.h"

enum { PATH_MAX_BYTES = 4095, SOCKET_PATH_MAX_BYTES = 107 /* sockaddr_un */ };

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

/* ---- forms of text ---- */

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

#define NAME_EXPECTED \
	"1 to 63 letters, digits, '.', '_' or '-', of which the first is a letter or digit"

static bool is_name(const char *text)
{
	if (!is_letter_or_digit(text[0]))
		return false;
	for (; *text; text++)
		if (!is_letter_or_digit(*text) && !strchr("._-", *text))
			return false;
	return true;
}

static bool is_printable_ascii(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* As the Linux kernel has it: dev_valid_name(). */
static bool is_interface_name(const char *text)
{
	return is_printable_ascii(text) && !strpbrk(text, " /:%") && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

/* ---- the document ---- */

#define FIELD(type, name) .offset = offsetof(struct type, name)
#define PATH		  .kind = SCHEMA_TEXT, .min = 1, .max = PATH_MAX_BYTES
#define NAME \
	.kind = SCHEMA_TEXT, .min = 1, .max = 63, .is_valid = is_name, .expected = NAME_EXPECTED

static const struct schema_row boot_rows[] = {
	{ "kernel", PATH, FIELD(boot_config, kernel), .is_required = true,
	  .help = "the guest's kernel: a Linux bzImage or an ELF with a PVH entry" },
	{ "initrd", PATH, FIELD(boot_config, initrd),
	  .help = "the initial RAM disk handed to the kernel" },
	{ "cmdline", SCHEMA_TEXT, FIELD(boot_config, cmdline), .preset = "",
	  .max = CONFIG_CMDLINE_MAX_BYTES, .help = "the kernel's command line" },
	{ NULL },
};

static const struct schema_row disk_rows[] = {
	{ "id", NAME, FIELD(disk_config, id),
	  .help = "the disk's name in messages and statistics" },
	{ "path", PATH, FIELD(disk_config, path), .is_required = true,
	  .help = "a raw image file or a block device" },
	{ "readonly", SCHEMA_BOOL, FIELD(disk_config, readonly), .preset = "false",
	  .help = "whether the guest is kept from writing" },
	{ "direct", SCHEMA_BOOL, FIELD(disk_config, direct), .preset = "false",
	  .help = "whether to go past the host's page cache (O_DIRECT)" },
	{ "serial", SCHEMA_TEXT, FIELD(disk_config, serial), .max = CONFIG_DISK_SERIAL_MAX_BYTES,
	  .is_valid = is_printable_ascii, .expected = "at most 20 printable ASCII characters",
	  .help = "the serial number that the guest sees" },
	{ NULL },
};

static const struct schema_row net_rows[] = {
	{ "id", NAME, FIELD(net_config, id),
	  .help = "the interface's name in messages and statistics" },
	{ "tap", SCHEMA_TEXT, FIELD(net_config, tap), .is_required = true, .min = 1, .max = 15,
	  .is_valid = is_interface_name, .expected = "an interface name of 1 to 15 characters",
	  .help = "the host's tap interface" },
	{ "mac", SCHEMA_MAC, FIELD(net_config, mac), .help = "the guest's Ethernet address" },
	{ "mtu", SCHEMA_COUNT, FIELD(net_config, mtu), .min = 68, .max = 65535,
	  .help = "the largest packet, offered to the guest" },
	{ NULL },
};

static const struct schema boot_schema = { sizeof(struct boot_config), boot_rows };
static const struct schema disk_schema = { sizeof(struct disk_config), disk_rows };
static const struct schema net_schema = { sizeof(struct net_config), net_rows };

static const char *const reset_actions[] = {
	[ON_RESET_RESET] = "reset",
	[ON_RESET_EXIT] = "exit",
	NULL,
};

static const char *const restart_policies[] = {
	[RESTART_NEVER] = "never",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_ALWAYS] = "always",
	NULL,
};

static const struct schema_row config_rows[] = {
	{ "name", NAME, FIELD(vm_config, name), .preset = "vm",
	  .help = "the VM's name on its host" },
	{ "description", SCHEMA_TEXT, FIELD(vm_config, description), .max = 4096,
	  .help = "a note for people" },
	{ "cpus", SCHEMA_COUNT, FIELD(vm_config, cpus), .preset = "1", .min = 1,
	  .max = CONFIG_CPUS_MAX, .help = "virtual CPUs" },
	{ "memory", SCHEMA_SIZE, FIELD(vm_config, memory_bytes), .preset = "512M", .min = MIB,
	  .max = 16 * TIB, .step = MIB, .help = "guest memory" },
	{ "boot", SCHEMA_OBJECT, FIELD(vm_config, boot), .fields = &boot_schema,
	  .help = "what the guest starts from" },
	{ "disks", SCHEMA_LIST, FIELD(vm_config, disks), .fields = &disk_schema,
	  .max = CONFIG_DISKS_MAX, .count_offset = offsetof(struct vm_config, nr_disks),
	  .help = "virtio disks, in the guest's order" },
	{ "nets", SCHEMA_LIST, FIELD(vm_config, nets), .fields = &net_schema,
	  .max = CONFIG_NETS_MAX, .count_offset = offsetof(struct vm_config, nr_nets),
	  .help = "virtio network interfaces, in the guest's order" },
	{ "rng", SCHEMA_BOOL, FIELD(vm_config, rng), .preset = "true",
	  .help = "whether there is a virtio source of random numbers" },
	{ "console", SCHEMA_TEXT, FIELD(vm_config, console), .preset = "stdio", .min = 1,
	  .max = PATH_MAX_BYTES, .is_valid = console_spec_is_valid,
	  .expected = CONSOLE_SPEC_EXPECTED, .help = "where the guest's first serial port goes" },
	{ "api_socket", SCHEMA_TEXT, FIELD(vm_config, api_socket), .min = 1,
	  .max = SOCKET_PATH_MAX_BYTES, .expected = "a socket's path of 1 to 107 bytes",
	  .help = "where to listen for control commands" },
	{ "on_reset", SCHEMA_CHOICE, FIELD(vm_config, on_reset), .preset = "reset",
	  .choices = reset_actions, .help = "what happens when the guest resets itself" },
	{ "autostart", SCHEMA_BOOL, FIELD(vm_config, autostart), .preset = "true",
	  .help = "whether the host daemon starts the VM when it starts itself" },
	{ "restart", SCHEMA_CHOICE, FIELD(vm_config, restart), .preset = "on-failure",
	  .choices = restart_policies,
	  .help = "when the host daemon starts the VM again after it ended" },
	{ NULL },
};

const struct schema config_schema = { sizeof(struct vm_config), config_rows };

/* ---- ids ---- */

/* "disk0", "disk1", ...: what a device is called when nobody says. */
static int id_default(char **id, const char *prefix, uint32_t index, struct errmsg *why)
{
	if (!*id && asprintf(id, "%s%u", prefix, index) < 0) {
		*id = NULL;
		return errmsg_system(why, -ENOMEM, "no memory for the configuration");
	}
	return 0;
}

static int ids_default(struct vm_config *config, struct errmsg *why)
{
	int err = 0;

	for (uint32_t i = 0; i < config->nr_disks && !err; i++)
		err = id_default(&config->disks[i].id, "disk", i, why);
	for (uint32_t i = 0; i < config->nr_nets && !err; i++)
		err = id_default(&config->nets[i].id, "net", i, why);
	return err;
}

/* The devices in order: disks, then nets. NULL past the last. */
static const char *device_id(const struct vm_config *config, uint32_t index)
{
	if (index < config->nr_disks)
		return config->disks[index].id;
	index -= config->nr_disks;
	return index < config->nr_nets ? config->nets[index].id : NULL;
}

static void device_path(const struct vm_config *config, uint32_t index, char out[32])
{
	if (index < config->nr_disks)
		snprintf(out, 32, "disks[%u].id", index);
	else
		snprintf(out, 32, "nets[%u].id", index - config->nr_disks);
}

static int ids_check_unique(const struct vm_config *config, const struct schema_origin *origin,
			    struct errmsg *why)
{
	const char *id;
	char path[32];

	for (uint32_t i = 0; (id = device_id(config, i)); i++) {
		for (uint32_t other = 0; other < i; other++) {
			if (strcmp(id, device_id(config, other)) != 0)
				continue;
			device_path(config, i, path);
			return schema_fail(origin, why, path,
					   "expected a unique id, found \"%s\" a second time", id);
		}
	}
	return 0;
}

/* ---- MAC addresses ---- */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3); /* FNV-1a, with the NUL */
	} while (*text++);
	return hash;
}

/*
 * The same VM has the same addresses wherever and however often it starts, and two VMs of different
 * names differ: 46 bits of a hash, marked as locally administered and unicast.
 */
static void mac_derive(const char *vm_name, const char *id, uint8_t mac[6])
{
	uint64_t hash = hash_text(hash_text(UINT64_C(0xcbf29ce484222325), vm_name), id);

	hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15); /* few letters reach few bits */
	hash ^= hash >> 32;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

static void macs_default(struct vm_config *config)
{
	static const uint8_t none[6];

	for (uint32_t i = 0; i < config->nr_nets; i++) {
		struct net_config *net = &config->nets[i];

		if (!memcmp(net->mac, none, sizeof(none)))
			mac_derive(config->name, net->id, net->mac);
	}
}

/* ---- layers ---- */

int config_init(struct vm_config *config, struct errmsg *why)
{
	*config = (struct vm_config){ 0 };
	return schema_preset(&config_schema, config, why);
}

int config_apply(struct vm_config *config, const json_t *document,
		 const struct schema_origin *origin, struct errmsg *why)
{
	return schema_read(&config_schema, document, config, origin, why);
}

int config_complete(struct vm_config *config, const struct schema_origin *origin,
		    struct errmsg *why)
{
	int err;

	err = schema_check_required(&config_schema, config, origin, why);
	if (!err)
		err = ids_default(config, why);
	if (!err)
		err = ids_check_unique(config, origin, why);
	if (!err)
		macs_default(config);
	return err;
}

static int config_from_json(const json_t *document, const char *origin_name, struct vm_config *out,
			    struct errmsg *why)
{
	const struct schema_origin origin = { .name = origin_name };
	int err;

	err = config_init(out, why);
	if (!err)
		err = config_apply(out, document, &origin, why);
	if (!err)
		err = config_complete(out, &origin, why);
	if (err)
		config_destroy(out);
	return err;
}

int config_parse(const char *text, size_t length, const char *origin, struct vm_config *out,
		 struct errmsg *why)
{
	json_t *document;
	int err;

	err = json_text_parse(text, length, origin, &document, why);
	if (err)
		return err;
	err = config_from_json(document, origin, out, why);
	json_decref(document);
	return err;
}

void config_destroy(struct vm_config *config)
{
	schema_clear(&config_schema, config);
}

json_t *config_to_json(const struct vm_config *config)
{
	return schema_write(&config_schema, config);
}

/* ---- files ---- */

/* Reads until the end, or one byte more than a document may have. Returns its length or -errno. */
static ssize_t read_all(int fd, char *text)
{
	size_t length = 0;
	ssize_t n;

	do {
		n = read(fd, text + length, JSON_TEXT_MAX_BYTES + 1 - length);
		if (n < 0)
			return -errno;
		length += (size_t)n;
	} while (n && length <= JSON_TEXT_MAX_BYTES);
	return (ssize_t)length;
}

int config_read(const char *path, json_t **out, struct errmsg *why)
{
	ssize_t length;
	char *text;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errmsg_user(why, -errno, "%s: can't be opened: %s", path, strerror(errno));

	text = malloc(JSON_TEXT_MAX_BYTES + 1);
	if (!text) {
		err = errmsg_system(why, -ENOMEM, "%s: no memory to read it", path);
		goto out_close;
	}
	length = read_all(fd, text);
	if (length < 0)
		err = errmsg_user(why, (int)length, "%s: can't be read: %s", path,
				  strerror((int)-length));
	else
		err = json_text_parse(text, (size_t)length, path, out, why);
	free(text);
out_close:
	close(fd);
	return err;
}

int config_load(const char *path, struct vm_config *out, struct errmsg *why)
{
	json_t *document = NULL;
	int err;

	err = config_read(path, &document, why);
	if (err)
		return err;
	err = config_from_json(document, path, out, why);
	json_decref(document);
	return err;
}
