/*
 * One vCPU's state in the VMCB, and what its exits mean. See virt/ops.h.
 *
 * Source: AMD APM vol. 2, 15.5 "VMRUN Instruction", 15.7-15.14 (intercepts), 14.1.3 "Processor Initialization State".
 */
#include <errno.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "kernel/svm/svm.h"
#include "kernel/virt/ops.h"

enum {
	IOPM_ORDER = 2,	 /* 12 KiB, of a piece of 16 */
	MSRPM_ORDER = 1, /* 8 KiB */

	SEGMENT_CODE_REAL = 0x9b, /* present, code, read, accessed */
	SEGMENT_DATA_REAL = 0x93,
	SEGMENT_LDT = 0x82,
	SEGMENT_TSS_BUSY = 0x8b,

	IOIO_IN = 1 << 0,
	IOIO_STRING = 1 << 2,
	IOIO_REP = 1 << 3,
	IOIO_SIZE_SHIFT = 4, /* a bit each for 1, 2 and 4 bytes */
	IOIO_PORT_SHIFT = 16,

	NPF_WRITE = 1 << 1,
};

#define DR6_INITIAL  UINT64_C(0xffff0ff0)
#define DR7_INITIAL  UINT64_C(0x400)
#define PAT_INITIAL  UINT64_C(0x0007040600070406)
#define CR0_INITIAL  (CR0_CD | CR0_NW | CR0_ET)
#define RESET_VECTOR UINT64_C(0xfff0)
#define RESET_BASE   UINT64_C(0xffff0000)

/* All ports and all MSRs are intercepted: the same maps for every VM. */
static hpa_t io_map, msr_map;

static int make_map(uint32_t order, hpa_t *out)
{
	int err;

	if (out->v)
		return 0;
	err = frame_alloc(FRAME_KERNEL, order, out);
	if (!err)
		memset(direct(*out), 0xff, PAGE_BYTES << order);
	return err;
}

static struct vmcb_segment segment(uint16_t selector, uint64_t base, uint32_t limit,
				   uint16_t attributes)
{
	return (struct vmcb_segment){ selector, attributes, limit, base };
}

static void reset_save(struct vmcb_save *save)
{
	*save = (struct vmcb_save){
		.cs = segment(0xf000, RESET_BASE, 0xffff, SEGMENT_CODE_REAL),
		.ds = segment(0, 0, 0xffff, SEGMENT_DATA_REAL),
		.es = segment(0, 0, 0xffff, SEGMENT_DATA_REAL),
		.fs = segment(0, 0, 0xffff, SEGMENT_DATA_REAL),
		.gs = segment(0, 0, 0xffff, SEGMENT_DATA_REAL),
		.ss = segment(0, 0, 0xffff, SEGMENT_DATA_REAL),
		.gdtr = segment(0, 0, 0xffff, 0),
		.idtr = segment(0, 0, 0xffff, 0),
		.ldtr = segment(0, 0, 0xffff, SEGMENT_LDT),
		.tr = segment(0, 0, 0xffff, SEGMENT_TSS_BUSY),
		.efer = EFER_SVME, /* VMRUN wants it; the guest doesn't see it */
		.cr0 = CR0_INITIAL,
		.dr6 = DR6_INITIAL,
		.dr7 = DR7_INITIAL,
		.pat = PAT_INITIAL,
		.rflags = RFLAGS_FIXED,
		.rip = RESET_VECTOR,
	};
}

static void set_intercepts(struct vmcb_control *control)
{
	control->intercept_exceptions = 1u << 18; /* machine check: the host's business */
	control->intercepts1 = VMCB_1_INTR | VMCB_1_NMI | VMCB_1_SMI | VMCB_1_INIT | VMCB_1_RDPMC |
			       VMCB_1_CPUID | VMCB_1_INVD | VMCB_1_HLT | VMCB_1_INVLPGA |
			       VMCB_1_IOIO | VMCB_1_MSR | VMCB_1_TASK_SWITCH | VMCB_1_FERR_FREEZE |
			       VMCB_1_SHUTDOWN;
	control->intercepts2 = VMCB_2_VMRUN | VMCB_2_VMMCALL | VMCB_2_VMLOAD | VMCB_2_VMSAVE |
			       VMCB_2_STGI | VMCB_2_CLGI | VMCB_2_SKINIT | VMCB_2_ICEBP |
			       VMCB_2_WBINVD | VMCB_2_MONITOR | VMCB_2_MWAIT | VMCB_2_XSETBV |
			       VMCB_2_RDPRU;
}

static struct object_cache svm_cache = OBJECT_CACHE("svm-vcpu", struct svm_vcpu);

/* To the rest it is a name; here it is a struct svm_vcpu. */
static struct svm_vcpu *to_svm(struct virt_vcpu *vcpu)
{
	return (struct svm_vcpu *)vcpu;
}

