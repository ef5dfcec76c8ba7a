/*
 * What each processor has for itself: see cpu.h.
 */
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/trap.h"
#include "kernel/dev/print.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/kspace.h"

struct cpu *cpus[CPUS_MAX];
uint32_t nr_cpus;
struct cpu_features cpu_features;

static_assert(sizeof(struct cpu) <= PAGE_BYTES, "one page each");

void syscall_entry(void);

static bool bit(uint32_t reg, uint32_t number)
{
	return reg >> number & 1;
}

static void read_brand(struct cpu_features *features)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct cpuid part = cpuid(0x80000002u + i, 0);

		memcpy(features->brand + 16 * i, &part, 16);
	}
}

static void read_features(struct cpu_features *features)
{
	struct cpuid basic = cpuid(0, 0), version = cpuid(1, 0), extended = cpuid(0x80000001u, 0);
	uint32_t extended_max = cpuid(0x80000000u, 0).eax;
	struct cpuid structured = basic.eax >= 7 ? cpuid(7, 0) : (struct cpuid){ 0 };

	memcpy(features->vendor, &basic.ebx, 4);
	memcpy(features->vendor + 4, &basic.edx, 4);
	memcpy(features->vendor + 8, &basic.ecx, 4);
	if (extended_max >= 0x80000004u)
		read_brand(features);
	features->has_smep = bit(structured.ebx, 7);
	features->has_smap = bit(structured.ebx, 20);
	features->has_umip = bit(structured.ecx, 2);
	features->has_xsave = bit(version.ecx, 26);
	features->has_pge = bit(version.edx, 13);
	features->has_x2apic = bit(version.ecx, 21);
	features->has_tsc_deadline = bit(version.ecx, 24);
	features->has_vmx = bit(version.ecx, 5);
	features->has_svm = bit(extended.ecx, 2);
	features->has_nx = bit(extended.edx, 20);
	features->has_invariant_tsc = extended_max >= 0x80000007u &&
				      bit(cpuid(0x80000007u, 0).edx, 8);
	features->physical_bits = extended_max >= 0x80000008u ? cpuid(0x80000008u, 0).eax & 0xff
							      : 36;
}

struct requirement {
	uint32_t leaf;
	uint8_t bit; /* of EDX */
	const char *name, *remedy;
};

static const struct requirement requirements[] = {
	{ 1, 4, "a time-stamp counter", "nothing but another processor helps" },
	{ 1, 9, "a local APIC", "switch it on in the firmware's set-up" },
	{ 0x80000001, 20, "NX (no-execute)", "switch it on in the firmware's set-up" },
};

void cpu_check(void)
{
	read_features(&cpu_features);
	for (uint32_t i = 0; i < ARRAY_SIZE(requirements); i++)
		if (!bit(cpuid(requirements[i].leaf, 0).edx, requirements[i].bit))
			cannot_go_on("expected a processor with %s, found one without; %s",
				     requirements[i].name, requirements[i].remedy);
	if (!cpu_features.has_smep || !cpu_features.has_smap)
		print_warn(
			"the processor has no%s%s: mistakes in the kernel are easier to exploit here",
			cpu_features.has_smep ? "" : " SMEP", cpu_features.has_smap ? "" : " SMAP");
}

static void set_control_registers(void)
{
	uint64_t cr4 = read_cr4() | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_MCE;

	cr4 |= cpu_features.has_pge ? X86_CR4_PGE : 0;
	cr4 |= cpu_features.has_smep ? X86_CR4_SMEP : 0;
	cr4 |= cpu_features.has_smap ? X86_CR4_SMAP : 0;
	cr4 |= cpu_features.has_umip ? X86_CR4_UMIP : 0;
	cr4 |= cpu_features.has_xsave ? X86_CR4_OSXSAVE : 0;
	write_cr4(cr4);
	write_cr0((read_cr0() | X86_CR0_WP | X86_CR0_NE | X86_CR0_MP) &
		  ~(X86_CR0_EM | X86_CR0_TS | X86_CR0_AM | X86_CR0_CD | X86_CR0_NW));
}

static void set_ist(struct cpu *cpu, uint32_t ist)
{
	void *stack = stack_alloc();

	if (!stack)
		panic("CPU %u: no memory for its stacks", cpu->id);
	cpu->tss.ist[ist - 1] = (uint64_t)stack;
}

static void fill_gdt(struct cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss;

	cpu->gdt[SELECTOR_KERNEL_CODE / 8] = DESCRIPTOR_KERNEL_CODE;
	cpu->gdt[SELECTOR_KERNEL_DATA / 8] = DESCRIPTOR_KERNEL_DATA;
	cpu->gdt[SELECTOR_USER_DATA / 8] = DESCRIPTOR_USER_DATA;
	cpu->gdt[SELECTOR_USER_CODE / 8] = DESCRIPTOR_USER_CODE;
	cpu->gdt[SELECTOR_TSS / 8] = DESCRIPTOR_TSS | (sizeof(cpu->tss) - 1) |
				     (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	cpu->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
}

static void load_gdt(struct cpu *cpu)
{
	struct table_pointer pointer = { .limit = sizeof(cpu->gdt) - 1,
					 .base = (uint64_t)cpu->gdt };

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %2, %%ds\n\t"
			 "movl %2, %%es\n\t"
			 "movl %2, %%ss\n\t"
			 "movl %3, %%fs\n\t"
			 "movl %3, %%gs\n\t"
			 "ltr %w4"
			 :
			 : "m"(pointer), "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA),
			   "r"(0), "r"(SELECTOR_TSS)
			 : "rax", "memory");
}

static void set_syscall_entry(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	/* SYSRET takes CS from here + 16 and SS from here + 8. */
	wrmsr(MSR_STAR, (uint64_t)(SELECTOR_USER_CODE32 | RPL_USER) << 48 |
				(uint64_t)SELECTOR_KERNEL_CODE << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_CSTAR, 0);
	wrmsr(MSR_SFMASK,
	      X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_NT);
}

void cpu_init(uint32_t id, uint32_t apic_id)
{
	struct cpu *cpu = page_alloc();

	if (!cpu)
		panic("CPU %u: no memory for its data", id);
	cpu->self = cpu;
	cpu->id = id;
	cpu->apic_id = apic_id;
	cpu->tss.iomap = sizeof(cpu->tss);
	for (uint32_t ist = 1; ist <= IST_COUNT; ist++)
		set_ist(cpu, ist);
	fill_gdt(cpu);
	load_gdt(cpu);
	wrmsr(MSR_GS_BASE, (uint64_t)cpu);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	trap_load();
	set_control_registers();
	fpu_init_cpu();
	set_syscall_entry();
	cpus[id] = cpu;
}
