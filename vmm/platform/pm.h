/*
 * ACPI fixed hardware: the PM1a event and control blocks, the PM timer and the GPE0 block.
 *
 *   - ACPI mode is always on: SCI_EN reads 1, and there is no SMI command port.
 *   - The SCI is level-triggered and shared by all events.
 *   - Sleep type PM_SLEEP_S5 wishes the machine off; others are not offered and do nothing.
 *   - The timer has PM_TIMER_BITS bits: the FADT must set TMR_VAL_EXT.
 *
 * Context: the holder of vm->lock, except the timer's callback, which takes it.
 * Source: ACPI 6.4, 4.8 "ACPI Register Model".
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq_line.h"
#include "vmm/power.h"
#include "vmm/vtimer.h"

/* One region of I/O ports, with the blocks at these offsets; what lies between reads 0. */
enum {
	PM_PORT = 0x600,
	PM_PORTS = 0x28,

	PM_EVENT_OFFSET = 0x00,	  /* 4 bytes: status, enable */
	PM_CONTROL_OFFSET = 0x04, /* 2 bytes */
	PM_TIMER_OFFSET = 0x08,	  /* 4 bytes */
	PM_GPE_OFFSET = 0x20,	  /* PM_GPE_BYTES: status, then enable */
	PM_GPE_BYTES = 8,
	PM_GPES = PM_GPE_BYTES / 2 * 8,

	PM_SCI_GSI = 9,
	PM_SLEEP_S5 = 5, /* SLP_TYP, as the DSDT's \_S5 says it */
	PM_TIMER_HZ = 3579545,
	PM_TIMER_BITS = 32,
};

struct pm_state {
	uint64_t timer_carry_tick;	  /* when the timer's highest bit next changes unnoticed */
	uint32_t gpe_status, gpe_enable;  /* a bit per event */
	uint16_t status, enable, control; /* PM1 */
	uint16_t reserved;
};

struct pm {
	struct pm_state state; /* guest-visible: all that is saved */
	struct irq_line sci;
	struct power_sink power;
	struct vtimer timer;
	const struct vmclock *clock; /* borrowed */
	pthread_mutex_t *lock;	     /* borrowed: vm->lock */
};

extern const struct bus_ops pm_ops; /* PM_PORT, PM_PORTS */

/*
 * @loop, @clock and @lock are borrowed until pm_destroy(); @sci and @power are copied.
 * Returns 0 or -errno (no descriptor for the timer).
 */
MUST_CHECK int pm_create(struct pm *pm, struct loop *loop, const struct vmclock *clock,
			 pthread_mutex_t *lock, const struct irq_line *sci,
			 const struct power_sink *power);
void pm_destroy(struct pm *pm);

/* Power-on state: no event pending or enabled. The timer runs on. */
void pm_reset(struct pm *pm);

/* After ->state was loaded or the clock thawed: arms the timer and drives the SCI. */
void pm_resume(struct pm *pm);

/* Somebody presses the power button: the guest hears of it if it has enabled the event. */
void pm_power_button(struct pm *pm);

/* General-purpose event @n happens. One that doesn't exist is ignored. */
void pm_gpe_raise(struct pm *pm, uint32_t n);
