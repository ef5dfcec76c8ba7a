/*
 * Why a guest came back, and what to do about it: see vcpu.h.
 */
#include <linux/kvm.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/virt/insn.h"

#define DR6_BS (UINT64_C(1) << 14)

enum { MSR_X2APIC_EOI = 0x80b };

enum vcpu_step vcpu_fail(struct vcpu *vcpu, uint32_t suberror)
{
	vcpu->run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	vcpu->run->internal.suberror = suberror;
	vcpu->run->internal.ndata = 0;
	return VCPU_TO_USER;
}

void vcpu_raise(struct vcpu *vcpu, uint8_t vector)
{
	events_raise(&vcpu->events, vector, false, 0);
}

void vcpu_raise_error(struct vcpu *vcpu, uint8_t vector, uint32_t error)
{
	events_raise(&vcpu->events, vector, true, error);
}

enum vcpu_step vcpu_stop(struct vcpu *vcpu, uint8_t vector)
{
	struct kvm_run *run = vcpu->run;
	struct virt_mode mode;

	virt->get_mode(vcpu->virt, &mode);
	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch = (struct kvm_debug_exit_arch){
		.exception = vector,
		.pc = mode.segment_base[INSN_CS] + vcpu->virt->rip,
		.dr6 = virt->get_dr(vcpu->virt, 6) | (vector == TRAP_DEBUG ? DR6_BS : 0),
		.dr7 = virt->get_dr(vcpu->virt, 7),
	};
	return VCPU_TO_USER;
}

/* The trap after each instruction comes after one that we carried out, too; a debugger's before the guest's. */
static void trap_after(struct vcpu *vcpu, bool is_stepped)
{
	if (vcpu->debug_control & KVM_GUESTDBG_SINGLESTEP) {
		vcpu->is_step_over = true;
	} else if (is_stepped) {
		virt->set_dr(vcpu->virt, 6, virt->get_dr(vcpu->virt, 6) | DR6_BS);
		vcpu_raise(vcpu, TRAP_DEBUG);
	}
}

void vcpu_skip(struct vcpu *vcpu)
{
	bool is_stepped = vcpu->virt->rflags & X86_EFLAGS_TF;

	virt->skip(vcpu->virt);
	trap_after(vcpu, is_stepped);
}

void vcpu_finish_instruction(struct vcpu *vcpu, uint64_t rip)
{
	bool is_stepped = vcpu->virt->rflags & X86_EFLAGS_TF;

	vcpu->virt->rip = rip;
	vcpu->virt->has_shadow = false;
	trap_after(vcpu, is_stepped);
}

/* --- instructions --- */

static void answer_cpuid(struct vcpu *vcpu)
{
	uint64_t *general = vcpu->virt->general;
	uint32_t leaf = (uint32_t)general[VIRT_RAX], out[4];
	const struct kvm_cpuid_entry2 *plain = cpuid_find_plain(&vcpu->cpuid, leaf);

	if (plain) {
		general[VIRT_RAX] = plain->eax;
		general[VIRT_RBX] = plain->ebx;
		general[VIRT_RCX] = plain->ecx;
		general[VIRT_RDX] = plain->edx;
		return;
	}
	cpuid_run(vcpu, leaf, (uint32_t)general[VIRT_RCX], out);
	general[VIRT_RAX] = out[0];
	general[VIRT_RBX] = out[1];
	general[VIRT_RCX] = out[2];
	general[VIRT_RDX] = out[3];
}

static enum vcpu_step exit_cpuid(struct vcpu *vcpu)
{
	answer_cpuid(vcpu);
	vcpu_skip(vcpu);
	return VCPU_RESUME;
}

static enum vcpu_step exit_read_msr(struct vcpu *vcpu)
{
	uint64_t *general = vcpu->virt->general, value;

	if (msr_guest_read(vcpu, (uint32_t)general[VIRT_RCX], &value)) {
		vcpu_raise_error(vcpu, TRAP_PROTECTION, 0);
		return VCPU_RESUME;
	}
	general[VIRT_RAX] = (uint32_t)value;
	general[VIRT_RDX] = value >> 32;
	vcpu_skip(vcpu);
	return VCPU_RESUME;
}

static uint64_t edx_eax(const struct vcpu *vcpu)
{
	const uint64_t *general = vcpu->virt->general;

	return (uint32_t)general[VIRT_RAX] | general[VIRT_RDX] << 32;
}

static enum vcpu_step exit_write_msr(struct vcpu *vcpu)
{
	int result = msr_guest_write(vcpu, (uint32_t)vcpu->virt->general[VIRT_RCX], edx_eax(vcpu));

	if (result < 0) {
		vcpu_raise_error(vcpu, TRAP_PROTECTION, 0);
		return VCPU_RESUME;
	}
	vcpu_apic_result(vcpu, result);
	vcpu_skip(vcpu);
	return pvclock_is_due(vcpu) ? VCPU_LOOK : VCPU_RESUME;
}

