/*
 * What the loader told us: memory, modules, command line, where ACPI's tables and the screen are. The same for
 * every loader; copied, so that the loader's own memory may be reused.
 */
#pragma once

#include "lib/compiler.h"

enum {
	BOOTINFO_RANGES_MAX = 128,
	BOOTINFO_CMDLINE_BYTES = 1024,
};

/* Until the kernel has page tables of its own, physical memory below this is where it is. */
#define BOOTINFO_MAPPED_END UINT64_C(0x100000000)

struct bootinfo_range {
	uint64_t start, end; /* physical; half-open */
	bool is_ram;	     /* else reserved */
};

struct bootinfo_screen {
	uint64_t address; /* physical; 0: none */
	uint32_t pitch_bytes, width, height;
	uint8_t bits_per_pixel;
	bool is_text; /* VGA text, 2 bytes per character */
};

struct bootinfo {
	const char *loader;
	uint32_t nr_ranges;
	/* As given: unsorted, perhaps overlapping. */
	struct bootinfo_range ranges[BOOTINFO_RANGES_MAX];
	uint64_t module_start, module_end; /* physical; equal: none */
	uint64_t rsdp;			   /* physical; 0: to be searched for */
	uint8_t rsdp_copy[36];
	bool has_rsdp_copy;
	struct bootinfo_screen screen;
	bool is_screen_unknown; /* the loader doesn't say: it is as the firmware left it */
	char cmdline[BOOTINFO_CMDLINE_BYTES];
};

extern struct bootinfo bootinfo;

/* Fills bootinfo. Context: the provisional page tables, which have the first 4 GiB where they are. */
void bootinfo_read(uint32_t magic, uint32_t information);