static void svm_destroy(struct virt_vcpu *vcpu)
{
	if (to_svm(vcpu)->vmcb)
		page_free(to_svm(vcpu)->vmcb);
	object_free(&svm_cache, vcpu);
}

static void fill_vmcb(struct vmcb *vmcb, hpa_t nested_top)
{
	set_intercepts(&vmcb->control);
	vmcb->control.iopm_base = io_map.v;
	vmcb->control.msrpm_base = msr_map.v;
	vmcb->control.v_control = VMCB_V_INTR_MASKING;
	vmcb->control.nested_control = VMCB_NESTED_PAGING;
	vmcb->control.nested_cr3 = nested_top.v;
	/* One id for all, and a flush at every entry, until ids are handed out. */
	vmcb->control.asid = 1;
	vmcb->control.tlb_control = VMCB_TLB_FLUSH_ALL;
	reset_save(&vmcb->save);
}

static int svm_create(hpa_t nested_top, struct virt_vcpu **out)
{
	struct svm_vcpu *vcpu = object_alloc(&svm_cache);

	if (!vcpu)
		return -ENOMEM;
	vcpu->vmcb = page_alloc();
	if (!vcpu->vmcb || make_map(IOPM_ORDER, &io_map) || make_map(MSRPM_ORDER, &msr_map)) {
		svm_destroy((struct virt_vcpu *)vcpu);
		return -ENOMEM;
	}
	fill_vmcb(vcpu->vmcb, nested_top);
	*out = (struct virt_vcpu *)vcpu;
	return 0;
}

/* --- registers --- */

static void svm_get_regs(struct virt_vcpu *vcpu, struct kvm_regs *regs)
{
	const struct svm_regs *from = &to_svm(vcpu)->regs;
	const struct vmcb_save *save = &to_svm(vcpu)->vmcb->save;

	*regs = (struct kvm_regs){
		.rax = save->rax,
		.rbx = from->rbx,
		.rcx = from->rcx,
		.rdx = from->rdx,
		.rsi = from->rsi,
		.rdi = from->rdi,
		.rsp = save->rsp,
		.rbp = from->rbp,
		.r8 = from->r8,
		.r9 = from->r9,
		.r10 = from->r10,
		.r11 = from->r11,
		.r12 = from->r12,
		.r13 = from->r13,
		.r14 = from->r14,
		.r15 = from->r15,
		.rip = save->rip,
		.rflags = save->rflags,
	};
}

static void svm_set_regs(struct virt_vcpu *vcpu, const struct kvm_regs *regs)
{
	struct vmcb_save *save = &to_svm(vcpu)->vmcb->save;

	to_svm(vcpu)->regs = (struct svm_regs){
		.rbx = regs->rbx,
		.rcx = regs->rcx,
		.rdx = regs->rdx,
		.rsi = regs->rsi,
		.rdi = regs->rdi,
		.rbp = regs->rbp,
		.r8 = regs->r8,
		.r9 = regs->r9,
		.r10 = regs->r10,
		.r11 = regs->r11,
		.r12 = regs->r12,
		.r13 = regs->r13,
		.r14 = regs->r14,
		.r15 = regs->r15,
	};
	save->rax = regs->rax;
	save->rsp = regs->rsp;
	save->rip = regs->rip;
	save->rflags = regs->rflags | RFLAGS_FIXED;
}

static void put_segment(struct kvm_segment *to, const struct vmcb_segment *from)
{
	uint16_t bits = from->attributes;

	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = bits & 0xf,
		.s = bits >> 4 & 1,
		.dpl = bits >> 5 & 3,
		.present = bits >> 7 & 1,
		.avl = bits >> 8 & 1,
		.l = bits >> 9 & 1,
		.db = bits >> 10 & 1,
		.g = bits >> 11 & 1,
		.unusable = !(bits >> 7 & 1),
	};
}

static void take_segment(struct vmcb_segment *to, const struct kvm_segment *from)
{
	uint32_t bits = (from->type & 0xfu) | (from->s & 1u) << 4 | (from->dpl & 3u) << 5 |
			(from->present & 1u) << 7 | (from->avl & 1u) << 8 | (from->l & 1u) << 9 |
			(from->db & 1u) << 10 | (from->g & 1u) << 11;

	*to = segment(from->selector, from->base, from->limit, from->unusable ? 0 : (uint16_t)bits);
}

