/*
 * The local APIC's timer: one-shot, periodic, TSC-deadline; and the PIT beside it.
 *
 * Times are compared with the TSC, and generously: nothing may come early, everything must come.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/trap.h"

enum { VECTOR_TIMER = 0x60, TICKS_SHORT = 100000, TICKS_LONG = 1000000000 };

static volatile uint32_t count;
static volatile uint64_t first_at;

static void tick(struct frame *frame __attribute__((unused)))
{
	if (!count++)
		first_at = rdtsc();
	apic_eoi();
}

static void arm(uint32_t lvt, uint32_t ticks)
{
	count = 0;
	trap_handle(VECTOR_TIMER, tick);
	apic_write(APIC_LVT_TIMER, lvt | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, ticks);
}

static bool wait_count(uint32_t wanted)
{
	bool came;

	sti();
	came = WAIT(count >= wanted);
	cli();
	return came;
}

static void one_shot_comes_once(void)
{
	arm(LVT_ONE_SHOT, TICKS_SHORT);
	EXPECT_TRUE(wait_count(1));
	EXPECT(apic_read(APIC_TIMER_CURRENT), 0);
	EXPECT(apic_read(APIC_TIMER_INITIAL), TICKS_SHORT);
	sti();
	spin_ms(3);
	cli();
	EXPECT(count, 1);
}

static void it_wakes_from_hlt(void)
{
	arm(LVT_ONE_SHOT, TICKS_SHORT);
	halt();
	EXPECT(count, 1);
}

/* ---- short ones, which may be over before HLT begins: with the PIT to get out when nothing else wakes the processor ---- */

enum { VECTOR_PIT = 0x30, RESCUES = 10 /* of 55 ms */ };

static volatile uint32_t rescues;

static void rescue(struct frame *frame __attribute__((unused)))
{
	rescues++; /* the PIC ends this itself */
}

static void start_rescues(void)
{
	trap_handle(VECTOR_PIT, rescue);
	outb(0x20, 0x11); /* ICW1 to 4: vectors, automatic EOI */
	outb(0x21, VECTOR_PIT);
	outb(0x21, 4);
	outb(0x21, 3);
	outb(0x21, 0xfe);
	outb(0x43, 0x34); /* channel 0, mode 2, the longest period */
	outb(0x40, 0);
	outb(0x40, 0);
	apic_write(APIC_LVT_LINT0, 0x700);
}

static void stop_rescues(void)
{
	outb(0x21, 0xff);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
}

/* Sleeps until the tick has come, which must not be between STI and HLT. */
static void halt_for_tick(void)
{
	rescues = 0;
	halts_broken = 0;
	do
		halt();
	while (!count && rescues < RESCUES);
	EXPECT(count, 1);
	EXPECT(halts_broken, 0);
}

static void a_very_short_one_wakes_from_hlt(void)
{
	start_rescues();
	for (uint32_t i = 0; i < 50; i++) {
		arm(LVT_ONE_SHOT, 1 + 7 * i);
		halt_for_tick();
	}
	stop_rescues();
}

static void periodic_comes_again_and_again(void)
{
	arm(LVT_PERIODIC, TICKS_SHORT * 10);
	EXPECT_TRUE(wait_count(5));
	EXPECT(apic_read(APIC_TIMER_INITIAL), TICKS_SHORT * 10);
	EXPECT_TRUE(apic_read(APIC_TIMER_CURRENT) <= TICKS_SHORT * 10);
}

static void zero_stops_it(void)
{
	arm(LVT_PERIODIC, TICKS_SHORT * 10);
	EXPECT_TRUE(wait_count(1));
	apic_write(APIC_TIMER_INITIAL, 0);
	take_interrupts();
	count = 0;
	sti();
	spin_ms(5);
	cli();
	EXPECT(count, 0);
	EXPECT(apic_read(APIC_TIMER_CURRENT), 0);
}

static void the_count_goes_down(void)
{
	uint32_t first, second;

	arm(LVT_ONE_SHOT | LVT_MASKED, TICKS_LONG);
	first = apic_read(APIC_TIMER_CURRENT);
	spin_ms(1);
	second = apic_read(APIC_TIMER_CURRENT);
	EXPECT_TRUE(first <= TICKS_LONG && second < first && second > 0);
}

