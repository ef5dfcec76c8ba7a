/*
 * Model-specific registers that systems touch: what they hold, which values they refuse.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

#define NOT_CANONICAL UINT64_C(0x0000800000000000)
#define HIGH_HALF     UINT64_C(0xffff800000123456)

static void expect_kept(uint32_t index, uint64_t value)
{
	uint64_t before = rdmsr(index);

	wrmsr(index, value);
	EXPECT(rdmsr(index), value);
	wrmsr(index, before);
	EXPECT(rdmsr(index), before);
}

static void expect_refused(uint32_t index, uint64_t value)
{
	uint64_t before = rdmsr(index);

	EXPECT(try_wrmsr(index, value), VECTOR_GP);
	EXPECT(fault.error, 0);
	EXPECT(rdmsr(index), before);
}

static void reading_an_unknown_one_faults(void)
{
	static const uint32_t unknown[] = { 0x2, 0x15, 0x1000, 0x4b564dff, 0xc0002000, 0xdeadbeef };
	uint64_t value;

	for (uint32_t i = 0; i < COUNT_OF(unknown); i++) {
		EXPECT(try_rdmsr(unknown[i], &value), VECTOR_GP);
		EXPECT(fault.error, 0);
	}
}

static void writing_an_unknown_one_faults(void)
{
	static const uint32_t unknown[] = { 0x2, 0x15, 0x1000, 0x4b564dff, 0xc0002000, 0xdeadbeef };

	for (uint32_t i = 0; i < COUNT_OF(unknown); i++)
		EXPECT(try_wrmsr(unknown[i], 0), VECTOR_GP);
}

static void rdmsr_faults_at_ring_3(void)
{
	static const uint8_t code[] = { 0xb9, 0x10, 0, 0, 0, 0x0f, 0x32, 0xcd, 0x81 };
	uint64_t rsp, rip = paging_map_user_code(code, sizeof(code), &rsp);

	EXPECT(ring3_run(rip, rsp, 0, NULL), VECTOR_GP);
	EXPECT(fault.rip, rip + 5);
}

static void upper_halves_of_the_registers_dont_matter(void)
{
	uint64_t c = 0xffffffff00000000u | MSR_APIC_BASE, a = ~0ull, d = ~0ull;

	__asm__ volatile("rdmsr" : "+a"(a), "+d"(d) : "c"(c));
	EXPECT(a, rdmsr(MSR_APIC_BASE));
	EXPECT(d, 0);
}

static void efer_says_long_mode(void)
{
	EXPECT(rdmsr(MSR_EFER), EFER_LME | EFER_LMA);
}

static void efer_takes_syscall_and_no_execute(void)
{
	expect_kept(MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE);
	expect_kept(MSR_EFER, EFER_LME | EFER_LMA | EFER_NXE);
}

static void efer_refuses_reserved_bits(void)
{
	expect_refused(MSR_EFER, EFER_LME | EFER_LMA | BIT(1));
	expect_refused(MSR_EFER, EFER_LME | EFER_LMA | BIT(9));
	expect_refused(MSR_EFER, EFER_LME | EFER_LMA | BIT(32));
}

static void efer_refuses_svm(void)
{
	expect_refused(MSR_EFER, EFER_LME | EFER_LMA | EFER_SVME);
}

static void long_mode_cannot_be_left_by_efer(void)
{
	expect_refused(MSR_EFER, EFER_LMA);
	expect_refused(MSR_EFER, 0);
}

static void efer_keeps_its_active_bit(void)
{
	wrmsr(MSR_EFER, EFER_LME);
	EXPECT(rdmsr(MSR_EFER), EFER_LME | EFER_LMA);
}

static void star_takes_anything(void)
{
	expect_kept(MSR_STAR, 0x0033000800000000u);
	expect_kept(MSR_STAR, ~0ull);
}

static void fmask_takes_flags(void)
{
	expect_kept(MSR_FMASK, 0x47700);
}

static void syscall_targets_are_canonical(void)
{
	static const uint32_t targets[] = { MSR_LSTAR, MSR_CSTAR };

	for (uint32_t i = 0; i < COUNT_OF(targets); i++) {
		expect_kept(targets[i], HIGH_HALF);
		expect_refused(targets[i], NOT_CANONICAL);
	}
}

static void segment_bases_are_kept(void)
{
	expect_kept(MSR_FS_BASE, HIGH_HALF);
	expect_kept(MSR_GS_BASE, HIGH_HALF);
	expect_kept(MSR_KERNEL_GS_BASE, HIGH_HALF);
}

static void segment_bases_are_canonical(void)
{
	expect_refused(MSR_FS_BASE, NOT_CANONICAL);
	expect_refused(MSR_GS_BASE, NOT_CANONICAL);
	expect_refused(MSR_KERNEL_GS_BASE, NOT_CANONICAL);
}

static void segment_bases_are_used(void)
{
	static const uint64_t words[2] = { 0x1111, 0x2222 };
	uint64_t fs, gs;

	wrmsr(MSR_FS_BASE, (uintptr_t)&words[0]);
	wrmsr(MSR_GS_BASE, (uintptr_t)&words[1]);
	__asm__ volatile("movq %%fs:0, %0; movq %%gs:0, %1" : "=r"(fs), "=r"(gs));
	EXPECT(fs, 0x1111);
	EXPECT(gs, 0x2222);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
}

static void swapgs_swaps(void)
{
	wrmsr(MSR_GS_BASE, 0x1000);
	wrmsr(MSR_KERNEL_GS_BASE, HIGH_HALF);
	__asm__ volatile("swapgs");
	EXPECT(rdmsr(MSR_GS_BASE), HIGH_HALF);
	EXPECT(rdmsr(MSR_KERNEL_GS_BASE), 0x1000);
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

static void sysenter_registers_are_kept(void)
{
	expect_kept(MSR_SYSENTER_CS, 0x10);
	expect_kept(MSR_SYSENTER_ESP, 0x12345678);
	expect_kept(MSR_SYSENTER_EIP, 0x87654321);
}

static void tsc_can_be_set(void)
{
	uint64_t before = rdtsc(), target = before + 1000000000000u;

	wrmsr(MSR_TSC, target);
	EXPECT_TRUE(rdtsc() >= target && rdtsc() < target + 60000 * tsc_per_ms());
	EXPECT_TRUE(rdmsr(MSR_TSC) >= target);
	wrmsr(MSR_TSC, before + (rdtsc() - target));
}

static void tsc_adjust_moves_the_tsc(void)
{
	uint64_t before, after;

	if (!(cpuid(7, 0).ebx & BIT(1)))
		skip("no TSC_ADJUST");
	before = rdtsc();
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + 1000000000000u);
	after = rdtsc();
	EXPECT_TRUE(after - before >= 1000000000000u);
	EXPECT_TRUE(after - before < 1000000000000u + 60000 * tsc_per_ms());
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) - 1000000000000u);
}

static void tsc_aux_comes_with_rdtscp(void)
{
	uint32_t low, high, aux;

	if (!(cpuid(0x80000001u, 0).edx & BIT(27)))
		skip("no RDTSCP");
	wrmsr(MSR_TSC_AUX, 0x1234);
	EXPECT(rdmsr(MSR_TSC_AUX), 0x1234);
	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	EXPECT(aux, 0x1234);
	EXPECT_TRUE(((uint64_t)high << 32 | low) > 0);
}

static void apic_base_says_where_and_who(void)
{
	EXPECT(rdmsr(MSR_APIC_BASE), APIC_AT | APIC_BASE_ENABLED | APIC_BASE_BSP);
}

static void apic_base_refuses_reserved_bits(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	expect_refused(MSR_APIC_BASE, base | BIT(0));
	expect_refused(MSR_APIC_BASE, base | BIT(9));
	expect_refused(MSR_APIC_BASE, base | BIT(60));
}

static void pat_is_what_it_is_at_reset(void)
{
	EXPECT(rdmsr(MSR_PAT), 0x0007040600070406u);
}

static void pat_takes_the_memory_types(void)
{
	expect_kept(MSR_PAT, 0x0007010600070106u);
	expect_kept(MSR_PAT, 0x0007040600050106u);
}

static void pat_refuses_other_types(void)
{
	expect_refused(MSR_PAT, 0x0007040600070402u);
	expect_refused(MSR_PAT, 0x0307040600070406u);
	expect_refused(MSR_PAT, 0x8007040600070406u);
}

static void mtrrs_are_set_up(void)
{
	uint64_t capabilities = rdmsr(MSR_MTRRCAP);

	EXPECT(capabilities & 0xff, 8);
	EXPECT_TRUE(capabilities & BIT(8));
	EXPECT(rdmsr(MSR_MTRR_DEFAULT), 0x806);
	EXPECT(rdmsr(MSR_MTRR_BASE0), 0xc0000000u);
	EXPECT_TRUE(rdmsr(MSR_MTRR_BASE0 + 1) & BIT(11));
}

static void mtrrs_are_kept(void)
{
	expect_kept(MSR_MTRR_BASE0 + 2, 0x80000006u);
	expect_kept(MSR_MTRR_BASE0 + 3, 0xf80000800u);
	expect_kept(MSR_MTRR_DEFAULT, 0xc06);
	expect_kept(MSR_MTRR_FIX64K, 0x0606060606060606u);
	expect_kept(0x258, 0x0606060606060606u);
	expect_kept(0x26f, 0x0505050505050505u);
}

static void mtrrs_refuse_other_types(void)
{
	expect_refused(MSR_MTRR_DEFAULT, 0x802);
	expect_refused(MSR_MTRR_DEFAULT, 0x10806);
	expect_refused(MSR_MTRR_BASE0 + 2, 0x80000002u);
	expect_refused(MSR_MTRR_FIX64K, 0x0206060606060606u);
}

static void mtrr_capabilities_cannot_be_written(void)
{
	expect_refused(MSR_MTRRCAP, 0);
}

static void machine_check_banks_are_there(void)
{
	uint64_t capabilities = rdmsr(MSR_MCG_CAP), value;

	EXPECT_TRUE((capabilities & 0xff) <= 32);
	EXPECT(rdmsr(MSR_MCG_STATUS), 0);
	for (uint32_t bank = 0; bank < (capabilities & 0xff); bank++) {
		EXPECT(try_rdmsr(MSR_MC0_CTL + 4 * bank + 1, &value), NO_FAULT);
		EXPECT(value, 0);
		EXPECT(try_wrmsr(MSR_MC0_CTL + 4 * bank + 1, 0), NO_FAULT);
	}
}

static void machine_check_registers_take_all_or_nothing(void)
{
	if (!(rdmsr(MSR_MCG_CAP) & 0xff))
		skip("no bank");
	expect_kept(MSR_MC0_CTL, ~0ull);
	expect_kept(MSR_MC0_CTL, 0);
	EXPECT(try_wrmsr(MSR_MC0_CTL, 5), VECTOR_GP);
}

static void banks_that_arent_there_fault(void)
{
	uint32_t banks = rdmsr(MSR_MCG_CAP) & 0xff;
	uint64_t value;

	EXPECT(try_rdmsr(MSR_MC0_CTL + 4 * banks, &value), VECTOR_GP);
}

static void a_microcode_level_can_be_asked_for(void)
{
	uint64_t value;

	EXPECT(try_wrmsr(0x8b, 0), NO_FAULT);
	EXPECT(try_rdmsr(0x8b, &value), NO_FAULT);
}

static void amd_configuration_can_be_read(void)
{
	uint64_t value;

	if (cpuid(0, 0).ebx != 0x68747541)
		skip("not AMD");
	EXPECT(try_rdmsr(0xc0010010u, &value), NO_FAULT);  /* SYSCFG */
	EXPECT(try_rdmsr(0xc0010015u, &value), NO_FAULT);  /* HWCR */
	EXPECT(try_rdmsr(0xc001001fu, &value), NO_FAULT);  /* NB_CFG */
	EXPECT(try_rdmsr(0xc0010064u, &value), VECTOR_GP); /* P-states: not offered */
}

