/*
 * What a guest's CPUID says: see cpuid.h.
 *
 * Source: AMD APM vol. 3, appendix E; Intel SDM vol. 2A, "CPUID"; Documentation/virt/kvm/x86/cpuid.rst.
 */
#include <errno.h>
#include <stdbool.h>

#include "vmm/cpuid.h"

enum {
	LEAF_VERSION = 0x1,
	LEAF_CACHES = 0x4,
	LEAF_TOPOLOGY = 0xb,
	LEAF_TOPOLOGY_V2 = 0x1f,
};

#define LEAF_EXTENDED_VERSION 0x80000001u
#define LEAF_EXTENDED_SIZES   0x80000008u
#define LEAF_AMD_CACHES	      0x8000001du
#define LEAF_AMD_TOPOLOGY     0x8000001eu
#define LEAF_SVM	      0x8000000au

enum {
	VERSION_ECX_VMX = 1 << 5,
	VERSION_ECX_X2APIC = 1 << 21,
	VERSION_ECX_TSC_DEADLINE = 1 << 24,
	VERSION_EDX_HTT = 1 << 28,

	EXTENDED_ECX_CMP_LEGACY = 1 << 1,
	EXTENDED_ECX_SVM = 1 << 2,

	TOPOLOGY_LEVEL_SMT = 1 << 8,
	TOPOLOGY_LEVEL_CORE = 2 << 8,
};

#define VERSION_ECX_HYPERVISOR (1u << 31)

static uint32_t bits_for(uint32_t count)
{
	uint32_t bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static void set_bits(uint32_t *reg, uint32_t bits, bool is_set)
{
	*reg = is_set ? *reg | bits : *reg & ~bits;
}

/* Replaces the field of @width bits at @shift. */
static void set_field(uint32_t *reg, uint32_t shift, uint32_t width, uint32_t value)
{
	uint32_t mask = ((1u << width) - 1) << shift;

	*reg = (*reg & ~mask) | (value << shift & mask);
}

static void fix_version(struct kvm_cpuid_entry2 *entry, uint32_t cpus, bool has_tsc_deadline)
{
	/* The kernel's local APIC has both, whatever the host's has. */
	set_bits(&entry->ecx, VERSION_ECX_X2APIC | VERSION_ECX_HYPERVISOR, true);
	set_bits(&entry->ecx, VERSION_ECX_TSC_DEADLINE, has_tsc_deadline);
	set_bits(&entry->ecx, VERSION_ECX_VMX, false);
	set_bits(&entry->edx, VERSION_EDX_HTT, cpus > 1);
	set_field(&entry->ebx, 16, 8, cpus);
}

/* "Maximum number of addressable IDs": sharing this cache less 1, cores in the package less 1. */
static void fix_caches(struct kvm_cpuid_entry2 *entry, uint32_t cpus)
{
	uint32_t level = entry->eax >> 5 & 7;

	if (!(entry->eax & 0x1f))
		return;
	set_field(&entry->eax, 14, 12, level >= 3 ? cpus - 1 : 0);
	set_field(&entry->eax, 26, 6, (1u << bits_for(cpus)) - 1);
}

static void fix_amd_caches(struct kvm_cpuid_entry2 *entry, uint32_t cpus)
{
	uint32_t level = entry->eax >> 5 & 7;

	if (entry->eax & 0x1f)
		set_field(&entry->eax, 14, 12, level >= 3 ? cpus - 1 : 0);
}

static void fix_topology(struct kvm_cpuid_entry2 *entry, uint32_t cpus)
{
	entry->edx = 0; /* the APIC id: cpuid_personalize() */
	entry->eax = entry->ebx = 0;
	entry->ecx = entry->index & 0xff;
	if (entry->index == 0) {
		entry->ebx = 1;
		entry->ecx |= TOPOLOGY_LEVEL_SMT;
	} else if (entry->index == 1) {
		entry->eax = bits_for(cpus);
		entry->ebx = cpus;
		entry->ecx |= TOPOLOGY_LEVEL_CORE;
	}
}

static void fix_entry(struct kvm_cpuid_entry2 *entry, uint32_t cpus, bool has_tsc_deadline)
{
	switch (entry->function) {
	case LEAF_VERSION:
		fix_version(entry, cpus, has_tsc_deadline);
		break;
	case LEAF_CACHES:
		fix_caches(entry, cpus);
		break;
	case LEAF_TOPOLOGY:
	case LEAF_TOPOLOGY_V2:
		fix_topology(entry, cpus);
		break;
	case LEAF_EXTENDED_VERSION:
		set_bits(&entry->ecx, EXTENDED_ECX_CMP_LEGACY, cpus > 1);
		set_bits(&entry->ecx, EXTENDED_ECX_SVM, false);
		break;
	case LEAF_EXTENDED_SIZES:
		set_field(&entry->ecx, 0, 8, cpus - 1);
		set_field(&entry->ecx, 12, 4, bits_for(cpus));
		break;
	case LEAF_SVM:
		entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
		break;
	case LEAF_AMD_CACHES:
		fix_amd_caches(entry, cpus);
		break;
	case LEAF_AMD_TOPOLOGY:
		entry->eax = entry->ebx = entry->ecx = 0;
		break;
	}
}

/* A topology leaf needs its second level, whether the host has one or not. */
static void add_core_level(struct cpuid_table *table, uint32_t leaf)
{
	bool has_smt_level = false;

	for (uint32_t i = 0; i < table->header.nent; i++) {
		if (table->entries[i].function != leaf)
			continue;
		has_smt_level = true;
		if (table->entries[i].index == 1)
			return;
	}
	if (has_smt_level && table->header.nent < CPUID_ENTRIES_MAX)
		table->entries[table->header.nent++] = (struct kvm_cpuid_entry2){
			.function = leaf,
			.index = 1,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
}

void cpuid_fit(struct cpuid_table *table, uint32_t cpus, bool has_tsc_deadline)
{
	add_core_level(table, LEAF_TOPOLOGY);
	add_core_level(table, LEAF_TOPOLOGY_V2);
	for (uint32_t i = 0; i < table->header.nent; i++)
		fix_entry(&table->entries[i], cpus, has_tsc_deadline);
}

int cpuid_query(const struct kvm *kvm, uint32_t cpus, struct cpuid_table *out, struct errmsg *why)
{
	int err;

	*out = (struct cpuid_table){ .header.nent = CPUID_ENTRIES_MAX };
	err = kvm_call(kvm->fd, KVM_GET_SUPPORTED_CPUID, out, "asking for CPUID", why);
	if (err < 0)
		return err;
	cpuid_fit(out, cpus, kvm_has(kvm, KVM_CAP_TSC_DEADLINE_TIMER));
	return 0;
}

void cpuid_personalize(struct cpuid_table *table, uint32_t apic_id)
{
	for (uint32_t i = 0; i < table->header.nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];

		if (entry->function == LEAF_VERSION)
			set_field(&entry->ebx, 24, 8, apic_id);
		else if (entry->function == LEAF_TOPOLOGY || entry->function == LEAF_TOPOLOGY_V2)
			entry->edx = apic_id;
		else if (entry->function == LEAF_AMD_TOPOLOGY) {
			entry->eax = apic_id;
			entry->ebx = apic_id; /* core id, one thread per core */
		}
	}
}