static void svm_get_sregs(struct virt_vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct vmcb_save *save = &to_svm(vcpu)->vmcb->save;

	put_segment(&sregs->cs, &save->cs);
	put_segment(&sregs->ds, &save->ds);
	put_segment(&sregs->es, &save->es);
	put_segment(&sregs->fs, &save->fs);
	put_segment(&sregs->gs, &save->gs);
	put_segment(&sregs->ss, &save->ss);
	put_segment(&sregs->tr, &save->tr);
	put_segment(&sregs->ldt, &save->ldtr);
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
	bool is_paging = sregs->cr0 & CR0_PG, is_long = sregs->efer & EFER_LME;

	if (is_paging && !(sregs->cr0 & CR0_PE))
		return false;
	if ((sregs->cr0 & CR0_NW) && !(sregs->cr0 & CR0_CD))
		return false;
	if (sregs->cr0 >> 32 || sregs->cr4 >> 32)
		return false;
	if (is_long && is_paging)
		return (sregs->cr4 & CR4_PAE) && (sregs->efer & EFER_LMA) &&
		       !(sregs->cs.l && sregs->cs.db);
	return !(sregs->efer & EFER_LMA) && !sregs->cs.l;
}

static int svm_set_sregs(struct virt_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct vmcb_save *save = &to_svm(vcpu)->vmcb->save;

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
	save->gdtr = segment(0, sregs->gdt.base, sregs->gdt.limit, 0);
	save->idtr = segment(0, sregs->idt.base, sregs->idt.limit, 0);
	save->cpl = sregs->ss.dpl;
	save->cr0 = sregs->cr0;
	save->cr2 = sregs->cr2;
	save->cr3 = sregs->cr3;
	save->cr4 = sregs->cr4;
	save->efer = (sregs->efer & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)) | EFER_SVME;
	return 0;
}

static void svm_set_rax(struct virt_vcpu *vcpu, uint64_t value, uint32_t bytes)
{
	uint64_t *rax = &to_svm(vcpu)->vmcb->save.rax;

	/* A write to a 32-bit register clears the upper half; narrower ones leave the rest. */
	if (bytes == 4)
		*rax = (uint32_t)value;
	else
		memcpy(rax, &value, bytes);
}

/* --- exits --- */

/* The processor says where the next instruction begins: in EXITINFO2, with or without NRIP save. */
static void exit_port(struct vmcb *vmcb, struct virt_exit *out)
{
	uint64_t info = vmcb->control.exit_info1;

	out->kind = VIRT_EXIT_PORT;
	out->port.number = (uint16_t)(info >> IOIO_PORT_SHIFT);
	out->port.bytes = (uint8_t)(info >> IOIO_SIZE_SHIFT & 7);
	out->port.is_in = info & IOIO_IN;
	out->port.is_string = info & (IOIO_STRING | IOIO_REP);
	out->port.value = (uint32_t)vmcb->save.rax;
	if (!out->port.is_string)
		vmcb->save.rip = vmcb->control.exit_info2;
}

static void exit_halt(struct vmcb *vmcb, struct virt_exit *out)
{
	vmcb->save.rip++;
	out->kind = VIRT_EXIT_HALT;
}

static void exit_memory(const struct vmcb *vmcb, struct virt_exit *out)
{
	out->kind = VIRT_EXIT_MEMORY;
	out->memory.at = gpa(vmcb->control.exit_info2);
	out->memory.is_write = vmcb->control.exit_info1 & NPF_WRITE;
}

static void describe_exit(struct vmcb *vmcb, struct virt_exit *out)
{
	out->code = vmcb->control.exit_code;
	switch (out->code) {
	case VMEXIT_INTR:
	case VMEXIT_NMI:
		out->kind = VIRT_EXIT_INTERRUPT;
		break;
	case VMEXIT_IOIO:
		exit_port(vmcb, out);
		break;
	case VMEXIT_HLT:
		exit_halt(vmcb, out);
		break;
	case VMEXIT_NPF:
		exit_memory(vmcb, out);
		break;
	case VMEXIT_SHUTDOWN:
		reset_save(&vmcb->save); /* its contents are undefined now */
		out->kind = VIRT_EXIT_SHUTDOWN;
		break;
	case VMEXIT_INVALID:
		out->kind = VIRT_EXIT_REFUSED;
		break;
	default:
		out->kind = VIRT_EXIT_UNHANDLED;
		break;
	}
}

static void svm_enter_guest(struct virt_vcpu *vcpu, struct virt_exit *out)
{
	irq_disable();
	svm_run(to_svm(vcpu));
	trace(TRACE_EXIT, to_svm(vcpu)->vmcb->control.exit_code, to_svm(vcpu)->vmcb->save.rip);
	irq_enable();
	describe_exit(to_svm(vcpu)->vmcb, out);
}

const struct virt_ops svm_ops = {
	.name = "svm",
	.init = svm_init,
	.init_cpu = svm_init_cpu,
	.create = svm_create,
	.destroy = svm_destroy,
	.get_regs = svm_get_regs,
	.set_regs = svm_set_regs,
	.get_sregs = svm_get_sregs,
	.set_sregs = svm_set_sregs,
	.set_rax = svm_set_rax,
	.enter = svm_enter_guest,
};
