/*
 * What a guest asks of the hypervisor itself: VMMCALL with a number in RAX.
 *
 * Source: Documentation/virt/kvm/x86/hypercalls.rst; <linux/kvm_para.h>.
 */
#include <linux/kvm_para.h>

#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/sched/thread.h"

/* A vCPU that waits for a lock in HLT is to go on. */
static int64_t kick_cpu(struct vcpu *vcpu, uint64_t id)
{
	struct vcpu *target;

	if (id >= VM_VCPUS_MAX)
		return 0;
	target = __atomic_load_n(&vcpu->vm->vcpus[id], __ATOMIC_ACQUIRE);
	if (!target)
		return 0;
	__atomic_store_n(&target->is_woken, true, __ATOMIC_RELEASE);
	vcpu_kick(target);
	return 0;
}

static int64_t send_ipi(struct vcpu *vcpu, uint64_t mask)
{
	const uint64_t *general = vcpu->virt->general;

	if (!vm_has_irqchip(vcpu->vm))
		return -KVM_ENOSYS;
	return apic_deliver_many(&vcpu->vm->apics, general[VIRT_RBX] & mask,
				 general[VIRT_RCX] & mask, mask == UINT64_MAX ? 64 : 32,
				 (uint32_t)general[VIRT_RDX], general[VIRT_RSI] & mask);
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

/* @mask: what of a register is an argument. */
static int64_t dispatch(struct vcpu *vcpu, uint64_t number, uint64_t mask)
{
	switch (number) {
	case KVM_HC_VAPIC_POLL_IRQ:
		return 0;
	case KVM_HC_KICK_CPU:
		return kick_cpu(vcpu, vcpu->virt->general[VIRT_RCX] & mask);
	case KVM_HC_SEND_IPI:
		return send_ipi(vcpu, mask);
	case KVM_HC_SCHED_YIELD:
		return sched_yield();
	default:
		return -KVM_ENOSYS;
	}
}

bool hypercall_run(struct vcpu *vcpu, bool is_straight)
{
	struct virt_level level = virt->get_level(vcpu->virt);
	uint64_t mask = level.is_64 ? UINT64_MAX : UINT32_MAX,
		 number = vcpu->virt->general[VIRT_RAX] & mask;
	int64_t result;

	if (is_straight && has_effect(number))
		return false;
	vcpu_skip(vcpu);
	result = level.cpl ? -KVM_EPERM : dispatch(vcpu, number, mask);
	vcpu->virt->general[VIRT_RAX] = (uint64_t)result & mask;
	return true;
}
