/*
 * All that a vCPU consists of, read from KVM and written back: for resets, snapshots and migration.
 *
 * Context: the vCPU is not running and has completed its last exit (vcpu.h).
 */
#pragma once

#include <linux/kvm.h>

#include "vmm/kvm.h"

enum { VCPU_MSRS_MAX = 256 };

struct vcpu_msrs {
	struct kvm_msrs header;
	struct kvm_msr_entry entries[VCPU_MSRS_MAX];
};

struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct vcpu_msrs msrs;
};

/* The MSRs that KVM says belong to a vCPU's state, as a list without values. */
MUST_CHECK int vcpu_state_list_msrs(const struct kvm *kvm, struct vcpu_msrs *out,
				    struct errmsg *why);

MUST_CHECK int vcpu_state_get(int vcpu_fd, const struct vcpu_msrs *list, struct vcpu_state *out,
			      struct errmsg *why);
MUST_CHECK int vcpu_state_set(int vcpu_fd, const struct vcpu_state *state, struct errmsg *why);
