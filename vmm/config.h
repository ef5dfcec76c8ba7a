/*
 * What one virtual machine is made of: the contents of its JSON document as a plain struct.
 *
 *   - The document is described key by key by the tables of config.c; docs/vm.md is written for people.
 *   - A struct vm_config that config_parse() or config_load() filled is complete and valid: every
 *     default is in place, every value in its range, ids are unique. config_destroy() frees its strings.
 *   - It is put together in layers, of which a later one overrides an earlier one key by key (a list
 *     as a whole): config_init(), config_apply() for each layer, config_complete().
 *   - Paths are as written: relative ones start at the current directory. Nothing here opens them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"
#include "base/schema.h"

enum {
	CONFIG_DISKS_MAX = 16,
	CONFIG_NETS_MAX = 8,
	CONFIG_CPUS_MAX = 64,
	CONFIG_CMDLINE_MAX_BYTES = 4095,
	CONFIG_DISK_SERIAL_MAX_BYTES = 20,
};

/* Strings belong to the struct that points to them. NULL means "not given". */
struct disk_config {
	char *id;     /* unique among disks and nets          */
	char *path;   /* a raw image or a block device        */
	char *serial; /* at most 20 printable bytes, or NULL  */
	bool readonly;
	bool direct; /* O_DIRECT: past the host's page cache */
};

struct net_config {
	char *id;
	char *tap;	/* the host's interface                                    */
	uint8_t mac[6]; /* never all zero; derived from VM name and id if not given */
	uint32_t mtu;	/* offered to the guest; 0: not                            */
};

struct boot_config {
	char *kernel;
	char *initrd;  /* or NULL          */
	char *cmdline; /* "" when not given */
};

enum reset_action { ON_RESET_RESET, ON_RESET_EXIT };
enum restart_policy { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct vm_config {
	char *name;
	char *description; /* or NULL */
	uint32_t cpus;
	uint64_t memory_bytes; /* a multiple of 1 MiB */
	struct boot_config boot;
	struct disk_config disks[CONFIG_DISKS_MAX];
	uint32_t nr_disks;
	struct net_config nets[CONFIG_NETS_MAX];
	uint32_t nr_nets;
	bool rng;
	char *console;	  /* a valid spec for console_open() */
	char *api_socket; /* or NULL */
	enum reset_action on_reset;
	bool autostart;		     /* for the host daemon */
	enum restart_policy restart; /* for the host daemon */
};

/**
 * config_load() - read, check and complete the document at @path
 *
 * Returns 0; -errno with @why saying which file, which key, what was expected and what was found.
 * On failure @out holds nothing to destroy.
 */
MUST_CHECK int config_load(const char *path, struct vm_config *out, struct errmsg *why);

/**
 * config_parse() - the same for a document in memory; no input, no output
 * @text:   UTF-8, not terminated
 * @length: bytes
 * @origin: what messages call the document: "web.json"
 */
MUST_CHECK int config_parse(const char *text, size_t length, const char *origin,
			    struct vm_config *out, struct errmsg *why);

/* Frees what @config owns and zeroes it; a zeroed one is fine. */
void config_destroy(struct vm_config *config);

/* The effective document: every default written out. A new reference, or NULL for want of memory. */
MUST_CHECK json_t *config_to_json(const struct vm_config *config);

/*
 * The layers. config_init() sets defaults; after it, config_destroy() is due whatever follows.
 * config_apply() checks and takes the keys of @document; config_complete() checks what must be there
 * and derives ids and MAC addresses. @origin names the layer in messages.
 */
MUST_CHECK int config_init(struct vm_config *config, struct errmsg *why);
MUST_CHECK int config_apply(struct vm_config *config, const json_t *document,
			    const struct schema_origin *origin, struct errmsg *why);
MUST_CHECK int config_complete(struct vm_config *config, const struct schema_origin *origin,
			       struct errmsg *why);

/* Reads the file at @path as JSON, unchecked. @out: a new reference. */
MUST_CHECK int config_read(const char *path, json_t **out, struct errmsg *why);

/* The document's keys, for who prints or checks the reference. */
extern const struct schema config_schema;
