/*
 * The archive format of boot images: cpio, "newc". Pure: walks bytes, copies nothing.
 *
 * Several archives may follow each other, padded with zeroes (a boot image with others laid over it).
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"

struct cpio_entry {
	const char *name; /* inside the archive, terminated */
	const uint8_t *data;
	uint64_t size_bytes;
	uint32_t mode; /* as st_mode */
	uint64_t mtime_s;
};

/**
 * cpio_next() - the entry at @offset of the archive
 * @offset: 0 to begin; moved behind the entry
 *
 * Returns 1 with an entry; 0 at the end; -EINVAL where the archive is broken.
 */
MUST_CHECK int cpio_next(const uint8_t *archive, uint64_t size, uint64_t *offset,
			 struct cpio_entry *out);
