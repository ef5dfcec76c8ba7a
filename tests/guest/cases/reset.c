/*
 * Ways to reset the machine, and what it is like afterwards: each case resets it, and the next start says ok.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/trap.h"

static const struct descriptor_pointer no_table;

static void a_triple_fault(void)
{
	expect_reset();
	__asm__ volatile("lidt %0; int3" : : "m"(no_table));
	fail("the machine goes on");
}

static void a_triple_fault_by_a_page_fault(void)
{
	expect_reset();
	__asm__ volatile("lidt %0; movb 0x7fff00000000, %%al" : : "m"(no_table) : "rax");
	fail("the machine goes on");
}

static void a_triple_fault_by_an_interrupt(void)
{
	expect_reset();
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_SELF | 0x51);
	__asm__ volatile("lidt %0; sti; nop; nop" : : "m"(no_table));
	fail("the machine goes on");
}

static void a_triple_fault_by_an_nmi(void)
{
	expect_reset();
	__asm__ volatile("lidt %0" : : "m"(no_table));
	apic_send(0, ICR_NMI | ICR_ASSERT);
	spin_ms(50);
	fail("the machine goes on");
}

static void triple_fault(void)
{
	__asm__ volatile("lidt %0; ud2a" : : "m"(no_table));
}

static void a_triple_fault_of_another_processor(void)
{
	cpus_start();
	expect_reset();
	cpu_begin(2, triple_fault);
	spin_ms(500);
	fail("the machine goes on");
}

static void the_keyboard_controller(void)
{
	expect_reset();
	outb(0x64, 0xfe);
	spin_ms(500);
	fail("the machine goes on");
}

static void the_reset_control_port(void)
{
	expect_reset();
	outb(0xcf9, 6);
	spin_ms(500);
	fail("the machine goes on");
}

static void while_others_run(void)
{
	for (;;)
		pause();
}

static void a_reset_stops_all_processors(void)
{
	cpus_start();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_begin(cpu, while_others_run);
	expect_reset();
	outb(0xcf9, 6);
	spin_ms(500);
	fail("the machine goes on");
}

static void all_processors_start_after_resets(void)
{
	cpus_start();
}

static void registers_are_as_at_power_on(void)
{
	EXPECT(rdmsr(MSR_APIC_BASE), APIC_AT | APIC_BASE_ENABLED | APIC_BASE_BSP);
	EXPECT(rdmsr(MSR_PAT), 0x0007040600070406u);
	EXPECT(rdmsr(MSR_KERNEL_GS_BASE), 0);
	EXPECT(rdmsr(MSR_LSTAR), 0);
	EXPECT(rdmsr(MSR_MTRR_DEFAULT), 0x806);
	EXPECT(read_cr8(), 0);
	EXPECT(read_dr0(), 0);
}

static void a_reset_with_changed_registers(void)
{
	wrmsr(MSR_LSTAR, 0x123456);
	wrmsr(MSR_KERNEL_GS_BASE, 0x654321);
	wrmsr(MSR_PAT, 0x0606060606060606u);
	write_dr0(0x9999);
	apic_set_mode(APIC_BASE_ENABLED | APIC_BASE_X2APIC);
	expect_reset();
	outb(0xcf9, 6);
	spin_ms(500);
	fail("the machine goes on");
}

const struct test_case test_cases[] = {
	CASE(a_triple_fault),
	CASE(a_triple_fault_by_a_page_fault),
	CASE(a_triple_fault_by_an_interrupt),
	CASE(a_triple_fault_by_an_nmi),
	CASE(a_triple_fault_of_another_processor),
	CASE(the_keyboard_controller),
	CASE(the_reset_control_port),
	CASE(a_reset_stops_all_processors),
	CASE(all_processors_start_after_resets),
	CASE(a_reset_with_changed_registers),
	CASE(registers_are_as_at_power_on),
	{ 0 },
};
