/*
 * A guest's registers in the VMCB, as the rest of the kernel and the KVM API know them. See virt/ops.h.
 *
 * Source: AMD APM vol. 2, 15.5 "VMRUN Instruction", appendix B "Layout of VMCB".
 */
#include <errno.h>
#include <stddef.h>

#include "kernel/arch/regs.h"
#include "kernel/svm/svm.h"
#include "kernel/virt/insn.h"

enum {
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	MSR_DEBUG_CONTROL = 0x1d9,
	MSR_PAT = 0x277,

	SEGMENT_TYPE = 0xf,
	SEGMENT_SYSTEM = 1 << 4, /* clear: a system segment */
	SEGMENT_PRESENT = 1 << 7,
	SEGMENT_LONG = 1 << 9,
	SEGMENT_BIG = 1 << 10,
	TYPE_ACCESSED = 1 << 0,
	TYPE_BUSY = 1 << 1,
};

#define EFER_GUEST  (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR)
#define EFER_FFXSR  (UINT64_C(1) << 14)
#define CR3_PCID    UINT64_C(0xfff)
#define CANONICAL   47
#define LOWER_HALF  (UINT64_C(1) << CANONICAL)
#define DEBUGCTL_OK UINT64_C(0x3f)

/* --- segments --- */

static void put_segment(struct kvm_segment *to, const struct vmcb_segment *from)
{
	uint16_t bits = from->attributes;

	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = bits & SEGMENT_TYPE,
		.s = bits >> 4 & 1,
		.dpl = bits >> 5 & 3,
		.present = bits >> 7 & 1,
		.avl = bits >> 8 & 1,
		.l = bits >> 9 & 1,
		.db = bits >> 10 & 1,
		.g = bits >> 11 & 1,
		.unusable = !(bits & SEGMENT_PRESENT),
	};
}

static void take_segment(struct vmcb_segment *to, const struct kvm_segment *from)
{
	uint32_t bits = (from->type & 0xfu) | (from->s & 1u) << 4 | (from->dpl & 3u) << 5 |
			(from->present & 1u) << 7 | (from->avl & 1u) << 8 | (from->l & 1u) << 9 |
			(from->db & 1u) << 10 | (from->g & 1u) << 11;

	*to = (struct vmcb_segment){ from->selector, from->unusable ? 0 : (uint16_t)bits,
				     from->limit, from->base };
}

/* Whether it was accessed isn't kept for these. */
static void put_data_segment(struct kvm_segment *to, const struct vmcb_segment *from)
{
	put_segment(to, from);
	to->type |= to->unusable ? 0 : TYPE_ACCESSED;
}

void svm_get_sregs(struct virt_vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct vmcb_save *save = &vmcb_of(vcpu)->save;

	put_segment(&sregs->cs, &save->cs);
	put_data_segment(&sregs->ds, &save->ds);
	put_data_segment(&sregs->es, &save->es);
	put_data_segment(&sregs->fs, &save->fs);
	put_data_segment(&sregs->gs, &save->gs);
	put_segment(&sregs->ss, &save->ss);
	put_segment(&sregs->tr, &save->tr);
	put_segment(&sregs->ldt, &save->ldtr);
	/* The CPL is its own field here, and SS's DPL in the API; whether the TSS is busy isn't kept. */
	sregs->ss.dpl = save->cpl;
	sregs->tr.type |= TYPE_BUSY;
	sregs->gdt.base = save->gdtr.base;
	sregs->gdt.limit = (uint16_t)save->gdtr.limit;
	sregs->idt.base = save->idtr.base;
	sregs->idt.limit = (uint16_t)save->idtr.limit;
	sregs->cr0 = save->cr0;
	sregs->cr2 = save->cr2;
	sregs->cr3 = save->cr3;
	sregs->cr4 = save->cr4;
	sregs->efer = save->efer & ~EFER_SVME;
}

/* What VMRUN would refuse ("canonicalization and consistency checks") is refused here, as KVM does. */
static bool are_consistent(const struct kvm_sregs *sregs)
{
	bool is_paging = sregs->cr0 & X86_CR0_PG, is_long = sregs->efer & EFER_LME;

	if (is_paging && !(sregs->cr0 & X86_CR0_PE))
		return false;
	if ((sregs->cr0 & X86_CR0_NW) && !(sregs->cr0 & X86_CR0_CD))
		return false;
	if (sregs->cr0 >> 32 || sregs->cr4 >> 32)
		return false;
	if (is_long && is_paging)
		return (sregs->cr4 & X86_CR4_PAE) && (sregs->efer & EFER_LMA) &&
		       !(sregs->cs.l && sregs->cs.db);
	return !(sregs->efer & EFER_LMA) && !sregs->cs.l;
}

