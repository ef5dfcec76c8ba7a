/*
 * The way to ACPI's tables, and what all of them begin with: see tables.h.
 */
#include <string.h>

#include "kernel/acpi/tables.h"
#include "lib/bytes.h"

/* 5.2.5.3 "Root System Description Pointer (RSDP) Structure" */
enum {
	RSDP_REVISION = 15,
	RSDP_RSDT = 16,
	RSDP_LENGTH = 20,
	RSDP_XSDT = 24,
};

enum { SDT_LENGTH = 4 };

static bool sums_to_zero(const uint8_t *data, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + data[i]);
	return sum == 0;
}

static int parse_new(const uint8_t *data, size_t size, struct rsdp *out)
{
	uint32_t length;

	if (size < RSDP_BYTES)
		return -EINVAL;
	length = get_u32(data + RSDP_LENGTH);
	if (length < RSDP_BYTES || length > size)
		return -EINVAL;
	if (!sums_to_zero(data, length))
		return -EBADMSG;
	if (!get_u64(data + RSDP_XSDT))
		return -EINVAL;
	*out = (struct rsdp){ .root = get_u64(data + RSDP_XSDT), .is_xsdt = true };
	return 0;
}

int rsdp_parse(const void *data, size_t size, struct rsdp *out)
{
	const uint8_t *bytes = data;

	if (size < RSDP_OLD_BYTES)
		return -EINVAL;
	if (memcmp(bytes, "RSD PTR ", 8) != 0)
		return -ENOENT;
	if (!sums_to_zero(bytes, RSDP_OLD_BYTES))
		return -EBADMSG;
	/* A new one that is broken may still lead on as an old one. */
	if (bytes[RSDP_REVISION] >= 2 && !parse_new(bytes, size, out))
		return 0;
	if (!get_u32(bytes + RSDP_RSDT))
		return -EINVAL;
	*out = (struct rsdp){ .root = get_u32(bytes + RSDP_RSDT) };
	return 0;
}

int rsdp_search(const void *area, size_t size, struct rsdp *out)
{
	const uint8_t *bytes = area;

	for (size_t at = 0; at + RSDP_OLD_BYTES <= size; at += RSDP_ALIGNMENT)
		if (!rsdp_parse(bytes + at, size - at, out))
			return 0;
	return -ENOENT;
}

uint32_t sdt_size(const void *data)
{
	uint32_t size = get_u32((const uint8_t *)data + SDT_LENGTH);

	return size >= SDT_HEADER_BYTES && size <= SDT_BYTES_MAX ? size : 0;
}

int sdt_check(const void *data, size_t size, const char signature[4], struct acpi_table *out)
{
	uint32_t length;

	if (size < SDT_HEADER_BYTES)
		return -EINVAL;
	if (memcmp(data, signature, 4) != 0)
		return -ENOENT;
	length = sdt_size(data);
	if (!length || length > size)
		return -EINVAL;
	if (!sums_to_zero(data, length))
		return -EBADMSG;
	*out = (struct acpi_table){ .data = data, .size_bytes = length };
	return 0;
}

uint32_t sdt_root_count(const struct acpi_table *root, bool is_xsdt)
{
	return (root->size_bytes - SDT_HEADER_BYTES) / (is_xsdt ? 8 : 4);
}

uint64_t sdt_root_entry(const struct acpi_table *root, bool is_xsdt, uint32_t index)
{
	const uint8_t *entries = root->data + SDT_HEADER_BYTES;

	return is_xsdt ? get_u64(entries + 8 * (size_t)index)
		       : get_u32(entries + 4 * (size_t)index);
}
