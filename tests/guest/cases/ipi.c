/*
 * Interrupts between processors in xAPIC mode, and NMIs and INITs.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/trap.h"

enum { VECTOR_A = 0x51, ROUNDS = 200 };

static volatile uint32_t counts[CPUS_MAX], nmis[CPUS_MAX];

static void count(struct frame *frame __attribute__((unused)))
{
	counts[cpu_index()]++;
	apic_eoi();
}

static void count_nmi(struct frame *frame __attribute__((unused)))
{
	nmis[cpu_index()]++;
}

static void set_up(void)
{
	cpus_start();
	if (cpus_count() < 4)
		skip("fewer than 4 processors");
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
		counts[cpu] = nmis[cpu] = 0;
	trap_handle(VECTOR_A, count);
	trap_handle(VECTOR_NMI, count_nmi);
}

static bool got(uint32_t zero, uint32_t one, uint32_t two, uint32_t three)
{
	return counts[0] == zero && counts[1] == one && counts[2] == two && counts[3] == three;
}

/* And nobody gets one too many. */
static void expect_counts(uint32_t zero, uint32_t one, uint32_t two, uint32_t three)
{
	take_interrupts();
	EXPECT_TRUE(WAIT(got(zero, one, two, three)));
	spin_ms(1);
	take_interrupts();
	EXPECT(counts[0], zero);
	EXPECT(counts[1], one);
	EXPECT(counts[2], two);
	EXPECT(counts[3], three);
}