/* Ticks in a millisecond, unless the guest was held up while that was measured: then 0. */
static uint64_t ticks_per_ms(uint32_t divide)
{
	uint64_t start[2], end[2];
	uint32_t before, after;

	apic_write(APIC_TIMER_DIVIDE, divide);
	arm(LVT_ONE_SHOT | LVT_MASKED, UINT32_MAX);
	start[0] = rdtsc();
	before = apic_read(APIC_TIMER_CURRENT);
	start[1] = rdtsc();
	spin_ms(5);
	end[0] = rdtsc();
	after = apic_read(APIC_TIMER_CURRENT);
	end[1] = rdtsc();
	if (end[1] - start[0] - (end[0] - start[1]) > tsc_per_ms() / 2)
		return 0;
	return (before - after) * tsc_per_ms() / (end[0] - start[0]);
}

static bool is_rate(uint32_t divide, uint64_t least, uint64_t most)
{
	for (uint32_t i = 0; i < 50; i++) {
		uint64_t rate = ticks_per_ms(divide);

		if (rate >= least && rate <= most)
			return true;
	}
	return false;
}

/* KVM's bus has 1 GHz. */
static void it_counts_nanoseconds_of_the_bus(void)
{
	EXPECT_TRUE(is_rate(DIVIDE_BY_1, 800000, 1200000));
}

static void dividing_slows_it_down(void)
{
	static const uint8_t divides[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa };

	for (uint32_t i = 0; i < COUNT_OF(divides); i++)
		EXPECT_TRUE(is_rate(divides[i], 800000 >> i, 1200000 >> i));
}

static void masked_it_counts_but_says_nothing(void)
{
	arm(LVT_ONE_SHOT | LVT_MASKED, TICKS_SHORT);
	EXPECT_TRUE(WAIT(!apic_read(APIC_TIMER_CURRENT)));
	take_interrupts();
	EXPECT(count, 0);
	EXPECT_TRUE(!apic_bit(APIC_IRR, VECTOR_TIMER));
}

static void closed_interrupts_leave_it_pending(void)
{
	arm(LVT_ONE_SHOT, TICKS_SHORT);
	EXPECT_TRUE(WAIT(apic_bit(APIC_IRR, VECTOR_TIMER)));
	EXPECT(count, 0);
	take_interrupts();
	EXPECT(count, 1);
}

static void it_is_not_early(void)
{
	uint64_t start = rdtsc();

	arm(LVT_ONE_SHOT, 5000000); /* 5 ms */
	EXPECT_TRUE(wait_count(1));
	EXPECT_TRUE(first_at - start >= 4 * tsc_per_ms());
}

static void arming_again_replaces(void)
{
	arm(LVT_ONE_SHOT, TICKS_LONG);
	apic_write(APIC_TIMER_INITIAL, TICKS_SHORT);
	EXPECT_TRUE(wait_count(1));
	EXPECT(count, 1);
}

static void need_deadlines(void)
{
	if (!(cpuid(1, 0).ecx & BIT(24)))
		skip("no TSC-deadline timer");
	count = 0;
	trap_handle(VECTOR_TIMER, tick);
	apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR_TIMER);
	__asm__ volatile("mfence" : : : "memory");
}

static void a_deadline_comes(void)
{
	uint64_t deadline;

	need_deadlines();
	deadline = rdtsc() + 2 * tsc_per_ms();
	wrmsr(MSR_TSC_DEADLINE, deadline);
	EXPECT_TRUE(wait_count(1));
	EXPECT_TRUE(first_at >= deadline);
	EXPECT(rdmsr(MSR_TSC_DEADLINE), 0);
	EXPECT(count, 1);
}

static void a_deadline_can_be_read(void)
{
	uint64_t deadline;

	need_deadlines();
	deadline = rdtsc() + 100000 * tsc_per_ms();
	wrmsr(MSR_TSC_DEADLINE, deadline);
	EXPECT(rdmsr(MSR_TSC_DEADLINE), deadline);
	wrmsr(MSR_TSC_DEADLINE, 0);
	EXPECT(rdmsr(MSR_TSC_DEADLINE), 0);
}

static void a_deadline_in_the_past_comes_at_once(void)
{
	need_deadlines();
	wrmsr(MSR_TSC_DEADLINE, 1);
	EXPECT_TRUE(wait_count(1));
}

/* Sets a deadline and calls it off by @call_off, in time, as far as a guest can tell: it may be held up in between. */
static void expect_called_off(void (*call_off)(void))
{
	uint64_t deadline;

	need_deadlines();
	for (uint32_t i = 0; i < 20; i++) {
		apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR_TIMER);
		deadline = rdtsc() + 8 * tsc_per_ms();
		wrmsr(MSR_TSC_DEADLINE, deadline);
		call_off();
		if (rdtsc() < deadline)
			break;
		take_interrupts();
		count = 0;
	}
	sti();
	while (rdtsc() < deadline + tsc_per_ms())
		pause();
	cli();
	EXPECT(count, 0);
}

