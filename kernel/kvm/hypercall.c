/*
 * What a guest asks of the hypervisor itself: VMMCALL with a number in RAX.
 *
 * Source: Documentation/virt/kvm/x86/hypercalls.rst; <linux/kvm_para.h>.
 */
#include <linux/kvm_para.h>

#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/sched/thread.h"

struct hypercall {
	uint64_t number, a[4];
	bool is_64;
	uint8_t cpl;
};

/* A vCPU that waits for a lock in HLT is to go on. */
static int64_t kick_cpu(struct vcpu *vcpu, const struct hypercall *call)
{
	struct vcpu *target;

	if (call->a[1] >= VM_VCPUS_MAX)
		return 0;
	target = __atomic_load_n(&vcpu->vm->vcpus[call->a[1]], __ATOMIC_ACQUIRE);
	if (!target)
		return 0;
	__atomic_store_n(&target->is_woken, true, __ATOMIC_RELEASE);
	vcpu_kick(target);
	return 0;
}

static int64_t send_ipi(struct vcpu *vcpu, const struct hypercall *call)
{
	if (!vm_has_irqchip(vcpu->vm))
		return -KVM_ENOSYS;
	return apic_deliver_many(&vcpu->vm->apics, call->a[0], call->a[1], call->is_64 ? 64 : 32,
				 (uint32_t)call->a[2], call->a[3]);
}

/* It waits for another vCPU, which may not have a processor. */
static int64_t sched_yield(void)
{
	thread_yield();
	return 0;
}

static bool has_effect(uint64_t number)
{
	return number == KVM_HC_KICK_CPU || number == KVM_HC_SEND_IPI ||
	       number == KVM_HC_SCHED_YIELD;
}

static int64_t dispatch(struct vcpu *vcpu, const struct hypercall *call)
{
	switch (call->number) {
	case KVM_HC_VAPIC_POLL_IRQ:
		return 0;
	case KVM_HC_KICK_CPU:
		return kick_cpu(vcpu, call);
	case KVM_HC_SEND_IPI:
		return send_ipi(vcpu, call);
	case KVM_HC_SCHED_YIELD:
		return sched_yield();
	default:
		return -KVM_ENOSYS;
	}
}

static void read_call(const struct vcpu *vcpu, struct hypercall *call)
{
	const uint64_t *general = vcpu->virt->general;
	uint64_t mask;

	virt->get_level(vcpu->virt, &call->cpl, &call->is_64);
	mask = call->is_64 ? UINT64_MAX : UINT32_MAX;
	call->number = general[VIRT_RAX] & mask;
	call->a[0] = general[VIRT_RBX] & mask;
	call->a[1] = general[VIRT_RCX] & mask;
	call->a[2] = general[VIRT_RDX] & mask;
	call->a[3] = general[VIRT_RSI] & mask;
}

static void carry_out(struct vcpu *vcpu, const struct hypercall *call)
{
	int64_t result = call->cpl ? -KVM_EPERM : dispatch(vcpu, call);

	vcpu->virt->general[VIRT_RAX] = call->is_64 ? (uint64_t)result : (uint32_t)result;
}

void hypercall_run(struct vcpu *vcpu)
{
	struct hypercall call;

	read_call(vcpu, &call);
	vcpu_skip(vcpu);
	carry_out(vcpu, &call);
}

bool hypercall_run_fast(struct vcpu *vcpu)
{
	struct hypercall call;

	if (has_effect((uint32_t)vcpu->virt->general[VIRT_RAX]))
		return false;
	read_call(vcpu, &call);
	virt->skip(vcpu->virt);
	carry_out(vcpu, &call);
	return true;
}
