/*
 * A vCPU's state, as ring 3 reads and writes it: see vcpu.h.
 *
 * Source: KVM API, "vcpu ioctls"; AMD APM vol. 2, 3 "System Resources".
 */
#include <asm/sigcontext.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/kvm/vcpu.h"
#include "kernel/mem/user.h"
#include "kernel/virt/walk.h"

enum {
	XSAVE_FEATURES_AT = 512, /* XSTATE_BV, the first word of the header */
	VECTORS = 256,
	EVENT_FLAGS = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
		      KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM,
};

#define DEBUG_RESERVED UINT64_C(0xffffffff00000000)

/* --- general and system registers --- */

static int64_t get_regs(struct vcpu *vcpu, uint64_t argument)
{
	const uint64_t *general = vcpu->virt->general;
	const struct kvm_regs regs = {
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

	return copy_to_user(argument, &regs, sizeof(regs));
}

static int64_t set_regs(struct vcpu *vcpu, uint64_t argument)
{
	uint64_t *general = vcpu->virt->general;
	struct kvm_regs regs;

	if (copy_from_user(&regs, argument, sizeof(regs)))
		return -EFAULT;
	general[VIRT_RAX] = regs.rax;
	general[VIRT_RBX] = regs.rbx;
	general[VIRT_RCX] = regs.rcx;
	general[VIRT_RDX] = regs.rdx;
	general[VIRT_RSI] = regs.rsi;
	general[VIRT_RDI] = regs.rdi;
	general[VIRT_RSP] = regs.rsp;
	general[VIRT_RBP] = regs.rbp;
	memcpy(&general[8], &regs.r8, 8 * sizeof(*general));
	vcpu->virt->rip = regs.rip;
	vcpu->virt->rflags = regs.rflags | X86_EFLAGS_FIXED;
	/* As KVM does: an exception that the old registers were to take is none of the new ones'. */
	vcpu->events.exception.kind = VIRT_EVENT_NONE;
	if (vcpu->emulation.state == EMULATION_STEP)
		vcpu->emulation.state = EMULATION_NONE;
	return 0;
}
static_assert(offsetof(struct kvm_regs, rip) == offsetof(struct kvm_regs, r8) + 64, "r8 to r15");

static int64_t get_sregs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_sregs sregs = { 0 };

	virt->get_sregs(vcpu->virt, &sregs);
	sregs.apic_base = vcpu->lapic.base;
	sregs.cr8 = lapic_cr8(&vcpu->lapic);
	if (vcpu->events.has_interrupt)
		sregs.interrupt_bitmap[vcpu->events.interrupt / 64] |=
			UINT64_C(1) << vcpu->events.interrupt % 64;
	return copy_to_user(argument, &sregs, sizeof(sregs));
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

static int64_t set_sregs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_sregs sregs;
	int err;

	if (copy_from_user(&sregs, argument, sizeof(sregs)))
		return -EFAULT;
	if (!control_allows_cr4(vcpu, sregs.cr4))
		return -EINVAL;
	err = virt->set_sregs(vcpu->virt, &sregs);
	if (err)
		return err;
	if (!vm_has_irqchip(vcpu->vm))
		vcpu->lapic.base = sregs.apic_base;
	else if (lapic_set_base(&vcpu->lapic, sregs.apic_base, true) == LAPIC_BASE_REFUSED)
		return -EINVAL;
	lapic_set_cr8(&vcpu->lapic, (uint8_t)sregs.cr8);
	take_interrupt(vcpu, &sregs);
	return 0;
}

static int64_t translate(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_translation translation;
	uint32_t error;
	gpa_t at;

	if (copy_from_user(&translation, argument, sizeof(translation)))
		return -EFAULT;
	translation.valid =
		!emulate_translate(vcpu, translation.linear_address, WALK_AC, &at, &error);
	translation.physical_address = translation.valid ? at.v : UINT64_MAX;
	translation.writeable = 1;
	translation.usermode = 0;
	return copy_to_user(argument, &translation, sizeof(translation));
}

/* --- vector registers --- */