/* With CPL 0 alone: the processor has checked CR4.OSXSAVE, not the privilege. */
static enum vcpu_step exit_xsetbv(struct vcpu *vcpu)
{
	uint64_t value = edx_eax(vcpu);

	if (virt->get_level(vcpu->virt).cpl || (uint32_t)vcpu->virt->general[VIRT_RCX] ||
	    !vcpu_is_xcr0(value)) {
		vcpu_raise_error(vcpu, TRAP_PROTECTION, 0);
		return VCPU_RESUME;
	}
	irq_disable();
	vcpu->xcr0 = value;
	if (vcpu->is_loaded)
		fpu_set_xcr0(value);
	irq_enable();
	vcpu_skip(vcpu);
	return VCPU_RESUME;
}

static enum vcpu_step exit_halt(struct vcpu *vcpu)
{
	vcpu_skip(vcpu);
	if (vm_has_irqchip(vcpu->vm)) {
		vcpu->mp_state = KVM_MP_STATE_HALTED;
		return VCPU_LOOK;
	}
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return VCPU_TO_USER;
}

/* Somebody else may need the processor for what this one spins for. */
static enum vcpu_step exit_pause(struct vcpu *vcpu)
{
	vcpu_skip(vcpu);
	thread_yield();
	return VCPU_LOOK;
}

/* --- memory --- */

static bool is_in_window(const struct vcpu *vcpu, gpa_t at)
{
	return at.v - lapic_window(&vcpu->lapic) < LAPIC_WINDOW_BYTES && vm_has_irqchip(vcpu->vm) &&
	       lapic_has_window(&vcpu->lapic);
}

static enum vcpu_step exit_memory(struct vcpu *vcpu, const struct virt_exit *exit)
{
	enum vm_memory memory = VM_MEMORY_MMIO;

	if (!is_in_window(vcpu, exit->memory.at))
		memory = vm_map_page(vcpu->vm, exit->memory.at, exit->memory.is_write);
	else if (exit->interrupted.kind == VIRT_EVENT_NONE && !exit->memory.is_walk &&
		 emulate_apic(vcpu, exit->memory.at, false))
		return VCPU_RESUME;
	if (memory == VM_MEMORY_MAPPED)
		return VCPU_RESUME;
	if (memory == VM_MEMORY_FAILED)
		return VCPU_FAULTED;
	if (memory == VM_MEMORY_EXHAUSTED)
		return VCPU_EXHAUSTED;
	/* In the middle of an event's delivery there is no instruction to carry out. */
	if (exit->interrupted.kind != VIRT_EVENT_NONE)
		return vcpu_fail(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV);
	return emulate_begin(vcpu, exit);
}

/* --- all --- */

static enum vcpu_step exit_refused(struct vcpu *vcpu, const struct virt_exit *exit)
{
	vcpu->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry.hardware_entry_failure_reason = exit->code;
	vcpu->run->fail_entry.cpu = 0;
	return VCPU_TO_USER;
}

enum vcpu_step vcpu_handle_exit(struct vcpu *vcpu, const struct virt_exit *exit)
{
	switch (exit->kind) {
	case VIRT_EXIT_INTERRUPT:
	case VIRT_EXIT_DONE:
		return VCPU_RESUME;
	case VIRT_EXIT_WINDOW:
		return VCPU_LOOK;
	case VIRT_EXIT_PORT:
		return emulate_port(vcpu, exit);
	case VIRT_EXIT_MEMORY:
		return exit_memory(vcpu, exit);
	case VIRT_EXIT_CPUID:
		return exit_cpuid(vcpu);
	case VIRT_EXIT_READ_MSR:
		return exit_read_msr(vcpu);
	case VIRT_EXIT_WRITE_MSR:
		return exit_write_msr(vcpu);
	case VIRT_EXIT_HYPERCALL:
		(void)hypercall_run(vcpu, false);
		return VCPU_RESUME;
	case VIRT_EXIT_HALT:
		return exit_halt(vcpu);
	case VIRT_EXIT_PAUSE:
		return exit_pause(vcpu);
	case VIRT_EXIT_XSETBV:
		return exit_xsetbv(vcpu);
	case VIRT_EXIT_CONTROL:
		return emulate_begin(vcpu, NULL);
	case VIRT_EXIT_IGNORED:
		vcpu_skip(vcpu);
		return VCPU_RESUME;
	case VIRT_EXIT_UNDEFINED:
		vcpu_raise(vcpu, TRAP_INVALID_OPCODE);
		return VCPU_RESUME;
	case VIRT_EXIT_FORBIDDEN:
		vcpu_raise_error(vcpu, TRAP_PROTECTION, 0);
		return VCPU_RESUME;
	case VIRT_EXIT_EXCEPTION:
		if (exit->event.vector == TRAP_BREAKPOINT)
			return vcpu_stop(vcpu, TRAP_BREAKPOINT);
		if (exit->event.vector == TRAP_INVALID_OPCODE && hypercall_run_vmcall(vcpu))
			return VCPU_RESUME;
		events_raise(&vcpu->events, exit->event.vector, exit->event.has_error,
			     exit->event.error);
		return VCPU_RESUME;
	case VIRT_EXIT_STEPPED:
		events_after_step(&vcpu->events);
		return vcpu->debug_control & KVM_GUESTDBG_SINGLESTEP ? vcpu_stop(vcpu, TRAP_DEBUG)
								     : VCPU_RESUME;
	case VIRT_EXIT_IRET:
		events_before_iret(&vcpu->events);
		return VCPU_RESUME;
	case VIRT_EXIT_DEBUG_REGISTER:
		vcpu_load_debug(vcpu);
		return VCPU_RESUME;
	case VIRT_EXIT_SHUTDOWN:
		vcpu->events = (struct events){ 0 };
		vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return VCPU_TO_USER;
	case VIRT_EXIT_REFUSED:
		return exit_refused(vcpu, exit);
	case VIRT_EXIT_UNHANDLED:
		break;
	}
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	vcpu->run->hw.hardware_exit_reason = exit->code;
	return VCPU_TO_USER;
}

