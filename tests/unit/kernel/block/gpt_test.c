/*
 * Partition tables: a good one, and what may be wrong with it.
 */
#include <errno.h>
#include <string.h>

#include "kernel/block/gpt.h"
#include "lib/crc32.h"
#include "tests/support/cmocka.h"

enum { BLOCK = 512, ENTRIES = 128, ENTRY = 128, DISK_BLOCKS = 10000, LAST = DISK_BLOCKS - 34 };

static uint8_t block[BLOCK], entries[ENTRIES * ENTRY];
static struct gpt_partition found[GPT_PARTITIONS_MAX];

static void put(uint8_t *at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void put_entry(uint32_t index, uint64_t first, uint64_t last)
{
	uint8_t *entry = entries + index * ENTRY;

	entry[0] = 1;
	put(entry + 32, first, 8);
	put(entry + 40, last, 8);
}

static void seal(void)
{
	put(block + 88, crc32(entries, sizeof(entries)), 4);
	put(block + 16, 0, 4);
	put(block + 16, crc32(block, GPT_HEADER_BYTES), 4);
}

static int prepare(void **state UNUSED)
{
	memset(block, 0, sizeof(block));
	memset(entries, 0, sizeof(entries));
	memcpy(block, "EFI PART", 8);
	put(block + 12, GPT_HEADER_BYTES, 4);
	put(block + 24, 1, 8);
	put(block + 40, 34, 8);
	put(block + 48, LAST, 8);
	put(block + 72, 2, 8);
	put(block + 80, ENTRIES, 4);
	put(block + 84, ENTRY, 4);
	put_entry(0, 2048, 4095);
	put_entry(4, 4096, LAST);
	seal();
	return 0;
}

static int parse(uint32_t *count)
{
	struct gpt_header header;
	int err = gpt_parse_header(block, sizeof(block), 1, DISK_BLOCKS, &header);

	return err ? err : gpt_parse_entries(&header, entries, found, count);
}

static void partitions_keep_their_numbers(void **state UNUSED)
{
	uint32_t count;

	assert_int_equal(parse(&count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(found[0].number, 1);
	assert_int_equal(found[0].first_block, 2048);
	assert_int_equal(found[0].nr_blocks, 2048);
	assert_int_equal(found[1].number, 5);
	assert_int_equal(found[1].nr_blocks, LAST - 4096 + 1);
}

static void a_changed_header_is_noticed(void **state UNUSED)
{
	uint32_t count;

	block[41]++;
	assert_int_equal(parse(&count), -EBADMSG);
}

static void a_changed_entry_is_noticed(void **state UNUSED)
{
	uint32_t count;

	entries[33]++;
	assert_int_equal(parse(&count), -EBADMSG);
}

static void a_header_from_elsewhere_is_refused(void **state UNUSED)
{
	uint32_t count;

	put(block + 24, 7, 8);
	seal();
	assert_int_equal(parse(&count), -EINVAL);
}

static void impossible_sizes_are_refused(void **state UNUSED)
{
	uint32_t count;

	put(block + 80, 1u << 30, 4);
	seal();
	assert_int_equal(parse(&count), -EINVAL);
	prepare(NULL);
	put(block + 84, 64, 4);
	seal();
	assert_int_equal(parse(&count), -EINVAL);
	prepare(NULL);
	put(block + 48, DISK_BLOCKS, 8);
	seal();
	assert_int_equal(parse(&count), -EINVAL);
}

static void entries_outside_or_overlapping_are_left_out(void **state UNUSED)
{
	uint32_t count;

	put_entry(1, 10, 100);		/* in the table itself */
	put_entry(2, 4000, 4200);	/* over the first and the fifth */
	put_entry(3, 3000, 2999);	/* ends before it begins */
	put_entry(6, 5000, UINT64_MAX); /* beyond the end */
	seal();
	assert_int_equal(parse(&count), 0);
	/* Of two that overlap, the one that comes first in the table stands. */
	assert_int_equal(count, 2);
	assert_int_equal(found[0].number, 1);
	assert_int_equal(found[1].number, 5);
}

static void a_disk_says_that_it_has_a_table(void **state UNUSED)
{
	uint8_t mbr[512] = { 0 };

	assert_false(gpt_is_announced(mbr, sizeof(mbr)));
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
	assert_false(gpt_is_announced(mbr, sizeof(mbr)));
	mbr[446 + 16 + 4] = 0xee;
	assert_true(gpt_is_announced(mbr, sizeof(mbr)));
	assert_false(gpt_is_announced(mbr, 511));
}

static void the_checksum_is_the_known_one(void **state UNUSED)
{
	assert_int_equal(crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(crc32("", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(partitions_keep_their_numbers, prepare),
		cmocka_unit_test_setup(a_changed_header_is_noticed, prepare),
		cmocka_unit_test_setup(a_changed_entry_is_noticed, prepare),
		cmocka_unit_test_setup(a_header_from_elsewhere_is_refused, prepare),
		cmocka_unit_test_setup(impossible_sizes_are_refused, prepare),
		cmocka_unit_test_setup(entries_outside_or_overlapping_are_left_out, prepare),
		cmocka_unit_test(a_disk_says_that_it_has_a_table),
		cmocka_unit_test(the_checksum_is_the_known_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
