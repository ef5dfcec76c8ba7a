/*
 * Starting a guest without firmware: kernel, initrd and command line are put into its memory, with tables
 * that describe the machine, and the first vCPU is pointed at the entry.
 *
 * Two kinds of kernel: Linux bzImage by its 64-bit boot protocol, and ELF by PVH (which Linux's vmlinux,
 * FreeBSD, Xen's friends and our own kernel offer).
 */
#pragma once

#include <stdbool.h>

#include "vmm/boot/image.h"
#include "vmm/memory.h"

enum boot_protocol {
	BOOT_LINUX64, /* long mode, RSI: boot_params    */
	BOOT_PVH,     /* protected mode, EBX: start info */
};

/* How the first vCPU starts. */
struct boot_entry {
	enum boot_protocol protocol;
	uint64_t address;
	uint64_t argument;
};

/* What is to be started. Kept for the VM's life: a reset loads it again. */
struct boot_source {
	struct image kernel;
	struct image initrd; /* path NULL: none */
	const char *cmdline; /* borrowed; at most BOOT_CMDLINE_BYTES - 1 bytes */
};

MUST_CHECK int boot_open(const char *kernel, const char *initrd, const char *cmdline,
			 struct boot_source *out, struct errmsg *why);
void boot_close(struct boot_source *source);

/**
 * boot_load() - fill guest memory
 * @cpus: for the tables
 *
 * Context: no vCPU runs. Returns 0; -EINVAL with @why: not a kernel, truncated, doesn't fit.
 */
MUST_CHECK int boot_load(const struct boot_source *source, const struct guest_memory *memory,
			 uint32_t cpus, struct boot_entry *out, struct errmsg *why);