static void write_zero(void)
{
	wrmsr(MSR_TSC_DEADLINE, 0);
}

static void a_deadline_can_be_called_off(void)
{
	expect_called_off(write_zero);
}

static void a_deadline_wakes_from_hlt(void)
{
	need_deadlines();
	start_rescues();
	for (uint32_t i = 0; i < 30; i++) {
		count = 0;
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000 + 3000 * i);
		halt_for_tick();
	}
	stop_rescues();
}

static void deadlines_are_for_their_mode_only(void)
{
	need_deadlines();
	apic_write(APIC_LVT_TIMER, LVT_ONE_SHOT | VECTOR_TIMER);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_ms());
	sti();
	spin_ms(4);
	cli();
	EXPECT(count, 0);
	EXPECT(rdmsr(MSR_TSC_DEADLINE), 0);
}

static void the_counter_is_still_in_deadline_mode(void)
{
	need_deadlines();
	apic_write(APIC_TIMER_INITIAL, TICKS_SHORT);
	EXPECT(apic_read(APIC_TIMER_CURRENT), 0);
	sti();
	spin_ms(2);
	cli();
	EXPECT(count, 0);
}

static void leave_the_mode(void)
{
	apic_write(APIC_LVT_TIMER, LVT_ONE_SHOT | VECTOR_TIMER);
}

static void a_change_of_mode_disarms(void)
{
	expect_called_off(leave_the_mode);
}

static volatile uint32_t ap_counts[CPUS_MAX];

static void ap_tick(struct frame *frame __attribute__((unused)))
{
	ap_counts[cpu_index()]++;
	apic_eoi();
}

static void run_own_timer(void)
{
	ap_counts[cpu_index()] = 0;
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, 2000000);
	while (ap_counts[cpu_index()] < 3)
		halt();
	apic_write(APIC_TIMER_INITIAL, 0);
}

static void each_processor_has_its_own(void)
{
	cpus_start();
	trap_handle(VECTOR_TIMER, ap_tick);
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_begin(cpu, run_own_timer);
	run_own_timer();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_wait(cpu);
	for (uint32_t cpu = 0; cpu < cpus_count(); cpu++)
		EXPECT_TRUE(ap_counts[cpu] >= 3);
}

static void the_pit_counts(void)
{
	uint32_t first, second;

	outb(0x61, (inb(0x61) & 0xfc) | 1);
	outb(0x43, 0xb0); /* channel 2, mode 0 */
	outb(0x42, 0xff);
	outb(0x42, 0xff);
	outb(0x43, 0x80);
	first = inb(0x42);
	first |= (uint32_t)inb(0x42) << 8;
	spin_ms(2);
	outb(0x43, 0x80);
	second = inb(0x42);
	second |= (uint32_t)inb(0x42) << 8;
	EXPECT_TRUE(first - second > 1000 && first - second < 60000);
}

static void the_pit_reaches_its_end(void)
{
	outb(0x61, (inb(0x61) & 0xfc) | 1);
	outb(0x43, 0xb0);
	outb(0x42, 100);
	outb(0x42, 0);
	EXPECT_TRUE(WAIT(inb(0x61) & 0x20));
}

const struct test_case test_cases[] = {
	CASE(one_shot_comes_once),
	CASE(it_wakes_from_hlt),
	CASE(a_very_short_one_wakes_from_hlt),
	CASE(periodic_comes_again_and_again),
	CASE(zero_stops_it),
	CASE(the_count_goes_down),
	CASE(dividing_slows_it_down),
	CASE(it_counts_nanoseconds_of_the_bus),
	CASE(masked_it_counts_but_says_nothing),
	CASE(closed_interrupts_leave_it_pending),
	CASE(it_is_not_early),
	CASE(arming_again_replaces),
	CASE(a_deadline_comes),
	CASE(a_deadline_can_be_read),
	CASE(a_deadline_in_the_past_comes_at_once),
	CASE(a_deadline_can_be_called_off),
	CASE(a_deadline_wakes_from_hlt),
	CASE(deadlines_are_for_their_mode_only),
	CASE(the_counter_is_still_in_deadline_mode),
	CASE(a_change_of_mode_disarms),
	CASE(each_processor_has_its_own),
	CASE(the_pit_counts),
	CASE(the_pit_reaches_its_end),
	{ 0 },
};
