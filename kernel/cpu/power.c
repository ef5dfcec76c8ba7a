/*
 * Off, and reset: see power.h.
 *
 * Source: ACPI 6.4, 4.8.3.2.1 "PM1 Control Registers", 4.8.3.6 "Reset Register", 4.8.3.7 "Sleep Control and Status
 * Registers", 16.1.7 "Transitioning from the Working to the Soft Off State".
 */
#include "kernel/acpi/acpi.h"
#include "kernel/arch/io.h"
#include "kernel/arch/regs.h"
#include "kernel/arch/segment.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/power.h"
#include "kernel/dev/print.h"

enum {
	PM1_SCI_ENABLE = 1 << 0,
	PM1_SLEEP_TYPE_SHIFT = 10,
	PM1_SLEEP_TYPE = 7 << PM1_SLEEP_TYPE_SHIFT,
	PM1_SLEEP_ENABLE = 1 << 13,
	SLEEP_CONTROL_TYPE_SHIFT = 2,
	SLEEP_CONTROL_ENABLE = 1 << 5,

	RESET_CONTROL = 0xcf9, /* ICH9, 13.7.5 "RST_CNT" */
	RESET_HARD = 0x02,
	RESET_NOW = 0x04,
	KEYBOARD_COMMAND = 0x64,
	KEYBOARD_PULSE_RESET = 0xfe,

	ENABLE_NS = 300000000, /* firmware may take its time over this */
	EFFECT_NS = 100000000,
};

static _Noreturn void stand_still(const char *what)
{
	print("%s: nothing that this machine has for it works. It stands still: switch it off by hand",
	      what);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Sleep states exist in ACPI mode only: the firmware's management mode makes the change. */
static void enter_acpi_mode(uint16_t control)
{
	uint64_t start = clock_ns();

	if (!acpi.fadt.smi_port || !acpi.fadt.acpi_enable || (in16(control) & PM1_SCI_ENABLE))
		return;
	out8((uint16_t)acpi.fadt.smi_port, acpi.fadt.acpi_enable);
	while (!(in16(control) & PM1_SCI_ENABLE) && clock_ns() - start < ENABLE_NS)
		cpu_relax();
}

static void sleep_by(const struct acpi_register *reg, uint8_t type)
{
	uint16_t port = (uint16_t)reg->address, value;

	if (reg->space != ACPI_PORT)
		return;
	value = (uint16_t)((in16(port) & ~PM1_SLEEP_TYPE) | type << PM1_SLEEP_TYPE_SHIFT);
	out16(port, value);
	out16(port, value | PM1_SLEEP_ENABLE);
}

void power_off(void)
{
	const struct fadt *fadt = &acpi.fadt;

	irq_disable();
	if (!acpi.has_fadt || !acpi.has_s5)
		stand_still("power off");
	if (fadt->is_hardware_reduced && fadt->sleep_control.space == ACPI_PORT) {
		out8((uint16_t)fadt->sleep_control.address,
		     (uint8_t)(acpi.s5.type_a << SLEEP_CONTROL_TYPE_SHIFT | SLEEP_CONTROL_ENABLE));
	} else if (fadt->pm1a_control.space == ACPI_PORT) {
		enter_acpi_mode((uint16_t)fadt->pm1a_control.address);
		sleep_by(&fadt->pm1a_control, acpi.s5.type_a);
		sleep_by(&fadt->pm1b_control, acpi.s5.type_b);
	}
	clock_wait(EFFECT_NS);
	stand_still("power off");
}

/* With no descriptor for any exception, the first one ends in a shutdown cycle, which resets the machine. */
static void fault_thrice(void)
{
	const struct table_pointer nothing = { .limit = 0, .base = 0 };

	__asm__ volatile("lidt %0; int3" : : "m"(nothing));
}

void power_reset(void)
{
	irq_disable();
	if (acpi.has_fadt && acpi.fadt.reset.space == ACPI_PORT) {
		out8((uint16_t)acpi.fadt.reset.address, acpi.fadt.reset_value);
		clock_wait(EFFECT_NS);
	}
	out8(RESET_CONTROL, RESET_HARD);
	out8(RESET_CONTROL, RESET_HARD | RESET_NOW);
	clock_wait(EFFECT_NS);
	out8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
	clock_wait(EFFECT_NS);
	fault_thrice();
	stand_still("reset");
}
