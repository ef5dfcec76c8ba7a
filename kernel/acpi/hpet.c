/*
 * Where the high-precision event timer is: see tables.h.
 */
#include "kernel/acpi/tables.h"
#include "lib/bytes.h"

enum { HPET_SPACE = 40, HPET_ADDRESS = 44, HPET_BYTES = 56, HPET_ALIGNMENT = 1024 };

int hpet_parse(const struct acpi_table *table, struct hpet *out)
{
	uint64_t address;

	if (table->size_bytes < HPET_BYTES || table->data[HPET_SPACE] != ACPI_MEMORY)
		return -EINVAL;
	address = get_u64(table->data + HPET_ADDRESS);
	if (!address || address % HPET_ALIGNMENT)
		return -EINVAL;
	out->address = address;
	return 0;
}