/* --- in the straight line --- */

/*
 * The local APIC isn't quiet. What isn't just an interrupt of its own, with nothing watched for, is for the loop to choose: to look at
 * it here could call others (lapic_ops).
 */
static enum virt_fast deliver_fast(struct vcpu *vcpu)
{
	if (vcpu->watched & ~(uint32_t)VIRT_WATCH_DEBUG ||
	    vcpu->virt->cr8 != lapic_cr8(&vcpu->lapic))
		return VIRT_FAST_DONE;
	return vcpu_deliver_only(vcpu) ? VIRT_FAST_ON : VIRT_FAST_DONE;
}

static enum virt_fast memory_fast(struct vcpu *vcpu, gpa_t at)
{
	if (!is_in_window(vcpu, at) || vcpu->eoi.is_offered || !emulate_apic(vcpu, at, true))
		return VIRT_FAST_NOT;
	return lapic_is_quiet(&vcpu->lapic) ? VIRT_FAST_ON : deliver_fast(vcpu);
}

static enum virt_fast cpuid_fast(struct vcpu *vcpu, gpa_t at UNUSED)
{
	answer_cpuid(vcpu);
	virt->skip(vcpu->virt);
	return VIRT_FAST_ON;
}

static enum virt_fast read_msr_fast(struct vcpu *vcpu, gpa_t at UNUSED)
{
	uint64_t *general = vcpu->virt->general;

	if ((uint32_t)general[VIRT_RCX] != MSR_APIC_BASE)
		return VIRT_FAST_NOT;
	general[VIRT_RAX] = (uint32_t)vcpu->lapic.base;
	general[VIRT_RDX] = vcpu->lapic.base >> 32;
	virt->skip(vcpu->virt);
	return VIRT_FAST_ON;
}

/* The end of an interrupt that nobody else has to hear of. */
static enum virt_fast write_msr_fast(struct vcpu *vcpu, gpa_t at UNUSED)
{
	if ((uint32_t)vcpu->virt->general[VIRT_RCX] != MSR_X2APIC_EOI || edx_eax(vcpu) ||
	    !vm_has_irqchip(vcpu->vm) || !lapic_is_x2apic(&vcpu->lapic) || vcpu->eoi.is_offered ||
	    !lapic_eoi_is_private(&vcpu->lapic))
		return VIRT_FAST_NOT;
	(void)lapic_eoi(&vcpu->lapic);
	virt->skip(vcpu->virt);
	return lapic_is_quiet(&vcpu->lapic) ? VIRT_FAST_ON : deliver_fast(vcpu);
}

static enum virt_fast hypercall_fast(struct vcpu *vcpu, gpa_t at UNUSED)
{
	return hypercall_run(vcpu, true);
}

enum virt_fast vcpu_fast_exit(void *owner, enum virt_exit_kind kind, gpa_t at)
{
	static enum virt_fast (*const handlers[])(struct vcpu *, gpa_t) = {
		[VIRT_EXIT_MEMORY] = memory_fast,	[VIRT_EXIT_CPUID] = cpuid_fast,
		[VIRT_EXIT_READ_MSR] = read_msr_fast,	[VIRT_EXIT_WRITE_MSR] = write_msr_fast,
		[VIRT_EXIT_HYPERCALL] = hypercall_fast,
	};
	struct vcpu *vcpu = owner;

	return vcpu->virt->rflags & X86_EFLAGS_TF ? VIRT_FAST_NOT : handlers[kind](vcpu, at);
}
