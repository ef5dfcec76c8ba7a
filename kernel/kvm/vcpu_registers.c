/*
 * General and system registers, and events: see vcpu_registers.h.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/trap.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/kvm/vcpu_registers.h"
#include "kernel/mem/user.h"

enum {
	VECTORS = 256,
	EVENT_FLAGS = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
		      KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM,
};

#define CR3_PDPTRS UINT64_C(0xffffffe0) /* where PAE's four are */

/* --- general registers --- */

static struct kvm_regs read_regs(const struct vcpu *vcpu)
{
	const uint64_t *general = vcpu->virt->general;

	return (struct kvm_regs){
		.rax = general[VIRT_RAX],
		.rbx = general[VIRT_RBX],
		.rcx = general[VIRT_RCX],
		.rdx = general[VIRT_RDX],
		.rsi = general[VIRT_RSI],
		.rdi = general[VIRT_RDI],
		.rsp = general[VIRT_RSP],
		.rbp = general[VIRT_RBP],
		.r8 = general[8],
		.r9 = general[9],
		.r10 = general[10],
		.r11 = general[11],
		.r12 = general[12],
		.r13 = general[13],
		.r14 = general[14],
		.r15 = general[15],
		.rip = vcpu->virt->rip,
		.rflags = vcpu->virt->rflags,
	};
}

static void write_regs(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	uint64_t *general = vcpu->virt->general;

	general[VIRT_RAX] = regs->rax;
	general[VIRT_RBX] = regs->rbx;
	general[VIRT_RCX] = regs->rcx;
	general[VIRT_RDX] = regs->rdx;
	general[VIRT_RSI] = regs->rsi;
	general[VIRT_RDI] = regs->rdi;
	general[VIRT_RSP] = regs->rsp;
	general[VIRT_RBP] = regs->rbp;
	memcpy(&general[8], &regs->r8, 8 * sizeof(*general));
	vcpu->virt->rip = regs->rip;
	vcpu->virt->rflags = regs->rflags | X86_EFLAGS_FIXED;
	/* As KVM does: an exception that the old registers were to take is none of the new ones'. */
	vcpu->events.exception.kind = VIRT_EVENT_NONE;
	if (vcpu->emulation.state == EMULATION_STEP)
		vcpu->emulation.state = EMULATION_NONE;
}
static_assert(offsetof(struct kvm_regs, rip) == offsetof(struct kvm_regs, r8) + 64, "r8 to r15");

int64_t regs_get_user(struct vcpu *vcpu, uint64_t argument)
{
	const struct kvm_regs regs = read_regs(vcpu);

	return copy_to_user(argument, &regs, sizeof(regs));
}

int64_t regs_set_user(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_regs regs;

	if (copy_from_user(&regs, argument, sizeof(regs)))
		return -EFAULT;
	write_regs(vcpu, &regs);
	return 0;
}

/* --- system registers --- */

static struct kvm_sregs read_sregs(struct vcpu *vcpu)
{
	struct kvm_sregs sregs = { 0 };

	virt->get_sregs(vcpu->virt, &sregs);
	sregs.apic_base = vcpu->lapic.base;
	sregs.cr8 = lapic_cr8(&vcpu->lapic);
	if (vcpu->events.has_interrupt)
		sregs.interrupt_bitmap[vcpu->events.interrupt / 64] |=
			UINT64_C(1) << vcpu->events.interrupt % 64;
	return sregs;
}

/* A vector that was on its way when the state was read. */
static void take_interrupt(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	for (uint32_t vector = 0; vector < VECTORS; vector++) {
		if (!(sregs->interrupt_bitmap[vector / 64] >> vector % 64 & 1))
			continue;
		vcpu->events.has_interrupt = true;
		vcpu->events.interrupt = (uint8_t)vector;
		return;
	}
}

static int write_sregs(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	int err;

	if (!control_allows_cr4(vcpu, sregs->cr4))
		return -EINVAL;
	err = virt->set_sregs(vcpu->virt, sregs);
	if (err)
		return err;
	if (!vm_has_irqchip(vcpu->vm))
		vcpu->lapic.base = sregs->apic_base;
	else if (lapic_set_base(&vcpu->lapic, sregs->apic_base, true) == LAPIC_BASE_REFUSED)
		return -EINVAL;
	lapic_set_cr8(&vcpu->lapic, (uint8_t)sregs->cr8);
	take_interrupt(vcpu, sregs);
	return 0;
}

int64_t sregs_get_user(struct vcpu *vcpu, uint64_t argument)
{
	const struct kvm_sregs sregs = read_sregs(vcpu);

	return copy_to_user(argument, &sregs, sizeof(sregs));
}

int64_t sregs_set_user(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_sregs sregs;

	if (copy_from_user(&sregs, argument, sizeof(sregs)))
		return -EFAULT;
	return write_sregs(vcpu, &sregs);
}

/* The same up to where the one has the interrupt and the other PAE's page directory pointers. */
enum { SREGS_ALIKE = offsetof(struct kvm_sregs2, flags) };
static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == SREGS_ALIKE, "KVM API");

static bool has_pdptrs(const struct kvm_sregs2 *sregs)
{
	return (sregs->cr0 & X86_CR0_PG) && (sregs->cr4 & X86_CR4_PAE) && !(sregs->efer & EFER_LMA);
}

/* With nested paging the processor has none of its own: it reads them from memory, as it needs them. */
int64_t sregs2_get_user(struct vcpu *vcpu, uint64_t argument)
{
	const struct kvm_sregs from = read_sregs(vcpu);
	struct kvm_sregs2 sregs = { 0 };

	memcpy(&sregs, &from, SREGS_ALIKE);
	if (has_pdptrs(&sregs)) {
		sregs.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
		if (vm_read_guest(vcpu->vm, gpa(sregs.cr3 & CR3_PDPTRS), sregs.pdptrs,
				  sizeof(sregs.pdptrs)))
			memset(sregs.pdptrs, 0, sizeof(sregs.pdptrs));
	}
	return copy_to_user(argument, &sregs, sizeof(sregs));
}