static void to_one(void)
{
	set_up();
	apic_send(1, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	expect_counts(0, 1, 0, 0);
	apic_send(3, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	expect_counts(0, 1, 0, 1);
}

static void to_itself_by_number(void)
{
	set_up();
	apic_send(0, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	expect_counts(1, 0, 0, 0);
}

static void to_nobody(void)
{
	set_up();
	apic_send(77, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	expect_counts(0, 0, 0, 0);
}

static void to_all_by_number(void)
{
	set_up();
	apic_send(0xff, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	expect_counts(1, 1, 1, 1);
}

static void shorthand_self(void)
{
	set_up();
	apic_send(3, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_A);
	expect_counts(1, 0, 0, 0);
}

static void shorthand_all(void)
{
	set_up();
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_ALL | VECTOR_A);
	expect_counts(1, 1, 1, 1);
}

static void shorthand_others(void)
{
	set_up();
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_OTHERS | VECTOR_A);
	expect_counts(0, 1, 1, 1);
}

static uint32_t logical_of[CPUS_MAX], format;

static void set_logical(void)
{
	apic_write(APIC_DFR, format);
	apic_write(APIC_LDR, logical_of[cpu_index()] << 24);
}

static void set_all_logical(uint32_t new_format, uint32_t zero, uint32_t one, uint32_t two,
			    uint32_t three)
{
	set_up();
	format = new_format;
	logical_of[0] = zero;
	logical_of[1] = one;
	logical_of[2] = two;
	logical_of[3] = three;
	set_logical();
	for (uint32_t cpu = 1; cpu < 4; cpu++)
		cpu_run(cpu, set_logical);
}

static void logical_flat(void)
{
	set_all_logical(UINT32_MAX, 0x01, 0x02, 0x04, 0x08);
	apic_send(0x0a, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	expect_counts(0, 1, 0, 1);
	apic_send(0xff, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	expect_counts(1, 2, 1, 2);
	apic_send(0xf0, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	expect_counts(1, 2, 1, 2);
}

static void logical_flat_with_bits_in_common(void)
{
	set_all_logical(UINT32_MAX, 0x01, 0x06, 0x04, 0x80);
	apic_send(0x04, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	if (!WAIT_FOR(counts[1] == 1 && counts[2] == 1, 500))
		fail("one bit of two processors reaches one of them only");
	expect_counts(0, 1, 1, 0);
	apic_send(0x82, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	expect_counts(0, 2, 1, 1);
}

static void logical_cluster(void)
{
	set_all_logical(0x0fffffff, 0x11, 0x12, 0x21, 0x22);
	apic_send(0x12, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	expect_counts(0, 1, 0, 0);
	apic_send(0x23, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	expect_counts(0, 1, 1, 1);
	apic_send(0x31, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	expect_counts(0, 1, 1, 1);
}

static void lowest_priority_goes_to_one_of_them(void)
{
	set_all_logical(UINT32_MAX, 0x01, 0x02, 0x04, 0x08);
	for (uint32_t i = 0; i < 8; i++) {
		apic_send(0x0e, ICR_LOWEST | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
		EXPECT_TRUE(WAIT(counts[1] + counts[2] + counts[3] == i + 1));
	}
	spin_ms(1);
	EXPECT(counts[1] + counts[2] + counts[3], 8);
	EXPECT(counts[0], 0);
}

static void an_nmi_comes_through_closed_interrupts(void)
{
	set_up();
	apic_send(0, ICR_NMI | ICR_ASSERT);
	EXPECT_TRUE(WAIT(nmis[0] == 1));
	spin_ms(1);
	EXPECT(nmis[0], 1);
}

static void an_nmi_wakes_another(void)
{
	set_up();
	apic_send(2, ICR_NMI | ICR_ASSERT);
	EXPECT_TRUE(WAIT(nmis[2] == 1));
	apic_send(0, ICR_NMI | ICR_ASSERT | ICR_OTHERS);
	EXPECT_TRUE(WAIT(nmis[1] == 1 && nmis[2] == 2 && nmis[3] == 1));
	EXPECT(nmis[0], 0);
}

static volatile bool is_closed, is_to_open;

static void hold_interrupts_closed(void)
{
	cli();
	is_closed = true;
	while (!is_to_open)
		pause();
}

static void a_processor_that_has_closed_takes_it_later(void)
{
	set_up();
	is_closed = is_to_open = false;
	cpu_begin(1, hold_interrupts_closed);
	EXPECT_TRUE(WAIT(is_closed));
	apic_send(1, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	spin_ms(2);
	EXPECT(counts[1], 0);
	is_to_open = true;
	cpu_wait(1);
	EXPECT_TRUE(WAIT(counts[1] == 1));
}

static volatile bool is_dead;

static void halt_closed(void)
{
	is_closed = true;
	__asm__ volatile("cli; hlt" : : : "memory");
	is_dead = false;
}

static void hlt_with_closed_interrupts_only_ends_by_nmi(void)
{
	set_up();
	is_closed = false;
	is_dead = true;
	cpu_begin(1, halt_closed);
	EXPECT_TRUE(WAIT(is_closed));
	apic_send(1, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	spin_ms(5);
	EXPECT_TRUE(is_dead);
	EXPECT(counts[1], 0);
	apic_send(1, ICR_NMI | ICR_ASSERT);
	cpu_wait(1);
	EXPECT(nmis[1], 1);
	EXPECT_TRUE(WAIT(counts[1] == 1));
}

/* Sender and receiver take turns: none may get lost. */
static void ping_pong(void)
{
	set_up();
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		uint32_t cpu = 1 + i % 3, expected = counts[cpu] + 1;

		apic_send(cpu, ICR_FIXED | ICR_ASSERT | VECTOR_A);
		if (!WAIT(counts[cpu] == expected))
			fail("an IPI is lost");
	}
	EXPECT(counts[1] + counts[2] + counts[3], ROUNDS);
}

static void storm(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_OTHERS | VECTOR_A);
		take_interrupts();
	}
	sti();
}

static void everybody_at_everybody(void)
{
	set_up();
	for (uint32_t cpu = 1; cpu < 4; cpu++)
		cpu_begin(cpu, storm);
	storm();
	for (uint32_t cpu = 1; cpu < 4; cpu++)
		cpu_wait(cpu);
	cli();
	/* They may merge, but some came. */
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		EXPECT_TRUE(WAIT(counts[cpu]));
		EXPECT_TRUE(counts[cpu] <= 3 * ROUNDS);
	}
	take_interrupts();
	EXPECT(apic_read(APIC_IRR + VECTOR_A / 32 * 16), 0);
	EXPECT(apic_read(APIC_ISR + VECTOR_A / 32 * 16), 0);
}

static void self_ipi_storm(void)
{
	set_up();
	sti();
	for (uint32_t i = 1; i <= 2000; i++) {
		apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_A);
		if (!WAIT(counts[0] == i))
			fail("a self-IPI is lost");
	}
	cli();
}

static void many_wake_ups(void)
{
	set_up();
	for (uint32_t i = 1; i <= 50; i++) {
		apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_OTHERS | VECTOR_A);
		if (!WAIT(counts[1] == i && counts[2] == i && counts[3] == i))
			fail("a processor sleeps on");
	}
}

const struct test_case test_cases[] = {
	CASE(to_one),
	CASE(to_itself_by_number),
	CASE(to_nobody),
	CASE(to_all_by_number),
	CASE(shorthand_self),
	CASE(shorthand_all),
	CASE(shorthand_others),
	CASE(logical_flat),
	CASE(logical_flat_with_bits_in_common),
	CASE(logical_cluster),
	CASE(lowest_priority_goes_to_one_of_them),
	CASE(an_nmi_comes_through_closed_interrupts),
	CASE(an_nmi_wakes_another),
	CASE(a_processor_that_has_closed_takes_it_later),
	CASE(hlt_with_closed_interrupts_only_ends_by_nmi),
	CASE(ping_pong),
	CASE(everybody_at_everybody),
	CASE(self_ipi_storm),
	CASE(many_wake_ups),
	{ 0 },
};
