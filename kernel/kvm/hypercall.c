/*
 * What a guest asks of the hypervisor itself: VMMCALL with a number in RAX; or VMCALL, for guests that go by the other vendor.
 *
 * Source: Documentation/virt/kvm/x86/hypercalls.rst; <linux/kvm_para.h>.
 */
#include <linux/kvm_para.h>

#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/sched/thread.h"
#include "kernel/virt/insn.h"
#include "kernel/virt/walk.h"

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

enum virt_fast hypercall_run(struct vcpu *vcpu, bool is_straight)
{
	struct virt_level level = virt->get_level(vcpu->virt);
	uint64_t mask = level.is_64 ? UINT64_MAX : UINT32_MAX,
		 number = vcpu->virt->general[VIRT_RAX] & mask;
	int64_t result;

	if (is_straight && has_effect(number))
		return VIRT_FAST_NOT;
	if (is_straight) /* which isn't taken by who steps through the guest */
		virt->skip(vcpu->virt);
	else
		vcpu_skip(vcpu);
	result = level.cpl ? -KVM_EPERM : dispatch(vcpu, number, mask);
	vcpu->virt->general[VIRT_RAX] = (uint64_t)result & mask;
	return VIRT_FAST_ON;
}

/* --- VMCALL on a processor that doesn't have it --- */

static bool is_at(struct vcpu *vcpu, const uint8_t *bytes, uint32_t count)
{
	uint64_t linear = vcpu->virt->rip;
	struct virt_mode mode;
	uint32_t error;
	uint8_t byte;
	gpa_t at;

	virt->get_mode(vcpu->virt, &mode);
	if (mode.code_bytes != 8)
		linear = (uint32_t)(mode.segment_base[INSN_CS] + linear);
	for (uint32_t i = 0; i < count; i++)
		if (emulate_translate(vcpu, linear + i,
				      WALK_FETCH | (mode.cpl == 3 ? WALK_USER : 0u), &at, &error) ||
		    vm_read_guest(vcpu->vm, at, &byte, sizeof(byte)) || byte != bytes[i])
			return false;
	return true;
}

bool hypercall_run_vmcall(struct vcpu *vcpu)
{
	static const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1 };
	uint64_t next = vcpu->virt->rip + sizeof(vmcall);

	if (!is_at(vcpu, vmcall, sizeof(vmcall)))
		return false;
	(void)hypercall_run(vcpu, false);
	vcpu->virt->rip = next; /* an exception doesn't say how long its instruction was */
	return true;
}