int64_t sregs2_set_user(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_sregs to = { 0 };
	struct kvm_sregs2 sregs;

	if (copy_from_user(&sregs, argument, sizeof(sregs)))
		return -EFAULT;
	if ((sregs.flags & ~(uint64_t)KVM_SREGS2_FLAGS_PDPTRS_VALID) ||
	    (sregs.flags && !has_pdptrs(&sregs)))
		return -EINVAL;
	memcpy(&to, &sregs, SREGS_ALIKE);
	return write_sregs(vcpu, &to);
}

/* --- events --- */

static struct kvm_vcpu_events read_events(const struct vcpu *vcpu)
{
	const struct events *from = &vcpu->events;
	return (struct kvm_vcpu_events){
		.exception.injected = from->exception.kind != VIRT_EVENT_NONE,
		.exception.nr = from->exception.vector,
		.exception.has_error_code = from->exception.has_error,
		.exception.pending = from->exception.kind != VIRT_EVENT_NONE &&
				     !from->is_exception_again,
		.exception.error_code = from->exception.error,
		.interrupt.injected = from->has_interrupt,
		.interrupt.nr = from->interrupt,
		.interrupt.shadow = vcpu->virt->has_shadow
					    ? KVM_X86_SHADOW_INT_MOV_SS | KVM_X86_SHADOW_INT_STI
					    : 0,
		.nmi.injected = from->is_nmi_again,
		.nmi.pending = from->nmis_waiting,
		.nmi.masked = from->is_nmi_masked,
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			 KVM_VCPUEVENT_VALID_SMM,
	};
}

static bool are_events_valid(const struct kvm_vcpu_events *events)
{
	bool has_exception = events->exception.injected || events->exception.pending;

	if (events->flags & ~(uint32_t)EVENT_FLAGS)
		return false;
	if (has_exception && (events->exception.nr > 31 || events->exception.nr == TRAP_NMI))
		return false;
	/* There is no system management mode here. */
	return !(events->flags & KVM_VCPUEVENT_VALID_SMM) || !events->smi.smm;
}

static int write_events(struct vcpu *vcpu, const struct kvm_vcpu_events *from)
{
	struct events *events = &vcpu->events;

	if (!are_events_valid(from))
		return -EINVAL;
	events->exception = (struct virt_event){
		.kind = from->exception.injected || from->exception.pending ? VIRT_EVENT_EXCEPTION
									    : VIRT_EVENT_NONE,
		.vector = from->exception.nr,
		.has_error = from->exception.has_error_code,
		.error = from->exception.error_code,
	};
	events->is_exception_again = from->exception.injected;
	events->has_interrupt = from->interrupt.injected;
	events->interrupt = from->interrupt.nr;
	if (from->flags & KVM_VCPUEVENT_VALID_SHADOW)
		vcpu->virt->has_shadow = from->interrupt.shadow;
	events->is_nmi_again = from->nmi.injected;
	if (from->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		events->nmis_waiting = from->nmi.pending;
	events->is_nmi_masked = from->nmi.masked;
	events->is_iret_next = false;
	if (from->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR)
		__atomic_store_n(&vcpu->sipi_vector, from->sipi_vector, __ATOMIC_RELEASE);
	return 0;
}

int64_t vcpu_events_get_user(struct vcpu *vcpu, uint64_t argument)
{
	const struct kvm_vcpu_events events = read_events(vcpu);

	return copy_to_user(argument, &events, sizeof(events));
}

int64_t vcpu_events_set_user(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_vcpu_events events;

	if (copy_from_user(&events, argument, sizeof(events)))
		return -EFAULT;
	return write_events(vcpu, &events);
}

/* --- in the run page, which ring 3 writes to at any time --- */

static int take(struct vcpu *vcpu, uint64_t dirty)
{
	const struct kvm_sync_regs from = vcpu->run->s.regs;
	int err = 0;

	vcpu_settle(vcpu);
	if (dirty & KVM_SYNC_X86_REGS)
		write_regs(vcpu, &from.regs);
	if (dirty & KVM_SYNC_X86_SREGS)
		err = write_sregs(vcpu, &from.sregs);
	if (!err && (dirty & KVM_SYNC_X86_EVENTS))
		err = write_events(vcpu, &from.events);
	if (!err)
		vcpu->run->kvm_dirty_regs = 0;
	return err ? -EINVAL : 0;
}

int registers_take(struct vcpu *vcpu)
{
	uint64_t dirty = __atomic_load_n(&vcpu->run->kvm_dirty_regs, __ATOMIC_ACQUIRE),
		 valid = __atomic_load_n(&vcpu->run->kvm_valid_regs, __ATOMIC_RELAXED);

	if ((dirty | valid) & ~(uint64_t)REGISTERS_SYNCED)
		return -EINVAL;
	return take(vcpu, dirty);
}

void registers_publish(struct vcpu *vcpu)
{
	uint64_t valid = __atomic_load_n(&vcpu->run->kvm_valid_regs, __ATOMIC_RELAXED);
	struct kvm_sync_regs *to = &vcpu->run->s.regs;

	vcpu_settle(vcpu);
	if (valid & KVM_SYNC_X86_REGS)
		to->regs = read_regs(vcpu);
	if (valid & KVM_SYNC_X86_SREGS)
		to->sregs = read_sregs(vcpu);
	if (valid & KVM_SYNC_X86_EVENTS)
		to->events = read_events(vcpu);
}
