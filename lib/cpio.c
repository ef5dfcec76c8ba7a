/*
 * cpio archives: see cpio.h. (cpio(5), "New ASCII Format".)
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cpio.h"

/* The header is text: a magic, then fields of eight hexadecimal digits. */
enum {
	MAGIC_BYTES = 6,
	FIELD_BYTES = 8,
	HEADER_BYTES = MAGIC_BYTES + 13 * FIELD_BYTES,
	FIELD_MODE = 1,
	FIELD_MTIME = 5,
	FIELD_SIZE = 6,
	FIELD_NAME_SIZE = 11,
	ALIGNMENT = 4,
};

static bool read_field(const uint8_t *header, uint32_t field, uint32_t *out)
{
	const uint8_t *digits = header + MAGIC_BYTES + field * FIELD_BYTES;
	uint32_t value = 0;

	for (uint32_t i = 0; i < FIELD_BYTES; i++) {
		uint8_t c = digits[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	*out = value;
	return true;
}

static uint64_t skip_padding(const uint8_t *archive, uint64_t size, uint64_t at)
{
	while (at < size && !archive[at])
		at++;
	return at;
}

/* Returns 1, 0 for a trailer, -EINVAL. */
static int read_entry(const uint8_t *archive, uint64_t size, uint64_t *offset,
		      struct cpio_entry *out)
{
	const uint8_t *header = archive + *offset;
	uint32_t mode, mtime, data_size, name_size;
	uint64_t data_at, end;

	if (size - *offset < HEADER_BYTES || (memcmp(header, "070701", MAGIC_BYTES) != 0 &&
					      memcmp(header, "070702", MAGIC_BYTES) != 0))
		return -EINVAL;
	if (!read_field(header, FIELD_MODE, &mode) || !read_field(header, FIELD_MTIME, &mtime) ||
	    !read_field(header, FIELD_SIZE, &data_size) ||
	    !read_field(header, FIELD_NAME_SIZE, &name_size))
		return -EINVAL;
	data_at = align_up(*offset + HEADER_BYTES + name_size, ALIGNMENT);
	end = data_at + data_size;
	if (!name_size || end > size || header[HEADER_BYTES + name_size - 1])
		return -EINVAL;

	*out = (struct cpio_entry){
		.name = (const char *)header + HEADER_BYTES,
		.data = archive + data_at,
		.size_bytes = data_size,
		.mode = mode,
		.mtime_s = mtime,
	};
	*offset = min_u64(align_up(end, ALIGNMENT), size);
	return memcmp(out->name, "TRAILER!!!", min_u64(name_size, sizeof("TRAILER!!!"))) ? 1 : 0;
}

int cpio_next(const uint8_t *archive, uint64_t size, uint64_t *offset, struct cpio_entry *out)
{
	for (;;) {
		int got;

		*offset = skip_padding(archive, size, *offset);
		if (*offset >= size)
			return 0;
		got = read_entry(archive, size, offset, out);
		if (got)
			return got;
		/* Behind a trailer another archive may begin. */
	}
}
