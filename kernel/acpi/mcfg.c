/*
 * Where PCI Express's configuration space is: see tables.h.
 */
#include "kernel/acpi/tables.h"
#include "lib/bytes.h"

enum { ENTRIES = 44, ENTRY_BYTES = 16 };

int mcfg_parse(const struct acpi_table *table, struct mcfg *out)
{
	if (table->size_bytes < ENTRIES)
		return -EINVAL;
	*out = (struct mcfg){ 0 };
	for (uint32_t at = ENTRIES; table->size_bytes - at >= ENTRY_BYTES; at += ENTRY_BYTES) {
		const uint8_t *entry = table->data + at;
		const struct mcfg_segment segment = {
			.base = get_u64(entry),
			.segment = get_u16(entry + 8),
			.first_bus = entry[10],
			.last_bus = entry[11],
		};

		if (segment.first_bus > segment.last_bus || segment.base % (UINT64_C(1) << 20) ||
		    range_wraps(segment.base, UINT64_C(256) << 20))
			continue;
		if (out->nr_segments == ACPI_SEGMENTS_MAX)
			break;
		out->segments[out->nr_segments++] = segment;
	}
	return 0;
}