static void hwcr_takes_what_linux_writes(void)
{
	if (cpuid(0, 0).ebx != 0x68747541)
		skip("not AMD");
	EXPECT(try_wrmsr(0xc0010015u, BIT(3) | BIT(6) | BIT(8)), NO_FAULT); /* ignored */
	EXPECT(rdmsr(0xc0010015u), 0);
	EXPECT(try_wrmsr(0xc0010015u, BIT(18)), NO_FAULT); /* McStatusWrEn */
	EXPECT(rdmsr(0xc0010015u), BIT(18));
	EXPECT(try_wrmsr(0xc0010015u, 0), NO_FAULT);
	EXPECT(try_wrmsr(0xc0010015u, BIT(0)), VECTOR_GP);
}

static void debugctl_can_be_cleared(void)
{
	EXPECT(rdmsr(MSR_DEBUGCTL), 0);
	EXPECT(try_wrmsr(MSR_DEBUGCTL, 0), NO_FAULT);
}

static void svm_registers_are_not_for_guests(void)
{
	uint64_t value;

	EXPECT(try_rdmsr(0xc0010114u, &value), NO_FAULT); /* VM_CR */
	EXPECT(try_rdmsr(0xc0010117u, &value), NO_FAULT); /* VM_HSAVE_PA */
	EXPECT(value, 0);
}

