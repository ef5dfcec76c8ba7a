/*
 * GUID partition tables: see gpt.h.
 */
#include <string.h>

#include "kernel/block/gpt.h"
#include "lib/bytes.h"
#include "lib/crc32.h"

/* 5.3.2 "GPT Header" */
enum {
	HEADER_SIZE = 12,
	HEADER_CRC = 16,
	HEADER_MY_BLOCK = 24,
	HEADER_FIRST_USABLE = 40,
	HEADER_LAST_USABLE = 48,
	HEADER_ENTRIES_BLOCK = 72,
	HEADER_NR_ENTRIES = 80,
	HEADER_ENTRY_BYTES = 84,
	HEADER_ENTRIES_CRC = 88,
	HEADER_SIZE_MAX = 512,
};

/* 5.3.3 "GPT Partition Entry Array" */
enum {
	ENTRY_TYPE_BYTES = 16, /* all zero: not in use */
	ENTRY_FIRST = 32,
	ENTRY_LAST = 40,
	ENTRY_BYTES_MIN = 128,
};

enum {
	MBR_BYTES = 512,
	MBR_RECORDS = 446,
	MBR_RECORD_BYTES = 16,
	MBR_RECORD_TYPE = 4,
	MBR_TYPE_PROTECTIVE = 0xee,
	MBR_SIGNATURE = 510,
};

bool gpt_is_announced(const uint8_t *block, size_t size)
{
	if (size < MBR_BYTES || get_u16(block + MBR_SIGNATURE) != 0xaa55)
		return false;
	for (uint32_t at = MBR_RECORDS; at < MBR_SIGNATURE; at += MBR_RECORD_BYTES)
		if (block[at + MBR_RECORD_TYPE] == MBR_TYPE_PROTECTIVE)
			return true;
	return false;
}

static bool is_checksum_right(const uint8_t *block, uint32_t size)
{
	uint8_t copy[HEADER_SIZE_MAX];

	memcpy(copy, block, size);
	memset(copy + HEADER_CRC, 0, 4); /* of itself it can't know */
	return crc32(copy, size) == get_u32(block + HEADER_CRC);
}

static bool is_plausible(const struct gpt_header *header, uint64_t nr_blocks)
{
	return header->entry_bytes >= ENTRY_BYTES_MIN &&
	       header->entry_bytes <= GPT_ENTRY_BYTES_MAX && header->entry_bytes % 8 == 0 &&
	       header->nr_entries > 0 &&
	       header->nr_entries <= GPT_ENTRIES_BYTES_MAX / header->entry_bytes &&
	       header->entries_block > 0 && header->entries_block < nr_blocks &&
	       header->first_usable <= header->last_usable && header->last_usable < nr_blocks;
}

int gpt_parse_header(const uint8_t *block, size_t size, uint64_t at, uint64_t nr_blocks,
		     struct gpt_header *out)
{
	struct gpt_header header;
	uint32_t header_size;

	if (size < HEADER_SIZE_MAX || memcmp(block, "EFI PART", 8) != 0)
		return -ENOENT;
	header_size = get_u32(block + HEADER_SIZE);
	if (header_size < GPT_HEADER_BYTES || header_size > HEADER_SIZE_MAX)
		return -EINVAL;
	if (!is_checksum_right(block, header_size))
		return -EBADMSG;
	header = (struct gpt_header){
		.entries_block = get_u64(block + HEADER_ENTRIES_BLOCK),
		.nr_entries = get_u32(block + HEADER_NR_ENTRIES),
		.entry_bytes = get_u32(block + HEADER_ENTRY_BYTES),
		.entries_crc = get_u32(block + HEADER_ENTRIES_CRC),
		.first_usable = get_u64(block + HEADER_FIRST_USABLE),
		.last_usable = get_u64(block + HEADER_LAST_USABLE),
	};
	if (get_u64(block + HEADER_MY_BLOCK) != at || !is_plausible(&header, nr_blocks))
		return -EINVAL;
	*out = header;
	return 0;
}

static bool is_used(const uint8_t *entry)
{
	for (uint32_t i = 0; i < ENTRY_TYPE_BYTES; i++)
		if (entry[i])
			return true;
	return false;
}

static bool overlaps(const struct gpt_partition *partitions, uint32_t count, uint64_t first,
		     uint64_t last)
{
	for (uint32_t i = 0; i < count; i++)
		if (first < partitions[i].first_block + partitions[i].nr_blocks &&
		    partitions[i].first_block <= last)
			return true;
	return false;
}

int gpt_parse_entries(const struct gpt_header *header, const uint8_t *entries,
		      struct gpt_partition partitions[GPT_PARTITIONS_MAX], uint32_t *count)
{
	uint32_t found = 0;

	if (crc32(entries, gpt_entries_bytes(header)) != header->entries_crc)
		return -EBADMSG;
	for (uint32_t i = 0; i < header->nr_entries && found < GPT_PARTITIONS_MAX; i++) {
		const uint8_t *entry = entries + (size_t)i * header->entry_bytes;
		uint64_t first = get_u64(entry + ENTRY_FIRST), last = get_u64(entry + ENTRY_LAST);

		if (!is_used(entry) || first < header->first_usable || last > header->last_usable ||
		    first > last || overlaps(partitions, found, first, last))
			continue;
		partitions[found++] = (struct gpt_partition){
			.number = i + 1,
			.first_block = first,
			.nr_blocks = last - first + 1,
		};
	}
	*count = found;
	return 0;
}
