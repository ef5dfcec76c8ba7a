/*
 * Registers for power, reset and time: see tables.h.
 */
#include "kernel/acpi/tables.h"
#include "lib/bytes.h"

/* Table 5.9, "FADT Format": offsets. The table grew with every revision; what isn't there is not offered. */
enum {
	FADT_DSDT = 40,
	FADT_SMI_COMMAND = 48,
	FADT_ACPI_ENABLE = 52,
	FADT_PM1A_CONTROL = 64,
	FADT_PM1B_CONTROL = 68,
	FADT_PM_TIMER = 76,
	FADT_PM_TIMER_BYTES = 91,
	FADT_CENTURY = 108,
	FADT_FLAGS = 112,
	FADT_RESET = 116,
	FADT_RESET_VALUE = 128,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CONTROL = 172,
	FADT_X_PM1B_CONTROL = 184,
	FADT_X_PM_TIMER = 208,
	FADT_SLEEP_CONTROL = 244,

	FADT_1_BYTES = 116,
	REGISTER_BYTES = 12, /* "Generic Address Structure", 5.2.3.2 */

	FLAG_WIDE_PM_TIMER = 1 << 8,
	FLAG_RESET = 1 << 10,
	FLAG_HARDWARE_REDUCED = 1 << 20,
};

static struct acpi_register get_register(const struct acpi_table *table, uint32_t offset)
{
	struct acpi_register found = { .space = ACPI_NOWHERE };
	uint8_t space;

	if (table->size_bytes < offset + REGISTER_BYTES)
		return found;
	space = table->data[offset];
	found.address = get_u64(table->data + offset + 4);
	if (found.address && space == ACPI_MEMORY)
		found.space = ACPI_MEMORY;
	if (found.address && found.address <= UINT16_MAX && space == ACPI_PORT)
		found.space = ACPI_PORT;
	return found;
}

/* The 64-bit form where it is filled in, else the port of the first revision. */
static struct acpi_register get_either(const struct acpi_table *table, uint32_t wide,
				       uint32_t narrow)
{
	struct acpi_register found = get_register(table, wide);
	uint32_t port = get_u32(table->data + narrow);

	if (found.space != ACPI_NOWHERE || !port || port > UINT16_MAX)
		return found;
	return (struct acpi_register){ .space = ACPI_PORT, .address = port };
}

static uint64_t get_dsdt(const struct acpi_table *table)
{
	uint64_t wide = table->size_bytes >= FADT_X_DSDT + 8 ? get_u64(table->data + FADT_X_DSDT)
							     : 0;

	return wide ? wide : get_u32(table->data + FADT_DSDT);
}

int fadt_parse(const struct acpi_table *table, struct fadt *out)
{
	const uint8_t *data = table->data;
	uint32_t flags, smi_port;

	if (table->size_bytes < FADT_1_BYTES)
		return -EINVAL;
	flags = get_u32(data + FADT_FLAGS);
	smi_port = get_u32(data + FADT_SMI_COMMAND);
	*out = (struct fadt){
		.dsdt = get_dsdt(table),
		.smi_port = smi_port <= UINT16_MAX ? smi_port : 0,
		.acpi_enable = data[FADT_ACPI_ENABLE],
		.pm1a_control = get_either(table, FADT_X_PM1A_CONTROL, FADT_PM1A_CONTROL),
		.pm1b_control = get_either(table, FADT_X_PM1B_CONTROL, FADT_PM1B_CONTROL),
		.pm_timer = { .space = ACPI_NOWHERE },
		.reset = { .space = ACPI_NOWHERE },
		.sleep_control = get_register(table, FADT_SLEEP_CONTROL),
		.century_register = data[FADT_CENTURY],
		.has_wide_pm_timer = flags & FLAG_WIDE_PM_TIMER,
		.is_hardware_reduced = flags & FLAG_HARDWARE_REDUCED,
	};
	if (data[FADT_PM_TIMER_BYTES] == 4)
		out->pm_timer = get_either(table, FADT_X_PM_TIMER, FADT_PM_TIMER);
	if ((flags & FLAG_RESET) && table->size_bytes > FADT_RESET_VALUE) {
		out->reset = get_register(table, FADT_RESET);
		out->reset_value = data[FADT_RESET_VALUE];
	}
	return 0;
}
