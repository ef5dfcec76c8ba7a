/*
 * The end of an interrupt by memory (PV EOI): the guest ends the one in service by clearing a bit in its memory, and not by a
 * write to the local APIC, which would take an exit.
 *
 * The bit is offered when an interrupt is delivered that nobody else has to hear the end of and that no other waits behind. The
 * next exit takes it back, whatever it is about: so whenever the guest isn't running the bit is clear, and the APIC is as the guest has
 * left it. Only the straight line after an exit goes on without: while eoi.is_offered, it keeps away from the APIC.
 *
 * A page that isn't there, or a word that holds something else, is the guest's own loss: it goes on without the bit. Once it
 * has been offered and can't be taken back, the guest will find it set: that counts as the end.
 * Source: Documentation/virt/kvm/x86/msr.rst, "MSR_KVM_EOI_EN".
 */
#include <linux/kvm_para.h>

#include "kernel/kvm/vcpu.h"
#include "kernel/mem/user.h"

/* What is in the word: the guest has to clear all of it at first. */
enum { NOTHING, OFFERED };

static gpa_t word_at(const struct pv_eoi *eoi)
{
	return gpa(eoi->msr & ~(uint64_t)KVM_MSR_ENABLED);
}

static void find(struct vcpu *vcpu, uint64_t msr, uint64_t slots_version)
{
	struct pv_eoi *eoi = &vcpu->eoi;
	struct memslot slot;

	*eoi = (struct pv_eoi){ .msr = msr, .slots_version = slots_version };
	if (!vm_find_hva(vcpu->vm, word_at(eoi), sizeof(uint32_t), true, &eoi->hva))
		eoi->hva = 0;
	eoi->is_logged = vm_find_slot(vcpu->vm, word_at(eoi), &slot) && slot.dirty;
}

/* False: it wasn't @from, or can't be reached. Pages are fetched only with interrupts on. */
static bool change(struct vcpu *vcpu, uint32_t from, uint32_t to)
{
	uint64_t msr = vcpu->msrs.values[MSR_SLOT_PV_EOI], version = vm_slots_version(vcpu->vm);
	struct pv_eoi *eoi = &vcpu->eoi;
	uint32_t found;

	if (eoi->msr != msr || eoi->slots_version != version)
		find(vcpu, msr, version);
	if (!eoi->hva || user_word_exchange(eoi->hva, from, to, &found) || found != from)
		return false;
	/* A log that was begun meanwhile has it, too. */
	if (eoi->is_logged || vm_slots_version(vcpu->vm) != version)
		vm_note_write(vcpu->vm, word_at(eoi));
	return true;
}

void pv_eoi_offer(struct vcpu *vcpu)
{
	if (lapic_eoi_may_be_skipped(&vcpu->lapic))
		vcpu->eoi.is_offered = change(vcpu, NOTHING, OFFERED);
}

void pv_eoi_settle(struct vcpu *vcpu)
{
	vcpu->eoi.is_offered = false;
	if (!change(vcpu, OFFERED, NOTHING))
		vcpu_apic_result(vcpu, lapic_eoi(&vcpu->lapic));
}
