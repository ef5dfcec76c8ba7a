/*
 * Partition tables, any bytes: a header's block, then entries. Checksums are put right in half of the runs, or hardly anything
 * would get past them. What must hold: partitions are inside the usable blocks, and don't overlap.
 */
#include <string.h>

#include "kernel/block/gpt.h"
#include "lib/crc32.h"
#include "tests/support/fuzz_script.h"

enum { BLOCK = 512, DISK_BLOCKS = 1 << 20 };

static uint32_t word_at(const uint8_t *block, size_t at)
{
	uint32_t word;

	memcpy(&word, block + at, 4);
	return word;
}

static void set_word(uint8_t *block, size_t at, uint32_t word)
{
	memcpy(block + at, &word, 4);
}

static void fix_checksums(uint8_t *block, const uint8_t *entries, size_t size)
{
	uint64_t entries_bytes = (uint64_t)word_at(block, 80) * word_at(block, 84);
	uint32_t header_bytes = word_at(block, 12);

	if (entries_bytes <= size)
		set_word(block, 88, crc32(entries, entries_bytes));
	set_word(block, 16, 0);
	if (header_bytes <= BLOCK)
		set_word(block, 16, crc32(block, header_bytes));
}

static void check(const struct gpt_header *header, const struct gpt_partition *partitions,
		  uint32_t count)
{
	fuzz_claim(count <= GPT_PARTITIONS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t end = partitions[i].first_block + partitions[i].nr_blocks;

		fuzz_claim(partitions[i].first_block >= header->first_usable);
		fuzz_claim(end > partitions[i].first_block && end - 1 <= header->last_usable);
		for (uint32_t j = 0; j < i; j++)
			fuzz_claim(end <= partitions[j].first_block ||
				   partitions[i].first_block >=
					   partitions[j].first_block + partitions[j].nr_blocks);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct gpt_partition partitions[GPT_PARTITIONS_MAX];
	struct gpt_header header;
	uint8_t block[BLOCK], *entries;
	uint32_t count = 0;

	(void)gpt_is_announced(bytes, size);
	if (size < 1 + BLOCK)
		return 0;
	size -= 1 + BLOCK;
	memcpy(block, bytes + 1, BLOCK);
	entries = malloc(size);
	memcpy(entries, bytes + 1 + BLOCK, size);
	if (bytes[0] & 1)
		fix_checksums(block, entries, size);
	if (!gpt_parse_header(block, BLOCK, GPT_PRIMARY_BLOCK, DISK_BLOCKS, &header)) {
		fuzz_claim(gpt_entries_bytes(&header) <= GPT_ENTRIES_BYTES_MAX);
		if (gpt_entries_bytes(&header) <= size &&
		    !gpt_parse_entries(&header, entries, partitions, &count))
			check(&header, partitions, count);
	}
	free(entries);
	return 0;
}
