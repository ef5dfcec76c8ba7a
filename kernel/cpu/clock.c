/*
 * Time by the time-stamp counter: see clock.h.
 */
#include "kernel/arch/io.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"

enum {
	PIT_HZ = 1193182,
	PIT_CHANNEL_2 = 0x42,
	PIT_COMMAND = 0x43,
	PIT_CHANNEL_2_ONE_SHOT = 0xb0, /* low and high byte, mode 0, binary */
	SYSTEM_B = 0x61,
	SYSTEM_B_GATE = 1 << 0,
	SYSTEM_B_SPEAKER = 1 << 1,
	SYSTEM_B_OUTPUT = 1 << 5,

	CALIBRATION_TICKS = PIT_HZ / 500, /* 2 ms */
	SHIFT = 32,
	NS_PER_S = 1000000000,
};

static uint64_t start_tsc;
static uint64_t tsc_hz;
static uint64_t ns_per_tick; /* times 2^SHIFT */
static uint64_t ticks_per_ns;
static uint64_t boot_time_s;

uint64_t clock_factor(uint64_t hz)
{
	return (hz / NS_PER_S << SHIFT) + (hz % NS_PER_S << SHIFT) / NS_PER_S;
}

uint64_t clock_scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)((unsigned __int128)value * factor >> SHIFT);
}

uint64_t clock_ns(void)
{
	return clock_scale(rdtsc() - start_tsc, ns_per_tick);
}

uint64_t clock_to_tsc(uint64_t ns)
{
	return start_tsc + clock_scale(ns, ticks_per_ns) + 1;
}

uint64_t clock_from_tsc(uint64_t tsc)
{
	return tsc > start_tsc ? clock_scale(tsc - start_tsc, ns_per_tick) : 0;
}

uint64_t clock_tsc_khz(void)
{
	return tsc_hz / 1000;
}

uint64_t clock_boot_time_s(void)
{
	return boot_time_s;
}

/* How far the counter gets while the PIT's channel 2 counts down. */
static uint64_t ticks_in_calibration(void)
{
	uint8_t system = (uint8_t)(in8(SYSTEM_B) & ~(SYSTEM_B_SPEAKER | SYSTEM_B_GATE));
	uint64_t start;

	out8(SYSTEM_B, system);
	out8(PIT_COMMAND, PIT_CHANNEL_2_ONE_SHOT);
	out8(PIT_CHANNEL_2, (uint8_t)CALIBRATION_TICKS);
	out8(PIT_CHANNEL_2, (uint8_t)(CALIBRATION_TICKS >> 8));
	out8(SYSTEM_B, system | SYSTEM_B_GATE);
	start = rdtsc();
	while (!(in8(SYSTEM_B) & SYSTEM_B_OUTPUT))
		cpu_relax();
	return rdtsc() - start;
}

void clock_init(void)
{
	uint64_t ticks = ticks_in_calibration();

	tsc_hz = ticks * PIT_HZ / CALIBRATION_TICKS;
	if (tsc_hz < 1000000)
		panic("the time-stamp counter stands still (%lu Hz)", tsc_hz);
	ns_per_tick = ((uint64_t)NS_PER_S << SHIFT) / tsc_hz;
	ticks_per_ns = clock_factor(tsc_hz);
	start_tsc = rdtsc();
	print("clock: time-stamp counter at %lu MHz%s", tsc_hz / 1000000,
	      cpu_features.has_invariant_tsc ? "" : " (not said to be invariant)");
}
