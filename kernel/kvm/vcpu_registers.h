/*
 * A vCPU's general and system registers and its events, as ring 3 reads and writes them: one by one by ioctl, or together with
 * KVM_RUN, in the run page.
 *
 * All are the owner's. Source: KVM API, "vcpu ioctls", "The kvm_run structure".
 */
#pragma once

#include <asm/kvm.h>

#include "lib/compiler.h"

struct vcpu;

/* What the run page can carry: KVM_CAP_SYNC_REGS. */
enum { REGISTERS_SYNCED = KVM_SYNC_X86_VALID_FIELDS };

/* KVM_GET_REGS and so on. */
int64_t regs_get_user(struct vcpu *vcpu, uint64_t argument);
int64_t regs_set_user(struct vcpu *vcpu, uint64_t argument);
int64_t sregs_get_user(struct vcpu *vcpu, uint64_t argument);
int64_t sregs_set_user(struct vcpu *vcpu, uint64_t argument);
int64_t sregs2_get_user(struct vcpu *vcpu, uint64_t argument);
int64_t sregs2_set_user(struct vcpu *vcpu, uint64_t argument);
int64_t vcpu_events_get_user(struct vcpu *vcpu, uint64_t argument);
int64_t vcpu_events_set_user(struct vcpu *vcpu, uint64_t argument);

/*
 * Before the guest is entered: takes what ring 3 says that it has changed in the run page. -EINVAL: that can't be. After it:
 * puts there what ring 3 wants to see.
 */
MUST_CHECK int registers_take(struct vcpu *vcpu);
void registers_publish(struct vcpu *vcpu);
