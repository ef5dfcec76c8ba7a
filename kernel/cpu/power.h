/*
 * The machine's end: off, or from the beginning. By the registers that ACPI's tables name, else by what every PC has.
 */
#pragma once

/* Never return: where nothing works, the machine stands still and says so. Any context; the caller has stopped the rest. */
_Noreturn void power_off(void);
_Noreturn void power_reset(void);
