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

void hypercall_run(struct vcpu *vcpu)
{
	uint64_t *general = vcpu->virt->general;
	struct hypercall call = { general[VIRT_RAX],
				  { general[VIRT_RBX], general[VIRT_RCX], general[VIRT_RDX],
				    general[VIRT_RSI] } };
	struct virt_mode mode;
	int64_t result = -KVM_EPERM;

	virt->get_mode(vcpu->virt, &mode);
	call.is_64 = mode.code_bytes == 8;
	if (!call.is_64) {
		call.number = (uint32_t)call.number;
		for (uint32_t i = 0; i < ARRAY_SIZE(call.a); i++)
			call.a[i] = (uint32_t)call.a[i];
	}
	vcpu_skip(vcpu);
	if (!mode.cpl)
		result = dispatch(vcpu, &call);
	general[VIRT_RAX] = call.is_64 ? (uint64_t)result : (uint32_t)result;
}
