/*
 * Time for guests: the vCPU's time-stamp counter, kvmclock, steal time.
 *
 * Guest TSC = host TSC + tsc_offset, the same for all vCPUs of a VM unless somebody writes to one: so kvmclock's parameters are
 * computed from one point of the VM's (struct vm_clock) and are flagged stable across vCPUs. Pages of the guest that hold
 * them are written by pvclock_update(), by the vCPU's own thread before it enters.
 *
 * Fields: [L] vcpu->lock  [C] vm->clock.lock  [a] atomic
 * Source: KVM API, "KVM_GET_CLOCK"; Documentation/virt/kvm/x86/msr.rst, timekeeping.rst.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/arch/spinlock.h"
#include "lib/compiler.h"

struct vcpu;
struct vm;

struct vm_clock {
	struct spinlock lock;
	uint64_t anchor_tsc; /* [C] the host's, when */
	uint64_t anchor_ns;  /* [C] kvmclock was this */
	uint64_t wall_msr;   /* [C] MSR_KVM_WALL_CLOCK(_NEW), as last written */
	uint64_t tsc_offset; /* [C] that of vCPUs to come, and of those that ring 3 sets alike */
};

/* How kvmclock's nanoseconds follow from ticks of the host's TSC: ((ticks << shift) * multiplier) >> 32. */
struct pvclock_scale {
	uint32_t multiplier;
	int8_t shift;
};

struct pvclock {
	uint64_t tsc_offset;  /* [L] guest TSC less the host's; virt knows it too */
	uint64_t tsc_adjust;  /* [L] IA32_TSC_ADJUST */
	uint64_t system_msr;  /* [L] MSR_KVM_SYSTEM_TIME(_NEW) */
	uint64_t steal_msr;   /* [L] MSR_KVM_STEAL_TIME */
	uint64_t waited_seen; /* [L] the thread's waiting when it was last reported, ns */
	uint64_t stolen_ns;   /* [L] reported so far */
	uint32_t waiter;      /* [L] whose: the thread's id */
	bool was_paused;      /* [L] KVM_KVMCLOCK_CTRL: tell the guest once */
	bool is_needed;	      /* [a] pvclock_update() before the next entry */
};

/* Pure: for a counter of @hz, not 0. */
struct pvclock_scale pvclock_scale_of(uint64_t hz);
uint64_t pvclock_scale_ticks(struct pvclock_scale scale, uint64_t ticks);

void vm_clock_create(struct vm_clock *clock);

/* Once, when the vCPU exists: its TSC goes on from the VM's. */
void pvclock_create(struct vcpu *vcpu);

/* For the run loop: must pvclock_update() come before the next entry, or has the thread waited for a processor? */
bool pvclock_is_due(const struct vcpu *vcpu);

/*
 * Writes system time and steal time to the guest. A guest without them: nothing happens, cheaply.
 * Context: the vCPU's thread, interrupts on, no locks but vcpu->lock: guest memory may have to be fetched.
 */
void pvclock_update(struct vcpu *vcpu);

/*
 * Around the time in which the vCPU could run and hasn't a processor: other vCPUs then needn't wait for it, and leave it a
 * flush of its translations instead of an interrupt. False: the guest doesn't want to know, and there is nothing to take back.
 * Context: as above; not amid an instruction.
 */
MUST_CHECK bool pvclock_preempted(struct vcpu *vcpu);
void pvclock_returned(struct vcpu *vcpu);

/* The guest's TSC now, and when (clock_ns()) it will be at @guest_tsc. */
uint64_t pvclock_tsc(const struct vcpu *vcpu);
uint64_t pvclock_ns_of_tsc(const struct vcpu *vcpu, uint64_t guest_tsc);

/* For msrs.c. -1: #GP. */
MUST_CHECK int pvclock_get_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *out);
MUST_CHECK int pvclock_set_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host);
void pvclock_set_tsc(struct vcpu *vcpu, uint64_t value, bool is_host);
void pvclock_set_tsc_adjust(struct vcpu *vcpu, uint64_t value, bool is_host);

/* KVM_GET_CLOCK, KVM_SET_CLOCK; KVM_KVMCLOCK_CTRL, KVM_SET_TSC_KHZ, KVM_GET_TSC_KHZ. */
int64_t vm_clock_get_user(struct vm *vm, uint64_t argument);
int64_t vm_clock_set_user(struct vm *vm, uint64_t argument);
int64_t pvclock_paused(struct vcpu *vcpu);
int64_t pvclock_set_tsc_khz(struct vcpu *vcpu, uint64_t argument);
int64_t pvclock_get_tsc_khz(struct vcpu *vcpu, uint64_t argument);
