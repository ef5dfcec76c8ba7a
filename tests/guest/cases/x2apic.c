/*
 * The local APIC in x2APIC mode: registers as MSRs, 32-bit destinations, clusters.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/trap.h"

enum { VECTOR_A = 0x51 };

static volatile uint32_t counts[CPUS_MAX];

static uint32_t msr_of(uint32_t reg)
{
	return MSR_X2APIC + reg / 16;
}

static void count(struct frame *frame __attribute__((unused)))
{
	counts[cpu_index()]++;
	apic_eoi();
}

static void enter(void)
{
	apic_set_mode(APIC_BASE_ENABLED | APIC_BASE_X2APIC);
	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
		counts[cpu] = 0;
	trap_handle(VECTOR_A, count);
}

static void the_msrs_fault_in_xapic_mode(void)
{
	uint64_t value;

	EXPECT(try_rdmsr(msr_of(APIC_ID), &value), VECTOR_GP);
	EXPECT(try_wrmsr(msr_of(APIC_TPR), 0), VECTOR_GP);
	EXPECT(try_wrmsr(msr_of(X2APIC_SELF_IPI), VECTOR_A), VECTOR_GP);
}

static void the_memory_is_no_device(void)
{
	enter();
	mmio32(APIC_AT + APIC_TPR) = 0x30;
	EXPECT(mmio32(APIC_AT + APIC_TPR), UINT32_MAX);
	EXPECT(rdmsr(msr_of(APIC_TPR)), 0);
}

static void the_id_is_a_whole_number(void)
{
	enter();
	EXPECT(rdmsr(msr_of(APIC_ID)), 0);
	EXPECT(try_wrmsr(msr_of(APIC_ID), 0), VECTOR_GP);
}

static void the_logical_id_comes_from_the_id(void)
{
	enter();
	EXPECT(rdmsr(msr_of(APIC_LDR)), 1);
	EXPECT(try_wrmsr(msr_of(APIC_LDR), 2), VECTOR_GP);
}

static void read_only_registers_refuse_writes(void)
{
	static const uint32_t readonly[] = { APIC_VERSION,   APIC_PPR, APIC_ISR,
					     APIC_TMR,	     APIC_IRR, APIC_TIMER_CURRENT,
					     APIC_ISR + 0x70 };

	enter();
	for (uint32_t i = 0; i < COUNT_OF(readonly); i++)
		EXPECT(try_wrmsr(msr_of(readonly[i]), 0), VECTOR_GP);
}

static void write_only_registers_refuse_reads(void)
{
	uint64_t value;

	enter();
	EXPECT(try_rdmsr(msr_of(APIC_EOI), &value), VECTOR_GP);
	EXPECT(try_rdmsr(msr_of(X2APIC_SELF_IPI), &value), VECTOR_GP);
}

static void registers_that_are_not_there_fault(void)
{
	static const uint32_t absent[] = {
		APIC_DFR, APIC_ICR_HIGH, 0x00, 0x40, APIC_APR, 0x3f8 * 2
	};
	uint64_t value;

	enter();
	for (uint32_t i = 0; i < COUNT_OF(absent); i++) {
		EXPECT(try_rdmsr(msr_of(absent[i]), &value), VECTOR_GP);
		EXPECT(try_wrmsr(msr_of(absent[i]), 0), VECTOR_GP);
	}
	EXPECT(try_rdmsr(MSR_X2APIC_LAST, &value), VECTOR_GP);
}

static void reserved_bits_fault(void)
{
	enter();
	EXPECT(try_wrmsr(msr_of(APIC_TPR), BIT(32)), VECTOR_GP);
	EXPECT(try_wrmsr(msr_of(APIC_ESR), 1), VECTOR_GP);
	EXPECT(try_wrmsr(msr_of(APIC_SVR), BIT(32)), VECTOR_GP);
	EXPECT(try_wrmsr(msr_of(X2APIC_SELF_IPI), BIT(32)), VECTOR_GP);
}

static void reserved_bits_of_the_task_priority_fault(void)
{
	enter();
	EXPECT(try_wrmsr(msr_of(APIC_TPR), 0x100), VECTOR_GP);
}

static void an_eoi_is_a_zero(void)
{
	enter();
	EXPECT(try_wrmsr(msr_of(APIC_EOI), 1), VECTOR_GP);
}

static void registers_are_kept(void)
{
	enter();
	wrmsr(msr_of(APIC_TPR), 0x30);
	EXPECT(rdmsr(msr_of(APIC_TPR)), 0x30);
	EXPECT(rdmsr(msr_of(APIC_PPR)), 0x30);
	wrmsr(msr_of(APIC_LVT_LINT0), LVT_MASKED | 0x40);
	EXPECT(rdmsr(msr_of(APIC_LVT_LINT0)), LVT_MASKED | 0x40);
	wrmsr(msr_of(APIC_TIMER_DIVIDE), 3);
	EXPECT(rdmsr(msr_of(APIC_TIMER_DIVIDE)), 3);
}

static void the_command_is_one_register(void)
{
	enter();
	wrmsr(msr_of(APIC_ICR), BIT(40) | ICR_FIXED | ICR_ASSERT | VECTOR_A);
	EXPECT(rdmsr(msr_of(APIC_ICR)), BIT(40) | ICR_FIXED | ICR_ASSERT | VECTOR_A);
}

static void the_self_ipi_register_sends(void)
{
	enter();
	wrmsr(msr_of(X2APIC_SELF_IPI), VECTOR_A);
	EXPECT_TRUE(apic_bit(APIC_IRR, VECTOR_A));
	take_interrupts();
	EXPECT(counts[0], 1);
}

static void the_shorthand_self_sends(void)
{
	enter();
	wrmsr(msr_of(APIC_ICR), ICR_FIXED | ICR_ASSERT | ICR_SELF | VECTOR_A);
	take_interrupts();
	EXPECT(counts[0], 1);
}

static void the_task_priority_is_cr8(void)
{
	enter();
	wrmsr(msr_of(APIC_TPR), 0x90);
	EXPECT(read_cr8(), 9);
	write_cr8(3);
	EXPECT(rdmsr(msr_of(APIC_TPR)), 0x30);
	write_cr8(0);
}

static void priorities_survive_the_change_of_mode(void)
{
	apic_write(APIC_TPR, 0x20);
	apic_write(APIC_LVT_LINT1, LVT_MASKED | 0x44);
	enter();
	EXPECT(rdmsr(msr_of(APIC_TPR)), 0x20);
	EXPECT(rdmsr(msr_of(APIC_LVT_LINT1)), LVT_MASKED | 0x44);
}

static volatile uint32_t ap_ids[CPUS_MAX], ap_logical[CPUS_MAX];

static void enter_on_ap(void)
{
	apic_set_mode(APIC_BASE_ENABLED | APIC_BASE_X2APIC);
	ap_ids[cpu_index()] = apic_read(APIC_ID);
	ap_logical[cpu_index()] = apic_read(APIC_LDR);
}

static void enter_all(void)
{
	cpus_start();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_run(cpu, enter_on_ap);
	enter();
}

static void each_processor_has_its_bit_in_the_cluster(void)
{
	enter_all();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++) {
		EXPECT(ap_ids[cpu], cpu);
		EXPECT(ap_logical[cpu], 1u << cpu);
	}
}

static void a_physical_destination_is_one_processor(void)
{
	enter_all();
	apic_send(2, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	EXPECT_TRUE(WAIT(counts[2] == 1));
	EXPECT(counts[1] + counts[3], 0);
}

static void a_logical_destination_is_a_set(void)
{
	enter_all();
	apic_send(1 << 1 | 1 << 3, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	EXPECT_TRUE(WAIT(counts[1] == 1 && counts[3] == 1));
	EXPECT(counts[2], 0);
}

static void another_cluster_is_nobody(void)
{
	enter_all();
	apic_send(0x1000f, ICR_FIXED | ICR_ASSERT | ICR_LOGICAL | VECTOR_A);
	spin_ms(5);
	EXPECT(counts[1] + counts[2] + counts[3], 0);
}

static void all_ones_are_everybody(void)
{
	enter_all();
	apic_send(UINT32_MAX, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	EXPECT_TRUE(WAIT(counts[1] == 1 && counts[2] == 1 && counts[3] == 1));
	take_interrupts();
	EXPECT(counts[0], 1);
}

static void shorthands_reach_the_others(void)
{
	enter_all();
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_OTHERS | VECTOR_A);
	EXPECT_TRUE(WAIT(counts[1] == 1 && counts[2] == 1 && counts[3] == 1));
	take_interrupts();
	EXPECT(counts[0], 0);
	apic_send(0, ICR_FIXED | ICR_ASSERT | ICR_ALL | VECTOR_A);
	EXPECT_TRUE(WAIT(counts[1] == 2 && counts[2] == 2 && counts[3] == 2));
	take_interrupts();
	EXPECT(counts[0], 1);
}

static void modes_may_be_mixed(void)
{
	cpus_start();
	enter();
	apic_send(1, ICR_FIXED | ICR_ASSERT | VECTOR_A);
	EXPECT_TRUE(WAIT(counts[1] == 1));
	EXPECT(counts[2] + counts[3], 0);
}

const struct test_case test_cases[] = {
	CASE(the_msrs_fault_in_xapic_mode),
	CASE(the_memory_is_no_device),
	CASE(the_id_is_a_whole_number),
	CASE(the_logical_id_comes_from_the_id),
	CASE(read_only_registers_refuse_writes),
	CASE(write_only_registers_refuse_reads),
	CASE(registers_that_are_not_there_fault),
	CASE(reserved_bits_fault),
	CASE(reserved_bits_of_the_task_priority_fault),
	CASE(an_eoi_is_a_zero),
	CASE(registers_are_kept),
	CASE(the_command_is_one_register),
	CASE(the_self_ipi_register_sends),
	CASE(the_shorthand_self_sends),
	CASE(the_task_priority_is_cr8),
	CASE(priorities_survive_the_change_of_mode),
	CASE(each_processor_has_its_bit_in_the_cluster),
	CASE(a_physical_destination_is_one_processor),
	CASE(a_logical_destination_is_a_set),
	CASE(another_cluster_is_nobody),
	CASE(all_ones_are_everybody),
	CASE(shorthands_reach_the_others),
	CASE(modes_may_be_mixed),
	{ 0 },
};
