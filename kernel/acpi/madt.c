/*
 * Which processors and interrupt controllers there are: see tables.h.
 */
#include "kernel/acpi/tables.h"
#include "lib/bytes.h"

enum madt_entry {
	ENTRY_LAPIC = 0,
	ENTRY_IOAPIC = 1,
	ENTRY_OVERRIDE = 2,
	ENTRY_X2APIC = 9,
};

enum {
	ENTRIES = 44,
	CPU_ENABLED = 1 << 0,
	APIC_ID_NOBODY = 0xff, /* of a LAPIC entry */
};

static bool has_cpu(const struct madt *madt, uint32_t apic_id)
{
	for (uint32_t i = 0; i < madt->nr_cpus; i++)
		if (madt->apic_ids[i] == apic_id)
			return true;
	return false;
}

static void add_cpu(struct madt *madt, uint32_t apic_id, uint32_t flags)
{
	if (!(flags & CPU_ENABLED) || has_cpu(madt, apic_id))
		return;
	if (madt->nr_cpus == ACPI_CPUS_MAX)
		madt->nr_cpus_left_out++;
	else
		madt->apic_ids[madt->nr_cpus++] = apic_id;
}

static void add_ioapic(struct madt *madt, const uint8_t *entry)
{
	if (madt->nr_ioapics < ACPI_IOAPICS_MAX)
		madt->ioapics[madt->nr_ioapics++] = (struct madt_ioapic){
			.id = entry[2],
			.address = get_u32(entry + 4),
			.gsi_base = get_u32(entry + 8),
		};
}

static void add_override(struct madt *madt, const uint8_t *entry)
{
	if (madt->nr_overrides < ACPI_OVERRIDES_MAX)
		madt->overrides[madt->nr_overrides++] = (struct madt_override){
			.irq = entry[3],
			.gsi = get_u32(entry + 4),
			.flags = get_u16(entry + 8),
		};
}

/* @size: what the entry says and the table has. A known kind that is too short is passed over. */
static void add_entry(struct madt *madt, const uint8_t *entry, uint8_t size)
{
	switch (entry[0]) {
	case ENTRY_LAPIC:
		if (size >= 8 && entry[3] != APIC_ID_NOBODY)
			add_cpu(madt, entry[3], get_u32(entry + 4));
		break;
	case ENTRY_IOAPIC:
		if (size >= 12)
			add_ioapic(madt, entry);
		break;
	case ENTRY_OVERRIDE:
		if (size >= 10)
			add_override(madt, entry);
		break;
	case ENTRY_X2APIC:
		if (size >= 16 && get_u32(entry + 4) != UINT32_MAX)
			add_cpu(madt, get_u32(entry + 4), get_u32(entry + 8));
		break;
	}
}

int madt_parse(const struct acpi_table *table, struct madt *out)
{
	uint32_t at = ENTRIES;

	if (table->size_bytes < ENTRIES)
		return -EINVAL;
	*out = (struct madt){ 0 };
	while (table->size_bytes - at >= 2) {
		const uint8_t *entry = table->data + at;
		uint8_t size = entry[1];

		if (size < 2 || size > table->size_bytes - at)
			break; /* what came before is still good */
		add_entry(out, entry, size);
		at += size;
	}
	return 0;
}
