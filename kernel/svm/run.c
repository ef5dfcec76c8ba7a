/*
 * Entering a guest: its address space id, the world switch, what comes of it in a straight line. See enter.S.
 *
 * Each CPU hands out ids from 1 on, a new one to a vCPU that comes from another CPU or has to forget its translations; a
 * used-up supply is begun anew with a flush of everything. An id counts as long as its CPU's generation does. (AMD APM
 * vol. 2, 15.16 "TLB Control".)
 */
#include "kernel/arch/paging.h"
#include "kernel/arch/regs.h"
#include "kernel/cpu/cpu.h"
#include "kernel/svm/svm.h"

static_assert(offsetof(struct virt_vcpu, general[VIRT_RCX]) == 8, "enter.S");
static_assert(offsetof(struct virt_vcpu, general[VIRT_RBX]) == 24, "enter.S");
static_assert(offsetof(struct virt_vcpu, general[VIRT_RDI]) == 56, "enter.S");
static_assert(offsetof(struct virt_vcpu, general[15]) == 120, "enter.S");
static_assert(offsetof(struct svm_vcpu, common) == 0, "enter.S");

enum { TPR_BITS = 0xf }; /* of v_tpr: CR8 */
static_assert(VMCB_INTERRUPT_SHADOW == true, "put_registers()");

bool svm_fast_exit(struct svm_vcpu *vcpu);
void svm_enter(struct svm_vcpu *vcpu, uint64_t vmcb, uint64_t host_vmcb);

static void take_id(struct svm_vcpu *vcpu, struct svm_cpu *cpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;

	if (!cpu->ids_generation || cpu->ids_used + 1 >= svm_features.nr_asids) {
		cpu->ids_generation++;
		cpu->ids_used = 0;
		control->tlb_control = VMCB_TLB_FLUSH_ALL;
	}
	control->asid = ++cpu->ids_used;
	vcpu->cpu = cpu;
	vcpu->id_generation = cpu->ids_generation;
}

/* VMCB_TLB_KEEP is what the last exit has left. */
static void prepare_translations(struct svm_vcpu *vcpu, struct svm_cpu *cpu)
{
	bool has_id = vcpu->cpu == cpu && vcpu->id_generation == cpu->ids_generation;

	if (has_id && !vcpu->needs_flush)
		return;
	if (has_id && svm_features.has_flush_by_asid)
		vcpu->vmcb->control.tlb_control = VMCB_TLB_FLUSH_ASID;
	else
		take_id(vcpu, cpu);
	vcpu->needs_flush = false;
}

static void load_tsc_aux(const struct svm_vcpu *vcpu, struct svm_cpu *cpu)
{
	if (cpu->tsc_aux == vcpu->tsc_aux)
		return;
	cpu->tsc_aux = vcpu->tsc_aux;
	wrmsr(MSR_TSC_AUX, vcpu->tsc_aux);
}

static void put_registers(struct svm_vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	struct vmcb_save *save = &vmcb->save;

	save->rax = vcpu->common.general[VIRT_RAX];
	save->rsp = vcpu->common.general[VIRT_RSP];
	save->rip = vcpu->common.rip;
	save->rflags = vcpu->common.rflags | X86_EFLAGS_FIXED;
	vmcb->control.v_tpr = vcpu->common.cr8;
	vmcb->control.interrupt_state = vcpu->common.has_shadow;
}

static void take_registers(struct svm_vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->vmcb;
	const struct vmcb_save *save = &vmcb->save;

	vcpu->common.general[VIRT_RAX] = save->rax;
	vcpu->common.general[VIRT_RSP] = save->rsp;
	vcpu->common.rip = save->rip;
	vcpu->common.rflags = save->rflags;
	vcpu->common.cr8 = vmcb->control.v_tpr & TPR_BITS;
}

/* Those that an instruction carried out in the straight line may have changed; and it ends the interrupt shadow. */
static void put_results(struct svm_vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;

	vmcb->save.rax = vcpu->common.general[VIRT_RAX];
	vmcb->save.rsp = vcpu->common.general[VIRT_RSP];
	vmcb->save.rip = vcpu->common.rip;
	vmcb->save.rflags = vcpu->common.rflags;
	vmcb->control.interrupt_state = 0;
}

/* By what the guest's instruction itself does: not by a walk of its tables, or its own bytes. */
static bool is_fast(const struct vmcb_control *control, enum virt_exit_kind kind)
{
	if (kind == VIRT_EXIT_MEMORY && control->exit_info1 & (VMCB_NPF_WALK | VMCB_NPF_FETCH))
		return false;
	return kind >= VIRT_EXIT_MEMORY && kind <= VIRT_EXIT_HYPERCALL &&
	       !(control->exit_int_info & VMCB_EVENT_VALID);
}

/* With GIF clear and the guest's GS: nothing here may use per-CPU data, fault or take a lock. True: enter again. */
bool svm_fast_exit(struct svm_vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;
	enum virt_fast result = VIRT_FAST_NOT;

	control->event_inject = 0;
	control->tlb_control = VMCB_TLB_KEEP;
	take_registers(vcpu);
	vcpu->kind = svm_exit_kind(vcpu);
	if (is_fast(control, vcpu->kind))
		result = vcpu->fast_exit(vcpu->owner, vcpu->kind, gpa(control->exit_info2));
	if (result == VIRT_FAST_ON)
		put_results(vcpu);
	else if (result == VIRT_FAST_DONE)
		vcpu->kind = VIRT_EXIT_DONE;
	else
		vcpu->common.has_shadow = control->interrupt_state & VMCB_INTERRUPT_SHADOW;
	return result == VIRT_FAST_ON;
}

void svm_enter_guest(struct virt_vcpu *vcpu, struct virt_exit *out)
{
	struct svm_cpu *cpu = &svm_cpus[this_cpu()->id];
	struct svm_vcpu *svm = to_svm(vcpu);

	prepare_translations(svm, cpu);
	load_tsc_aux(svm, cpu);
	put_registers(svm);
	svm_enter(svm, direct_hpa(svm->vmcb).v, cpu->host_vmcb.v);
	trace(TRACE_EXIT, svm->vmcb->control.exit_code, svm->vmcb->save.rip);
	svm_describe_exit(svm, out);
}
