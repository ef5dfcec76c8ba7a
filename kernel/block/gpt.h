/*
 * GUID partition tables, read. Pure: the caller has read the blocks, and any bytes may be in them.
 *
 * A table counts only if its checksums are right. The second one, at the disk's end, stands in for a first that is broken.
 * Source: UEFI Specification 2.9, 5 "GUID Partition Table (GPT) Disk Layout".
 */
#pragma once

#include "lib/compiler.h"

enum {
	GPT_PARTITIONS_MAX = 128,
	GPT_ENTRY_BYTES_MAX = 1024,
	GPT_ENTRIES_BYTES_MAX = 128 << 10,
	GPT_HEADER_BYTES = 92,
	GPT_PRIMARY_BLOCK = 1,
};

struct gpt_header {
	uint64_t entries_block;
	uint32_t nr_entries, entry_bytes, entries_crc;
	uint64_t first_usable, last_usable; /* blocks */
};

struct gpt_partition {
	uint32_t number; /* from 1, as the entry stands in the table */
	uint64_t first_block, nr_blocks;
};

/* Does block 0 say that the disk is partitioned in this way? 5.2.3 "Protective MBR". @size: at least 512, or it doesn't. */
bool gpt_is_announced(const uint8_t *block, size_t size);

/**
 * gpt_parse_header() - the header that was read from block @at of a disk of @nr_blocks
 *
 * Returns 0; -ENOENT: none; -EBADMSG: checksum; -EINVAL: it speaks of another place, or can't be right.
 */
MUST_CHECK int gpt_parse_header(const uint8_t *block, size_t size, uint64_t at, uint64_t nr_blocks,
				struct gpt_header *out);

/* How many bytes of entries gpt_parse_entries() has to be given. */
static inline uint32_t gpt_entries_bytes(const struct gpt_header *header)
{
	return header->nr_entries * header->entry_bytes;
}

/* -EBADMSG: checksum. Entries that are empty, outside the usable blocks or overlap an earlier one are left out. */
MUST_CHECK int gpt_parse_entries(const struct gpt_header *header, const uint8_t *entries,
				 struct gpt_partition partitions[GPT_PARTITIONS_MAX],
				 uint32_t *count);