static uint64_t bases[CPUS_MAX];

static void note_bases(void)
{
	wrmsr(MSR_KERNEL_GS_BASE, 0x1000u * (cpu_index() + 1));
	wrmsr(MSR_LSTAR, 0x2000u * (cpu_index() + 1));
	(void)inb(0x80); /* out of the guest */
	bases[cpu_index()] = rdmsr(MSR_KERNEL_GS_BASE) << 32 | rdmsr(MSR_LSTAR);
}

static void each_processor_has_its_own(void)
{
	cpus_start();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_begin(cpu, note_bases);
	note_bases();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_wait(cpu);
	for (uint32_t cpu = 0; cpu < cpus_count(); cpu++)
		EXPECT(bases[cpu], 0x0000100000002000u * (cpu + 1));
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_LSTAR, 0);
}

static uint64_t ap_base;

static void note_apic_base(void)
{
	ap_base = rdmsr(MSR_APIC_BASE);
}

static void only_one_is_the_bootstrap_processor(void)
{
	cpus_start();
	cpu_run(1, note_apic_base);
	EXPECT(ap_base, APIC_AT | APIC_BASE_ENABLED);
}

const struct test_case test_cases[] = {
	CASE(reading_an_unknown_one_faults),
	CASE(writing_an_unknown_one_faults),
	CASE(rdmsr_faults_at_ring_3),
	CASE(upper_halves_of_the_registers_dont_matter),
	CASE(efer_says_long_mode),
	CASE(efer_takes_syscall_and_no_execute),
	CASE(efer_refuses_reserved_bits),
	CASE(efer_refuses_svm),
	CASE(long_mode_cannot_be_left_by_efer),
	CASE(efer_keeps_its_active_bit),
	CASE(star_takes_anything),
	CASE(fmask_takes_flags),
	CASE(syscall_targets_are_canonical),
	CASE(segment_bases_are_kept),
	CASE(segment_bases_are_canonical),
	CASE(segment_bases_are_used),
	CASE(swapgs_swaps),
	CASE(sysenter_registers_are_kept),
	CASE(tsc_can_be_set),
	CASE(tsc_adjust_moves_the_tsc),
	CASE(tsc_aux_comes_with_rdtscp),
	CASE(apic_base_says_where_and_who),
	CASE(apic_base_refuses_reserved_bits),
	CASE(pat_is_what_it_is_at_reset),
	CASE(pat_takes_the_memory_types),
	CASE(pat_refuses_other_types),
	CASE(mtrrs_are_set_up),
	CASE(mtrrs_are_kept),
	CASE(mtrrs_refuse_other_types),
	CASE(mtrr_capabilities_cannot_be_written),
	CASE(machine_check_banks_are_there),
	CASE(machine_check_registers_take_all_or_nothing),
	CASE(banks_that_arent_there_fault),
	CASE(a_microcode_level_can_be_asked_for),
	CASE(amd_configuration_can_be_read),
	CASE(hwcr_takes_what_linux_writes),
	CASE(debugctl_can_be_cleared),
	CASE(svm_registers_are_not_for_guests),
	CASE(each_processor_has_its_own),
	CASE(only_one_is_the_bootstrap_processor),
	{ 0 },
};
