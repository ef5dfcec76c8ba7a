/*
 * HPET, PM timer and PIT (8254 datasheet, channel 2), as counters: see reference.h.
 */
#include "kernel/acpi/acpi.h"
#include "kernel/arch/io.h"
#include "kernel/cpu/reference.h"
#include "kernel/mem/kspace.h"

enum {
	HPET_BYTES = 1024,
	HPET_CAPABILITIES = 0x00, /* offsets */
	HPET_CONFIGURATION = 0x10,
	HPET_COUNTER = 0xf0,
	HPET_ENABLE = 1 << 0,
	HPET_PERIOD_FS_MAX = 100000000,

	PIT_CHANNEL_2 = 0x42,
	PIT_COMMAND = 0x43,
	PIT_CHANNEL_2_RATE = 0xb4, /* low and high byte, mode 2, binary */
	PIT_CHANNEL_2_LATCH = 0x80,
	SYSTEM_B = 0x61,
	SYSTEM_B_GATE = 1 << 0,
	SYSTEM_B_SPEAKER = 1 << 1,
};

#define PM_TIMER_PERIOD_FS UINT64_C(279365115) /* 3.579545 MHz */
#define PIT_PERIOD_FS	   UINT64_C(838095345) /* 1.193182 MHz */

static volatile uint8_t *hpet;

/* The low half is enough: it wraps after minutes. */
static uint64_t read_hpet(void)
{
	return *(volatile uint32_t *)(hpet + HPET_COUNTER);
}

static uint64_t read_pm_timer(void)
{
	return in32((uint16_t)acpi.fadt.pm_timer.address);
}

/* It counts down, from 65536 again and again. */
static uint64_t read_pit(void)
{
	uint8_t low;

	out8(PIT_COMMAND, PIT_CHANNEL_2_LATCH);
	low = in8(PIT_CHANNEL_2);
	return -(uint64_t)(low | in8(PIT_CHANNEL_2) << 8);
}

static struct reference hpet_reference = { .name = "HPET", .mask = UINT32_MAX, .read = read_hpet };
static const struct reference pm_timer_reference = {
	.name = "PM timer",
	.period_fs = PM_TIMER_PERIOD_FS,
	.mask = 0xffffff,
	.read = read_pm_timer,
};
static const struct reference pit_reference = {
	.name = "PIT",
	.period_fs = PIT_PERIOD_FS,
	.mask = 0xffff,
	.read = read_pit,
};

static bool start_hpet(void)
{
	volatile uint64_t *configuration;
	uint64_t capabilities;

	if (!acpi.hpet.address)
		return false;
	hpet = kspace_map(hpa(acpi.hpet.address), HPET_BYTES, PTE_WRITE | PTE_PCD | PTE_PWT);
	if (!hpet)
		return false;
	capabilities = *(volatile uint64_t *)(hpet + HPET_CAPABILITIES);
	hpet_reference.period_fs = capabilities >> 32;
	if (!hpet_reference.period_fs || hpet_reference.period_fs > HPET_PERIOD_FS_MAX)
		return false;
	configuration = (volatile uint64_t *)(hpet + HPET_CONFIGURATION);
	*configuration |= HPET_ENABLE;
	return true;
}

static void start_pit(void)
{
	out8(SYSTEM_B, (uint8_t)((in8(SYSTEM_B) & ~SYSTEM_B_SPEAKER) | SYSTEM_B_GATE));
	out8(PIT_COMMAND, PIT_CHANNEL_2_RATE);
	out8(PIT_CHANNEL_2, 0);
	out8(PIT_CHANNEL_2, 0);
}

/* Does it count at all? Some ticks pass during this many reads, however quick they are. */
static bool is_counting(const struct reference *reference)
{
	uint64_t first = reference->read() & reference->mask;

	for (int i = 0; i < 10000; i++)
		if ((reference->read() & reference->mask) != first)
			return true;
	return false;
}

const struct reference *reference_find(void)
{
	if (start_hpet() && is_counting(&hpet_reference))
		return &hpet_reference;
	if (acpi.has_fadt && acpi.fadt.pm_timer.space == ACPI_PORT &&
	    is_counting(&pm_timer_reference))
		return &pm_timer_reference;
	start_pit();
	return is_counting(&pit_reference) ? &pit_reference : NULL;
}