static int64_t get_xsave(struct vcpu *vcpu, uint64_t argument)
{
	const uint8_t *from = (const uint8_t *)vcpu->fpu;
	uint32_t bytes = (uint32_t)min_u64(fpu_bytes(), sizeof(struct kvm_xsave));
	const uint64_t legacy = 3;

	if (copy_to_user(argument, from, bytes) ||
	    zero_user(argument + bytes, sizeof(struct kvm_xsave) - bytes))
		return -EFAULT;
	/* Without XSAVE the header is made up: x87 and SSE. */
	if (!fpu_features())
		return copy_to_user(argument + XSAVE_FEATURES_AT, &legacy, sizeof(legacy));
	return 0;
}

static int64_t set_xsave(struct vcpu *vcpu, uint64_t argument)
{
	struct fpu *fpu = fpu_create();
	int64_t err = -EFAULT;

	if (!fpu)
		return -ENOMEM;
	if (copy_from_user(fpu, argument, min_u64(fpu_bytes(), sizeof(struct kvm_xsave))))
		goto out;
	err = -EINVAL;
	if (!fpu_is_valid(fpu))
		goto out;
	fpu_destroy(vcpu->fpu);
	vcpu->fpu = fpu;
	return 0;

out:
	fpu_destroy(fpu);
	return err;
}

/* As KVM has it, MXCSR isn't among what these two carry. */
static int64_t get_fpu(struct vcpu *vcpu, uint64_t argument)
{
	const struct _fpstate_64 *from = fpu_legacy(vcpu->fpu);
	struct kvm_fpu fpu = {
		.fcw = from->cwd,
		.fsw = from->swd,
		.ftwx = (uint8_t)from->twd,
		.last_opcode = from->fop,
		.last_ip = from->rip,
		.last_dp = from->rdp,
	};

	memcpy(fpu.fpr, from->st_space, sizeof(fpu.fpr));
	memcpy(fpu.xmm, from->xmm_space, sizeof(fpu.xmm));
	return copy_to_user(argument, &fpu, sizeof(fpu));
}

static int64_t set_fpu(struct vcpu *vcpu, uint64_t argument)
{
	struct _fpstate_64 *to = fpu_legacy(vcpu->fpu);
	struct kvm_fpu fpu;

	if (copy_from_user(&fpu, argument, sizeof(fpu)))
		return -EFAULT;
	to->cwd = fpu.fcw;
	to->swd = fpu.fsw;
	to->twd = fpu.ftwx;
	to->fop = fpu.last_opcode;
	to->rip = fpu.last_ip;
	to->rdp = fpu.last_dp;
	memcpy(to->st_space, fpu.fpr, sizeof(fpu.fpr));
	memcpy(to->xmm_space, fpu.xmm, sizeof(fpu.xmm));
	return 0;
}
static_assert(sizeof(((struct kvm_fpu *)0)->xmm) == sizeof(((struct _fpstate_64 *)0)->xmm_space),
	      "all sixteen");

static int64_t get_xcrs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_xcrs xcrs = { 0 };

	if (fpu_features()) {
		xcrs.nr_xcrs = 1;
		xcrs.xcrs[0].value = vcpu->xcr0;
	}
	return copy_to_user(argument, &xcrs, sizeof(xcrs));
}

static int64_t set_xcrs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_xcrs xcrs;

	if (copy_from_user(&xcrs, argument, sizeof(xcrs)))
		return -EFAULT;
	if (!fpu_features() || xcrs.nr_xcrs > KVM_MAX_XCRS || xcrs.flags)
		return -EINVAL;
	for (uint32_t i = 0; i < xcrs.nr_xcrs; i++) {
		if (xcrs.xcrs[i].xcr)
			continue;
		if (!vcpu_is_xcr0(xcrs.xcrs[i].value))
			return -EINVAL;
		vcpu->xcr0 = xcrs.xcrs[i].value;
		return 0;
	}
	return 0;
}

/* --- debug registers --- */

static int64_t get_debugregs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_debugregs regs = { .dr6 = virt->get_dr(vcpu->virt, 6),
				      .dr7 = virt->get_dr(vcpu->virt, 7) };

	memcpy(regs.db, vcpu->debug, sizeof(regs.db));
	return copy_to_user(argument, &regs, sizeof(regs));
}

