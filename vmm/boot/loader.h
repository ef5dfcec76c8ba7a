/*
 * What the files of this folder offer each other: one loader per kind of kernel, and the parts they share.
 */
#pragma once

#include "vmm/boot/boot.h"
#include "vmm/boot/memmap.h"

struct boot_request {
	const struct boot_source *source;
	const struct guest_memory *memory;
	const struct memmap *map;
	uint64_t rsdp; /* guest-physical */
};

/* Where the initrd went; size 0: none. */
struct boot_initrd {
	uint64_t at, size_bytes;
};

/* Does the file begin like this kind of kernel? */
bool bzimage_probe(const uint8_t *head, size_t bytes);
bool pvh_probe(const uint8_t *head, size_t bytes);

MUST_CHECK int bzimage_load(const struct boot_request *request, struct boot_entry *out,
			    struct errmsg *why);
MUST_CHECK int pvh_load(const struct boot_request *request, struct boot_entry *out,
			struct errmsg *why);

/**
 * initrd_load() - put the initrd as high below @limit as it goes
 * @floor: what lies below is taken
 */
MUST_CHECK int initrd_load(const struct boot_request *request, uint64_t floor, uint64_t limit,
			   struct boot_initrd *out, struct errmsg *why);

/* Puts the command line at BOOT_CMDLINE_AT. */
MUST_CHECK int cmdline_load(const struct boot_request *request, struct errmsg *why);
