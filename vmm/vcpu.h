/*
 * A virtual processor: a thread that runs the guest and handles what KVM leaves to ring 3.
 *
 *   - vcpu_create() makes it, vcpu_set_entry() points the first one at the kernel, vcpu_start() starts the
 *     thread, which waits at the VM's gate.
 *   - To touch a vCPU's state, close the gate, vcpu_kick() all, and wait: a vCPU that stands at the gate
 *     has completed its last exit, so its registers are whole.
 *   - vcpu_reset() brings back the state that the vCPU had when it was made.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>

#include "vmm/boot/boot.h"
#include "vmm/cpuid.h"
#include "vmm/vcpu_state.h"

enum { VCPU_EXITS_MAX = 64 };

struct vm;

/* Fields: [I] immutable after vcpu_create()  [T] its thread, or anyone while the gate holds it  [a] atomic */
struct vcpu {
	struct vm *vm;	     /* [I] */
	uint32_t id;	     /* [I] its APIC id */
	int fd;		     /* [I] */
	struct kvm_run *run; /* [T], but for immediate_exit [a] */
	pthread_t thread;
	bool has_thread;
	bool has_unfinished_exit;	/* [T] the kernel has yet to take what we answered */
	struct vcpu_state *initial;	/* [I] */
	uint64_t exits[VCPU_EXITS_MAX]; /* [a] by KVM_EXIT_*; written by its thread */
};

MUST_CHECK int vcpu_create(struct vm *vm, uint32_t id, struct cpuid_table *cpuid,
			   const struct vcpu_msrs *msrs, struct vcpu *out, struct errmsg *why);
void vcpu_destroy(struct vcpu *vcpu);

MUST_CHECK int vcpu_start(struct vcpu *vcpu, struct errmsg *why);
void vcpu_join(struct vcpu *vcpu);

MUST_CHECK int vcpu_reset(struct vcpu *vcpu, struct errmsg *why);
MUST_CHECK int vcpu_set_entry(struct vcpu *vcpu, const struct boot_entry *entry,
			      struct errmsg *why);

/* Out of the guest, to have a look at the gate and at what is to be injected. Any thread. */
void vcpu_kick(struct vcpu *vcpu);

/* The name of a KVM_EXIT_* reason, for statistics; NULL: not one that we know. */
const char *vcpu_exit_name(uint32_t reason);

/* Lets vcpu_kick()'s signal interrupt a system call and do nothing else. Once per process. */
void vcpu_init_kicks(void);
