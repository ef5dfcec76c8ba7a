/*
 * A vCPU's model-specific registers: one table says of each how it is kept, what may be written and by whom.
 *
 * An MSR that isn't in the table isn't there: the guest's access is a #GP, and KVM_GET_MSRS and KVM_SET_MSRS stop at it.
 *
 * Fields: [L] vcpu->lock
 * Source: KVM API, "KVM_GET_MSRS"; AMD APM vol. 2, appendix A; Intel SDM vol. 4.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

struct vcpu;

enum { MSRS_MTRR_VARIABLE = 8, MSRS_MTRR_FIXED = 11, MSRS_BANKS_MAX = 32 };

/* Where in struct msrs those are whose value is just kept. */
enum msr_slot {
	MSR_SLOT_MTRR_DEFAULT,
	MSR_SLOT_MTRR_FIXED,
	MSR_SLOT_MTRR_VARIABLE = MSR_SLOT_MTRR_FIXED + MSRS_MTRR_FIXED,
	MSR_SLOT_MISC_ENABLE = MSR_SLOT_MTRR_VARIABLE + 2 * MSRS_MTRR_VARIABLE,
	MSR_SLOT_XSS,
	MSR_SLOT_MICROCODE,
	MSR_SLOT_HWCR,
	MSR_SLOT_OSVW_LENGTH,
	MSR_SLOT_OSVW_STATUS,
	MSR_SLOT_MCG_CAP,
	MSR_SLOT_MCG_STATUS,
	MSR_SLOT_PV_EOI,
	MSR_SLOT_POLL_CONTROL,
	MSR_SLOT_MC_BANKS,
	MSR_SLOTS = MSR_SLOT_MC_BANKS + 4 * MSRS_BANKS_MAX,
};

struct msrs {
	uint64_t values[MSR_SLOTS]; /* [L] */
};

/* As after RESET; once, before the vCPU is anybody's. */
void msrs_reset(struct msrs *msrs);

/*
 * The guest's RDMSR and WRMSR. 0; -1: #GP(0); a write to x2APIC's EOI may give LAPIC_EOI_BROADCAST | vector (lapic.h).
 * Context: the vCPU's thread, interrupts on, no locks but vcpu->lock: kvmclock's may fetch guest memory.
 */
MUST_CHECK int msr_guest_read(struct vcpu *vcpu, uint32_t msr, uint64_t *out);
MUST_CHECK int msr_guest_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* --- between ring 3 and a vCPU --- */

/* As above, for ring 3, which may write more. */
MUST_CHECK int msr_host_read(struct vcpu *vcpu, uint32_t msr, uint64_t *out);
MUST_CHECK int msr_host_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* What the feature MSR @msr says of this machine. -1: it isn't one. */
MUST_CHECK int msr_feature_read(uint32_t msr, uint64_t *out);

/* The numbers of MSRs that hold state, or features. @out: room for @max; NULL with 0. Returns how many there are. */
uint32_t msrs_list(bool is_features, uint32_t *out, uint32_t max);

/* A start-up check of the table: ascending, without overlaps, slots within bounds. */
bool msrs_table_is_sound(void);

/* KVM_GET_MSRS, KVM_SET_MSRS of a vCPU; the former of the system, for feature MSRs. */
int64_t msrs_get_user(struct vcpu *vcpu, uint64_t argument);
int64_t msrs_set_user(struct vcpu *vcpu, uint64_t argument);
int64_t msrs_get_features_user(uint64_t argument);

/* KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST. */
int64_t msrs_list_user(uint64_t argument, bool is_features);
