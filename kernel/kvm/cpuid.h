/*
 * What CPUID tells a guest: the table that ring 3 has set for a vCPU, and the few bits in it that follow the vCPU's state.
 *
 * KVM_GET_SUPPORTED_CPUID is the host's CPUID through a table of what is virtualized here (cpuid_policy.c); KVM_SET_CPUID2
 * takes whatever ring 3 likes to tell. What the guest was told decides which MSRs it has (msrs.h).
 *
 * Fields: [L] vcpu->lock
 * Source: KVM API, "KVM_GET_SUPPORTED_CPUID", "KVM_SET_CPUID2"; AMD APM vol. 3, appendix E; Intel SDM vol. 2, "CPUID".
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

struct vcpu;

enum { CPUID_ENTRIES_MAX = 256 };

/* By leaf's upper half: 0, KVM's signature, extended. Leaves within the first 32 of each are found at once. */
enum { CPUID_RANGES = 3, CPUID_RANGE_LEAVES = 32 };

struct cpuid_table {
	struct kvm_cpuid_entry2 *entries; /* [L] owned; NULL: none */
	uint32_t count;			  /* [L] */
	/* [L] 1 + where a leaf's entries begin; 0: none */
	uint16_t first[CPUID_RANGES * CPUID_RANGE_LEAVES];
	uint32_t features[8]; /* [L] enum cpuid_feature's words */
	uint8_t phys_bits;    /* [L] */
	bool is_amd;	      /* [L] AMD or Hygon: leaves out of range are zero */
};

/* What the dynamic bits follow. */
struct cpuid_live {
	uint64_t cr4, xcr0, xss;
	bool is_apic_enabled;
};

/* word * 32 + bit; the words are those of cpuid_words[] in cpuid.c. */
enum cpuid_feature {
	CPUID_1_ECX = 0,
	CPUID_1_EDX = 32,
	CPUID_7_EBX = 64,
	CPUID_7_ECX = 96,
	CPUID_7_EDX = 128,
	CPUID_EXT_ECX = 160,
	CPUID_EXT_EDX = 192,
	CPUID_8_EBX = 224,

	CPUID_MONITOR = CPUID_1_ECX + 3,
	CPUID_PCID = CPUID_1_ECX + 17,
	CPUID_X2APIC = CPUID_1_ECX + 21,
	CPUID_TSC_DEADLINE = CPUID_1_ECX + 24,
	CPUID_XSAVE = CPUID_1_ECX + 26,
	CPUID_MCE = CPUID_1_EDX + 7,
	CPUID_SYSENTER = CPUID_1_EDX + 11,
	CPUID_MTRR = CPUID_1_EDX + 12,
	CPUID_MCA = CPUID_1_EDX + 14,
	CPUID_PAT = CPUID_1_EDX + 16,
	CPUID_FSGSBASE = CPUID_7_EBX + 0,
	CPUID_TSC_ADJUST = CPUID_7_EBX + 1,
	CPUID_PKU = CPUID_7_ECX + 3,
	CPUID_RDPID = CPUID_7_ECX + 22,
	CPUID_SPEC_CTRL = CPUID_7_EDX + 26,
	CPUID_ARCH_CAPABILITIES = CPUID_7_EDX + 29,
	CPUID_SSBD_INTEL = CPUID_7_EDX + 31,
	CPUID_NX = CPUID_EXT_EDX + 20,
	CPUID_FXSR_OPT = CPUID_EXT_EDX + 25,
	CPUID_RDTSCP = CPUID_EXT_EDX + 27,
	CPUID_LONG_MODE = CPUID_EXT_EDX + 29,
	CPUID_IBPB = CPUID_8_EBX + 12,
	CPUID_IBRS = CPUID_8_EBX + 14,
	CPUID_STIBP = CPUID_8_EBX + 15,
	CPUID_SSBD = CPUID_8_EBX + 24,
	CPUID_VIRT_SSBD = CPUID_8_EBX + 25,
};

/* --- pure --- */

/* Takes over @entries (from kmalloc(), or NULL). */
void cpuid_table_set(struct cpuid_table *table, struct kvm_cpuid_entry2 *entries, uint32_t count);
void cpuid_table_destroy(struct cpuid_table *table);

/*
 * What the instruction answers: EAX, EBX, ECX, EDX. No locks, no allocation: for the straight line after an exit. False: the
 * answer, which may be another leaf's, follows the state, and @live is NULL.
 */
bool cpuid_answer(const struct cpuid_table *table, const struct cpuid_live *live, uint32_t leaf,
		  uint32_t index, uint32_t out[4]);

/* The one that answers for @leaf whatever the index and the state; NULL: ask cpuid_answer(). Borrowed. */
const struct kvm_cpuid_entry2 *cpuid_find_plain(const struct cpuid_table *table, uint32_t leaf);

/* Gives @entry, one of ring 3's for leaf and index, the bits that follow the state. */
void cpuid_follow(const struct cpuid_table *table, const struct cpuid_live *live,
		  struct kvm_cpuid_entry2 *entry);

static inline bool cpuid_has(const struct cpuid_table *table, enum cpuid_feature feature)
{
	return table->features[feature >> 5] >> (feature & 31) & 1;
}

/* The host, as the policy sees it. */
struct cpuid_host {
	void (*read)(uint32_t leaf, uint32_t index, uint32_t out[4]);
	uint64_t xcr0; /* that guests may have */
	bool has_invariant_tsc;
};

/**
 * cpuid_supported() - what a guest may be told on this host
 * @entries: room for @max of them
 *
 * Returns how many there are; -E2BIG: more than @max.
 */
MUST_CHECK int cpuid_supported(const struct cpuid_host *host, struct kvm_cpuid_entry2 *entries,
			       uint32_t max);

/* As the processor has it. */
bool cpuid_host_has(const struct cpuid_host *host, enum cpuid_feature feature);

/* The width of guest-physical addresses on this host. */
uint32_t cpuid_host_phys_bits(const struct cpuid_host *host);

/* --- of a vCPU, by whoever holds its lock --- */

/* This machine's. */
const struct cpuid_host *cpuid_host(void);

void cpuid_run(struct vcpu *vcpu, uint32_t leaf, uint32_t index, uint32_t out[4]);

/* What lapic_set_features() wants to know: enum lapic_feature, but for BSP and LINT0; and the width of addresses, 36-52. */
uint32_t cpuid_lapic_features(const struct vcpu *vcpu);
uint32_t cpuid_phys_bits(const struct vcpu *vcpu);

/* KVM_SET_CPUID2, which may change what the APIC has: the caller then sees to lapic_set_features(). KVM_GET_CPUID2. */
int64_t cpuid_set_user(struct vcpu *vcpu, uint64_t argument);
int64_t cpuid_get_user(struct vcpu *vcpu, uint64_t argument);

/* KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID. */
int64_t cpuid_get_supported_user(uint64_t argument);
int64_t cpuid_get_emulated_user(uint64_t argument);
