/*
 * What a guest's CPUID says: what KVM supports, less what a guest shouldn't see, with the topology of its VM:
 * one socket, one core per vCPU, APIC ids from 0.
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>

#include "vmm/kvm.h"

enum { CPUID_ENTRIES_MAX = 256 };

struct cpuid_table {
	struct kvm_cpuid2 header;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/* The same for all vCPUs of a VM; cpuid_personalize() makes it one vCPU's. */
MUST_CHECK int cpuid_query(const struct kvm *kvm, uint32_t cpus, struct cpuid_table *out,
			   struct errmsg *why);
/* Its second half, which needs no KVM: what the host supports becomes what the guest sees. */
void cpuid_fit(struct cpuid_table *table, uint32_t cpus, bool has_tsc_deadline);

void cpuid_personalize(struct cpuid_table *table, uint32_t apic_id);
