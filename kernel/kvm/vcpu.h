/*
 * One virtual processor of /dev/kvm.
 *
 * KVM_RUN's thread is the vCPU. What an exit leaves for ring 3 is in the shared run page; the answer is taken by the next
 * KVM_RUN, before anything else ("completion").
 *
 * Fields: [L] lock: whoever runs an ioctl on it  [I] immutable  [a] atomic
 */
#pragma once

#include <linux/kvm.h>

#include "kernel/fs/file.h"
#include "kernel/kvm/cpuid.h"
#include "kernel/kvm/lapic.h"
#include "kernel/kvm/msrs.h"
#include "kernel/kvm/pvclock.h"
#include "kernel/kvm/vm.h"
#include "kernel/virt/ops.h"

/* What the next KVM_RUN has to finish first. */
enum vcpu_completion {
	COMPLETE_NOTHING,
	COMPLETE_PORT_IN, /* the answer goes into RAX; the instruction is done */
};

enum {
	VCPU_RUN_PAGES = 2, /* the run structure, and behind it the data of port accesses */
	VCPU_RUN_BYTES = VCPU_RUN_PAGES * 4096,
	VCPU_PORT_DATA_AT = 4096,
};

struct vcpu {
	struct vm *vm; /* [I] which owns this; descriptors and mappings count as the VM's */
	uint32_t id;   /* [I] */
	struct mutex lock;
	struct kvm_run *run; /* [I] the kernel's address; ring 3 writes to it at any time */
	enum vcpu_completion completion; /* [L] */
	uint8_t port_bytes;		 /* [L] what completion is about */
	uint64_t tlb_generation;	 /* [L] seen of the VM's */
	uint64_t apic_base;		 /* [L] */
	bool has_run;			 /* [L] the guest has seen its CPUID */
	uint64_t xcr0;			 /* [L] the guest's */
	struct lapic lapic;		 /* its owner holds lock */
	struct cpuid_table cpuid;	 /* [L] */
	struct msrs msrs;		 /* [L] */
	struct pvclock clock;		 /* [L] */
	struct virt_vcpu *virt;		 /* [I] the processor's part: owned; used with lock held */
};

MUST_CHECK int64_t vcpu_create_fd(struct vm *vm, uint64_t id);
void vcpu_destroy(struct vcpu *vcpu);