int svm_set_sregs(struct virt_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct vmcb_save *save = &vmcb_of(vcpu)->save;

	if (!are_consistent(sregs))
		return -EINVAL;
	take_segment(&save->cs, &sregs->cs);
	take_segment(&save->ds, &sregs->ds);
	take_segment(&save->es, &sregs->es);
	take_segment(&save->fs, &sregs->fs);
	take_segment(&save->gs, &sregs->gs);
	take_segment(&save->ss, &sregs->ss);
	take_segment(&save->tr, &sregs->tr);
	take_segment(&save->ldtr, &sregs->ldt);
	save->gdtr = (struct vmcb_segment){ 0, 0, sregs->gdt.limit, sregs->gdt.base };
	save->idtr = (struct vmcb_segment){ 0, 0, sregs->idt.limit, sregs->idt.base };
	save->cpl = sregs->ss.dpl;
	save->cr0 = sregs->cr0;
	save->cr2 = sregs->cr2;
	save->cr3 = sregs->cr3;
	save->cr4 = sregs->cr4;
	save->efer = (sregs->efer & EFER_GUEST) | EFER_SVME;
	to_svm(vcpu)->needs_flush = true;
	return 0;
}

static uint8_t code_bytes(const struct vmcb_save *save)
{
	if ((save->efer & EFER_LMA) && (save->cs.attributes & SEGMENT_LONG))
		return 8;
	return save->cs.attributes & SEGMENT_BIG ? 4 : 2;
}

void svm_get_mode(struct virt_vcpu *vcpu, struct virt_mode *out)
{
	const struct vmcb_save *save = &vmcb_of(vcpu)->save;

	*out = (struct virt_mode){
		.cr0 = save->cr0,
		.cr3 = save->cr3,
		.cr4 = save->cr4,
		.efer = save->efer,
		.segment_base = { [INSN_ES] = save->es.base,
				  [INSN_CS] = save->cs.base,
				  [INSN_SS] = save->ss.base,
				  [INSN_DS] = save->ds.base,
				  [INSN_FS] = save->fs.base,
				  [INSN_GS] = save->gs.base },
		.code_bytes = code_bytes(save),
		.cpl = save->cpl,
		.is_virtual_8086 = vcpu->rflags & X86_EFLAGS_VM,
	};
	out->stack_bytes = save->ss.attributes & SEGMENT_BIG ? 4 : 2;
	if (out->code_bytes == 8)
		out->stack_bytes = 8;
}

struct virt_level svm_get_level(struct virt_vcpu *vcpu)
{
	const struct vmcb_save *save = &vmcb_of(vcpu)->save;

	return (struct virt_level){ save->cr3, save->cpl, code_bytes(save) == 8 };
}

/* --- control and debug registers --- */

uint64_t svm_get_cr(struct virt_vcpu *vcpu, uint32_t number)
{
	const struct vmcb_save *save = &vmcb_of(vcpu)->save;

	return number ? save->cr4 : save->cr0;
}

/* Long mode is entered and left with paging. */
static int set_cr0(struct vmcb_save *save, uint64_t value)
{
	bool is_paging = value & X86_CR0_PG, was_paging = save->cr0 & X86_CR0_PG;

	value |= X86_CR0_ET;
	if (value >> 32 || (is_paging && !(value & X86_CR0_PE)) ||
	    ((value & X86_CR0_NW) && !(value & X86_CR0_CD)))
		return -EINVAL;
	if (is_paging && !was_paging && (save->efer & EFER_LME)) {
		if (!(save->cr4 & X86_CR4_PAE) || (save->cs.attributes & SEGMENT_LONG))
			return -EINVAL;
		save->efer |= EFER_LMA;
	}
	if (!is_paging && was_paging) {
		if ((save->cr4 & X86_CR4_PCIDE) || code_bytes(save) == 8)
			return -EINVAL;
		save->efer &= ~EFER_LMA;
	}
	save->cr0 = value;
	return 0;
}

