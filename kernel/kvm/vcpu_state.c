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
#include "kernel/kvm/vcpu_registers.h"
#include "kernel/mem/user.h"
#include "kernel/virt/walk.h"

enum {
	XSAVE_FEATURES_AT = 512, /* XSTATE_BV, the first word of the header */
	VECTORS = 256,
};

#define DEBUG_RESERVED UINT64_C(0xffffffff00000000)

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

static int64_t nmi(struct vcpu *vcpu, uint64_t argument UNUSED)
{
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

static int64_t kvmclock_ctrl(struct vcpu *vcpu, uint64_t argument UNUSED)
{
	return pvclock_paused(vcpu);
}

/* One row per request. */
static const struct {
	uint32_t request;
	int64_t (*handle)(struct vcpu *vcpu, uint64_t argument);
} requests[] = {
	{ KVM_GET_REGS, regs_get_user },
	{ KVM_SET_REGS, regs_set_user },
	{ KVM_GET_SREGS, sregs_get_user },
	{ KVM_SET_SREGS, sregs_set_user },
	{ KVM_GET_SREGS2, sregs2_get_user },
	{ KVM_SET_SREGS2, sregs2_set_user },
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
	{ KVM_GET_VCPU_EVENTS, vcpu_events_get_user },
	{ KVM_SET_VCPU_EVENTS, vcpu_events_set_user },
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
