/*
 * Kernels that tests make up: a bzImage and an ELF with a PVH note, as files in memory.
 */
#pragma once

#include <asm/bootparam.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/* A file in memory, with a path by which it can be opened. */
struct image_file {
	int fd;
	char path[32];
};

void image_file_create(struct image_file *file, const void *bytes, size_t size);
void image_file_close(struct image_file *file);

/* A bzImage that is fine: change @header, then lay it out. */
struct bzimage {
	struct setup_header header;
	uint8_t payload[4096]; /* the protected-mode part */
};

enum {
	BZIMAGE_PREFERRED_AT = 0x200000,
	BZIMAGE_INIT_BYTES = 0x100000,
	BZIMAGE_SETUP_BYTES = 2 * 512,
	BZIMAGE_BYTES = BZIMAGE_SETUP_BYTES + 4096,
};

void bzimage_init(struct bzimage *kernel);
void bzimage_lay_out(const struct bzimage *kernel, uint8_t image[BZIMAGE_BYTES]);

/* An ELF kernel that is fine, of either class: one segment, and a note that names its entry. */
struct pvh_note {
	Elf64_Nhdr header;
	char owner[4];
	uint64_t entry;
};

struct pvh64 {
	Elf64_Ehdr elf;
	Elf64_Phdr segment, note_segment;
	struct pvh_note note;
	uint8_t code[512];
};

struct pvh32 {
	Elf32_Ehdr elf;
	Elf32_Phdr segment, note_segment;
	struct pvh_note note;
	uint8_t code[512];
};

enum {
	PVH_LOADED_AT = 0x100000,
	PVH_ENTRY = 0x100040,
	PVH_MEMORY_BYTES = 0x3000, /* of the segment: more than the file has */
};

void pvh64_init(struct pvh64 *kernel);
void pvh32_init(struct pvh32 *kernel);
