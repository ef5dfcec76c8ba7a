/*
 * How to say "off" to this machine: see tables.h.
 */
#include <string.h>

#include "kernel/acpi/tables.h"

enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
	NAME_BYTES = 4,
	SLEEP_TYPE_MAX = 7, /* three bits in the register */
};

/* Reads [at, end) from the front; at is NULL once something wasn't there. */
struct reader {
	const uint8_t *at, *end;
};

static uint8_t take(struct reader *reader)
{
	if (!reader->at || reader->at == reader->end) {
		reader->at = NULL;
		return 0;
	}
	return *reader->at++;
}

/* A package's length: up to four bytes, the first says how many follow (20.2.4). The length itself isn't needed. */
static void skip_package_length(struct reader *reader)
{
	for (uint32_t follow = take(reader) >> 6; follow; follow--)
		(void)take(reader);
}

static uint8_t take_constant(struct reader *reader)
{
	uint8_t op = take(reader), value = op;

	if (op == AML_BYTE)
		value = take(reader);
	else if (op != AML_ZERO && op != AML_ONE)
		reader->at = NULL;
	if (value > SLEEP_TYPE_MAX)
		reader->at = NULL;
	return value;
}

/* @reader stands behind the name. */
static bool read_package(struct reader reader, struct s5 *out)
{
	struct s5 found;

	if (take(&reader) != AML_PACKAGE)
		return false;
	skip_package_length(&reader);
	if (take(&reader) < 2)
		return false;
	found.type_a = take_constant(&reader);
	found.type_b = take_constant(&reader);
	if (!reader.at)
		return false;
	*out = found;
	return true;
}

static bool is_declared(const uint8_t *start, const uint8_t *name)
{
	if (name > start && name[-1] == AML_ROOT)
		name--;
	return name > start && name[-1] == AML_NAME;
}

int s5_find(const struct acpi_table *dsdt, struct s5 *out)
{
	const uint8_t *start = dsdt->data + SDT_HEADER_BYTES, *end = dsdt->data + dsdt->size_bytes;

	for (const uint8_t *at = start; end - at >= NAME_BYTES; at++) {
		const struct reader behind = { .at = at + NAME_BYTES, .end = end };

		if (!memcmp(at, "_S5_", NAME_BYTES) && is_declared(start, at) &&
		    read_package(behind, out))
			return 0;
	}
	return -ENOENT;
}