static int set_cr4(struct vmcb_save *save, uint64_t value)
{
	bool is_long = save->efer & EFER_LMA;

	if (value >> 32 || (is_long && !(value & X86_CR4_PAE)))
		return -EINVAL;
	if ((value & ~save->cr4 & X86_CR4_PCIDE) && (!is_long || (save->cr3 & CR3_PCID)))
		return -EINVAL;
	save->cr4 = value;
	return 0;
}

int svm_set_cr(struct virt_vcpu *vcpu, uint32_t number, uint64_t value)
{
	struct vmcb_save *save = &vmcb_of(vcpu)->save;

	to_svm(vcpu)->needs_flush = true;
	return number ? set_cr4(save, value) : set_cr0(save, value);
}

void svm_set_cr2(struct virt_vcpu *vcpu, uint64_t value)
{
	vmcb_of(vcpu)->save.cr2 = value;
}

uint64_t svm_get_dr(struct virt_vcpu *vcpu, uint32_t number)
{
	return number == 6 ? vmcb_of(vcpu)->save.dr6 : vmcb_of(vcpu)->save.dr7;
}

void svm_set_dr(struct virt_vcpu *vcpu, uint32_t number, uint64_t value)
{
	if (number == 6)
		vmcb_of(vcpu)->save.dr6 = value;
	else
		vmcb_of(vcpu)->save.dr7 = value;
}

/* --- MSRs --- */

static uint64_t *register_of(struct virt_vcpu *vcpu, uint32_t msr)
{
	struct vmcb_save *save = &vmcb_of(vcpu)->save;

	switch (msr) {
	case MSR_STAR:
		return &save->star;
	case MSR_LSTAR:
		return &save->lstar;
	case MSR_CSTAR:
		return &save->cstar;
	case MSR_SFMASK:
		return &save->sfmask;
	case MSR_FS_BASE:
		return &save->fs.base;
	case MSR_GS_BASE:
		return &save->gs.base;
	case MSR_KERNEL_GS_BASE:
		return &save->kernel_gs_base;
	case MSR_SYSENTER_CS:
		return &save->sysenter_cs;
	case MSR_SYSENTER_ESP:
		return &save->sysenter_esp;
	case MSR_SYSENTER_EIP:
		return &save->sysenter_eip;
	case MSR_PAT:
		return &save->pat;
	case MSR_DEBUG_CONTROL:
		return &save->debug_control;
	case MSR_TSC_AUX: /* whatever ring 3 has told the guest: without it nothing is ever loaded */
		return svm_features.has_tsc_aux ? &to_svm(vcpu)->tsc_aux : NULL;
	default:
		return NULL;
	}
}

int svm_get_msr(struct virt_vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	const uint64_t *from = register_of(vcpu, msr);

	if (msr == MSR_EFER) {
		*out = vmcb_of(vcpu)->save.efer & ~EFER_SVME;
		return 0;
	}
	if (!from)
		return -ENOENT;
	*out = *from;
	return 0;
}

static bool is_canonical(uint64_t address)
{
	return address + LOWER_HALF < LOWER_HALF * 2;
}

/* Memory types 0, 1 and 4 to 7. */
static bool is_pat(uint64_t value)
{
	for (uint32_t i = 0; i < 8; i++, value >>= 8)
		if ((value & 0xff) > 7 || (value & 0xfe) == 2)
			return false;
	return true;
}

static bool is_possible(uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
		return is_canonical(value);
	case MSR_PAT:
		return is_pat(value);
	case MSR_TSC_AUX:
		return !(value >> 32);
	case MSR_DEBUG_CONTROL:
		return !(value & ~DEBUGCTL_OK);
	default:
		return true;
	}
}

/* LMA follows LME and paging by itself; LME stays while there is paging. */
static int set_efer(struct vmcb_save *save, uint64_t value)
{
	uint64_t changed = save->efer ^ value;

	if (value & ~EFER_GUEST)
		return -EINVAL;
	if ((changed & EFER_LME) && (save->cr0 & X86_CR0_PG))
		return -EINVAL;
	save->efer = (value & ~EFER_LMA) | (save->efer & EFER_LMA) | EFER_SVME;
	return 0;
}

int svm_set_msr(struct virt_vcpu *vcpu, uint32_t msr, uint64_t value)
{
	uint64_t *to = register_of(vcpu, msr);

	if (msr == MSR_EFER) {
		to_svm(vcpu)->needs_flush = true;
		return set_efer(&vmcb_of(vcpu)->save, value);
	}
	if (!to)
		return -ENOENT;
	if (!is_possible(msr, value))
		return -EINVAL;
	*to = value;
	return 0;
}
