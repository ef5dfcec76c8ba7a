/*
 * Archives as cpio makes them are walked; broken ones are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cpio.h"

struct archive {
	uint8_t bytes[4096];
	size_t size;
};

static void pad(struct archive *archive)
{
	while (archive->size % 4)
		archive->bytes[archive->size++] = 0;
}

static void add(struct archive *archive, const char *name, unsigned int mode, const char *data)
{
	unsigned int length = (unsigned int)strlen(data),
		     name_size = (unsigned int)strlen(name) + 1;
	char header[128];

	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u, mode, 0u, 0u, 1u,
		 77u, length, 0u, 0u, 0u, 0u, name_size, 0u);
	memcpy(archive->bytes + archive->size, header, 110);
	memcpy(archive->bytes + archive->size + 110, name, name_size);
	archive->size += 110 + name_size;
	pad(archive);
	memcpy(archive->bytes + archive->size, data, length);
	archive->size += length;
	pad(archive);
}

static void assert_next(const struct archive *archive, uint64_t *offset, const char *name,
			const char *data)
{
	struct cpio_entry entry;

	assert_int_equal(cpio_next(archive->bytes, archive->size, offset, &entry), 1);
	assert_string_equal(entry.name, name);
	assert_int_equal(entry.size_bytes, strlen(data));
	assert_memory_equal(entry.data, data, strlen(data));
	assert_int_equal(entry.mtime_s, 77);
}

static void entries_come_in_order(void **state)
{
	struct archive archive = { 0 };
	struct cpio_entry entry;
	uint64_t offset = 0;

	(void)state;
	add(&archive, "bin", 040755, "");
	add(&archive, "bin/init", 0100755, "#!/bin/sh\n");
	add(&archive, "TRAILER!!!", 0, "");
	assert_next(&archive, &offset, "bin", "");
	assert_next(&archive, &offset, "bin/init", "#!/bin/sh\n");
	assert_int_equal(cpio_next(archive.bytes, archive.size, &offset, &entry), 0);
}

static void an_archive_behind_a_trailer_is_read_too(void **state)
{
	struct archive archive = { 0 };
	struct cpio_entry entry;
	uint64_t offset = 0;

	(void)state;
	add(&archive, "a", 0100644, "1");
	add(&archive, "TRAILER!!!", 0, "");
	archive.size += 512;
	add(&archive, "b", 0100644, "22");
	assert_next(&archive, &offset, "a", "1");
	assert_next(&archive, &offset, "b", "22");
	assert_int_equal(cpio_next(archive.bytes, archive.size, &offset, &entry), 0);
}

static void a_truncated_archive_is_refused(void **state)
{
	struct archive archive = { 0 };
	struct cpio_entry entry;

	(void)state;
	add(&archive, "file", 0100644, "contents of some length");
	for (size_t size = 1; size < archive.size - 4; size++) {
		uint64_t offset = 0;

		assert_int_equal(cpio_next(archive.bytes, size, &offset, &entry), -EINVAL);
	}
}

static void what_is_no_archive_is_refused(void **state)
{
	static const uint8_t text[] =
		"this is not an archive, whatever somebody may have said about it: it is a "
		"text of more than a header's length";
	struct cpio_entry entry;
	uint64_t offset = 0;

	(void)state;
	assert_int_equal(cpio_next(text, sizeof(text), &offset, &entry), -EINVAL);
}

static void sizes_that_wrap_are_refused(void **state)
{
	struct archive archive = { 0 };
	struct cpio_entry entry;
	uint64_t offset = 0;

	(void)state;
	add(&archive, "file", 0100644, "x");
	memcpy(archive.bytes + 6 + 8 * 6, "ffffffff", 8);
	assert_int_equal(cpio_next(archive.bytes, archive.size, &offset, &entry), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_in_order),
		cmocka_unit_test(an_archive_behind_a_trailer_is_read_too),
		cmocka_unit_test(a_truncated_archive_is_refused),
		cmocka_unit_test(what_is_no_archive_is_refused),
		cmocka_unit_test(sizes_that_wrap_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
