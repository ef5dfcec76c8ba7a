/*
 * Time by the time-stamp counter: see clock.h.
 */
#include "kernel/acpi/acpi.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/reference.h"
#include "kernel/dev/cmos.h"
#include "kernel/dev/print.h"

enum {
	MEASUREMENTS = 3,
	BRACKETS = 5,
	WINDOW_NS = 2000000,
	WINDOW_TICKS = 10000, /* of a reference that is coarse */
	DEVIATION_MAX = 2000, /* two windows agree to one part in this many */
	FS_PER_NS = 1000000,
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

void clock_wait(uint64_t ns)
{
	uint64_t start = clock_ns();

	while (clock_ns() - start < ns)
		cpu_relax();
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

/* Both clocks at one moment. */
struct moment {
	uint64_t tsc, reference;
};

/* What comes between the reads makes them lie apart: of some pairs, the closest. */
static struct moment look(const struct reference *reference)
{
	struct moment best = { 0 };
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < BRACKETS; i++) {
		uint64_t before = rdtsc(), at = reference->read() & reference->mask,
			 after = rdtsc();

		if (after - before >= shortest)
			continue;
		shortest = after - before;
		best = (struct moment){ .tsc = before + shortest / 2, .reference = at };
	}
	return best;
}

/* The counter's rate over one window of the reference's. 0: something held us up for so long that the sums overflow. */
static uint64_t hz_in_window(const struct reference *reference)
{
	struct moment start = look(reference), end;
	uint64_t ticks, ns;

	do {
		end = look(reference);
		ticks = (end.reference - start.reference) & reference->mask;
		ns = ticks * reference->period_fs / FS_PER_NS;
	} while (ns < WINDOW_NS || ticks < WINDOW_TICKS);
	return ns < NS_PER_S ? (end.tsc - start.tsc) * NS_PER_S / ns : 0;
}

static bool agree(uint64_t a, uint64_t b)
{
	uint64_t difference = a > b ? a - b : b - a;

	return difference <= a / DEVIATION_MAX;
}

/* A counter that is steady shows the same rate twice in a row. */
static uint64_t measure_by(const struct reference *reference)
{
	uint64_t hz = hz_in_window(reference), again = 0;

	for (int i = 0; i < MEASUREMENTS; i++) {
		again = hz_in_window(reference);
		if (agree(hz, again))
			return again;
		hz = again;
	}
	print_warn(
		"clock: the time-stamp counter isn't steady beside the %s (now %lu Hz): time will drift",
		reference->name, again);
	return again;
}

void clock_init(void)
{
	const struct reference *reference = reference_find();

	if (!reference)
		panic("none of HPET, PM timer and PIT counts: there is no time");
	tsc_hz = measure_by(reference);
	if (tsc_hz < 1000000)
		panic("the time-stamp counter stands still (%lu Hz)", tsc_hz);
	ns_per_tick = ((uint64_t)NS_PER_S << SHIFT) / tsc_hz;
	ticks_per_ns = clock_factor(tsc_hz);
	boot_time_s = cmos_read_s(acpi.has_fadt ? acpi.fadt.century_register : 0);
	start_tsc = rdtsc();
	print("clock: time-stamp counter at %lu MHz by the %s%s; %lu s since 1970",
	      tsc_hz / 1000000, reference->name,
	      cpu_features.has_invariant_tsc ? "" : " (not said to be invariant)", boot_time_s);
}