static int64_t set_debugregs(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_debugregs regs;

	if (copy_from_user(&regs, argument, sizeof(regs)))
		return -EFAULT;
	if (regs.flags || ((regs.dr6 | regs.dr7) & DEBUG_RESERVED))
		return -EINVAL;
	memcpy(vcpu->debug, regs.db, sizeof(regs.db));
	virt->set_dr(vcpu->virt, 6, regs.dr6);
	virt->set_dr(vcpu->virt, 7, regs.dr7);
	return 0;
}

/* --- events --- */

static int64_t get_events(struct vcpu *vcpu, uint64_t argument)
{
	const struct events *from = &vcpu->events;
	struct kvm_vcpu_events events = {
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

	return copy_to_user(argument, &events, sizeof(events));
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

static int64_t set_events(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_vcpu_events from;
	struct events *events = &vcpu->events;

	if (copy_from_user(&from, argument, sizeof(from)))
		return -EFAULT;
	if (!are_events_valid(&from))
		return -EINVAL;
	events->exception = (struct virt_event){
		.kind = from.exception.injected || from.exception.pending ? VIRT_EVENT_EXCEPTION
									  : VIRT_EVENT_NONE,
		.vector = from.exception.nr,
		.has_error = from.exception.has_error_code,
		.error = from.exception.error_code,
	};
	events->is_exception_again = from.exception.injected;
	events->has_interrupt = from.interrupt.injected;
	events->interrupt = from.interrupt.nr;
	if (from.flags & KVM_VCPUEVENT_VALID_SHADOW)
		vcpu->virt->has_shadow = from.interrupt.shadow;
	events->is_nmi_again = from.nmi.injected;
	if (from.flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		events->nmis_waiting = from.nmi.pending;
	events->is_nmi_masked = from.nmi.masked;
	events->is_iret_next = false;
	if (from.flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR)
		__atomic_store_n(&vcpu->sipi_vector, from.sipi_vector, __ATOMIC_RELEASE);
	return 0;
}

static int64_t interrupt(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_interrupt interrupt;

	if (copy_from_user(&interrupt, argument, sizeof(interrupt)))
		return -EFAULT;
	if (interrupt.irq >= VECTORS)
		return -EINVAL;
	if (!vm_has_irqchip(vcpu->vm)) {
		vcpu->events.has_interrupt = true;
		vcpu->events.interrupt = (uint8_t)interrupt.irq;
		return 0;
	}
	if (vcpu->extint >= 0)
		return -EEXIST;
	vcpu->extint = (int32_t)interrupt.irq;
	return 0;
}

static int64_t nmi(struct vcpu *vcpu, uint64_t argument)
{
	(void)argument;
	events_add_nmis(&vcpu->events, 1);
	return 0;
}

/* --- the local APIC --- */

static int64_t get_lapic(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_lapic_state state;

	if (!vm_has_irqchip(vcpu->vm))
		return -EINVAL;
	lapic_get_state(&vcpu->lapic, clock_ns(), &state);
	return copy_to_user(argument, &state, sizeof(state));
}

static int64_t set_lapic(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_lapic_state state;

	if (!vm_has_irqchip(vcpu->vm))
		return -EINVAL;
	if (copy_from_user(&state, argument, sizeof(state)))
		return -EFAULT;
	return lapic_set_state(&vcpu->lapic, &state, clock_ns());
}

static int64_t get_mp_state(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_mp_state state = { .mp_state = vcpu->mp_state };

	if (vcpu->mp_state == KVM_MP_STATE_HALTED &&
	    __atomic_load_n(&vcpu->is_woken, __ATOMIC_ACQUIRE))
		state.mp_state = KVM_MP_STATE_RUNNABLE;
	return copy_to_user(argument, &state, sizeof(state));
}

static int64_t set_mp_state(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_mp_state state;

	if (copy_from_user(&state, argument, sizeof(state)))
		return -EFAULT;
	if (state.mp_state > KVM_MP_STATE_SIPI_RECEIVED ||
	    (state.mp_state != KVM_MP_STATE_RUNNABLE && !vm_has_irqchip(vcpu->vm)))
		return -EINVAL;
	vcpu->mp_state = state.mp_state;
	if (state.mp_state == KVM_MP_STATE_SIPI_RECEIVED) {
		vcpu->mp_state = KVM_MP_STATE_INIT_RECEIVED;
		__atomic_fetch_or(&vcpu->requests, VCPU_REQ_SIPI, __ATOMIC_RELEASE);
	}
	return 0;
}

/* --- all --- */

static int64_t set_guest_debug(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_guest_debug debug;

	if (copy_from_user(&debug, argument, sizeof(debug)))
		return -EFAULT;
	if (debug.control & ~(uint32_t)VCPU_DEBUG_CONTROL)
		return -EINVAL;
	vcpu->debug_control = debug.control & KVM_GUESTDBG_ENABLE ? debug.control : 0;
	return 0;
}

/* For the time of KVM_RUN; NULL: the thread's own. */
static int64_t set_signal_mask(struct vcpu *vcpu, uint64_t argument)
{
	struct kvm_signal_mask header;
	uint64_t mask = 0;

	if (argument && copy_from_user(&header, argument, sizeof(header)))
		return -EFAULT;
	if (argument && header.len != sizeof(mask))
		return -EINVAL;
	if (argument && copy_from_user(&mask, argument + sizeof(header), sizeof(mask)))
		return -EFAULT;
	vcpu->has_signal_mask = argument;
	vcpu->signal_mask = mask;
	return 0;
}

static int64_t set_cpuid(struct vcpu *vcpu, uint64_t argument)
{
	int64_t err = cpuid_set_user(vcpu, argument);

	if (!err)
		lapic_set_features(&vcpu->lapic,
				   cpuid_lapic_features(vcpu) |
					   (vcpu->lapic.features &
					    (LAPIC_IS_BSP | LAPIC_OPENS_LINT0)),
				   cpuid_phys_bits(vcpu));
	return err;
}

static int64_t kvmclock_ctrl(struct vcpu *vcpu, uint64_t argument)
{
	(void)argument;
	return pvclock_paused(vcpu);
}

/* One row per request. */
static const struct {
	uint32_t request;
	int64_t (*handle)(struct vcpu *vcpu, uint64_t argument);
} requests[] = {
	{ KVM_GET_REGS, get_regs },
	{ KVM_SET_REGS, set_regs },
	{ KVM_GET_SREGS, get_sregs },
	{ KVM_SET_SREGS, set_sregs },
	{ KVM_GET_MSRS, msrs_get_user },
	{ KVM_SET_MSRS, msrs_set_user },
	{ KVM_SET_CPUID2, set_cpuid },
	{ KVM_GET_CPUID2, cpuid_get_user },
	{ KVM_GET_FPU, get_fpu },
	{ KVM_SET_FPU, set_fpu },
	{ KVM_GET_XSAVE, get_xsave },
	{ KVM_SET_XSAVE, set_xsave },
	{ KVM_GET_XCRS, get_xcrs },
	{ KVM_SET_XCRS, set_xcrs },
	{ KVM_GET_DEBUGREGS, get_debugregs },
	{ KVM_SET_DEBUGREGS, set_debugregs },
	{ KVM_GET_VCPU_EVENTS, get_events },
	{ KVM_SET_VCPU_EVENTS, set_events },
	{ KVM_GET_LAPIC, get_lapic },
	{ KVM_SET_LAPIC, set_lapic },
	{ KVM_GET_MP_STATE, get_mp_state },
	{ KVM_SET_MP_STATE, set_mp_state },
	{ KVM_INTERRUPT, interrupt },
	{ KVM_NMI, nmi },
	{ KVM_SET_GUEST_DEBUG, set_guest_debug },
	{ KVM_SET_SIGNAL_MASK, set_signal_mask },
	{ KVM_TRANSLATE, translate },
	{ KVM_KVMCLOCK_CTRL, kvmclock_ctrl },
	{ KVM_SET_TSC_KHZ, pvclock_set_tsc_khz },
	{ KVM_GET_TSC_KHZ, pvclock_get_tsc_khz },
};

int64_t vcpu_state_ioctl(struct vcpu *vcpu, uint32_t request, uint64_t argument)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(requests); i++) {
		if (requests[i].request != request)
			continue;
		vcpu_settle(vcpu);
		return requests[i].handle(vcpu, argument);
	}
	return -EINVAL;
}
