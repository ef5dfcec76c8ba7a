/*
 * What an exit means. See virt/ops.h.
 *
 * Source: AMD APM vol. 2, 15.7-15.14 (intercepts), 15.20 "Event Injection", appendix C "SVM Intercept Exit Codes".
 */
#include "kernel/arch/regs.h"
#include "kernel/cpu/trap.h"
#include "kernel/svm/svm.h"

enum {
	IOIO_IN = 1 << 0,
	IOIO_STRING = 1 << 2,
	IOIO_SIZE_SHIFT = 4, /* a bit each for 1, 2 and 4 bytes */
	IOIO_PORT_SHIFT = 16,

	NPF_WRITE = 1 << 1,
	MSR_IS_WRITE = 1 << 0,
};

#define DR6_BS (UINT64_C(1) << 14)
#define DR7_GD (UINT64_C(1) << 13)

/*
 * By exit code: what it is to us. Where it is about one instruction, its length, for processors that don't save where the next
 * one begins. (A guest that puts needless prefixes before one of them goes wrong there.)
 */
static const struct {
	uint8_t kind; /* enum virt_exit_kind */
	uint8_t length;
} rows[] = {
	[VMEXIT_CR0_WRITE + 4] = { VIRT_EXIT_CONTROL },
	[VMEXIT_CR0_WRITE + 8] = { VIRT_EXIT_CONTROL },
	[VMEXIT_DR0_READ... VMEXIT_DR0_WRITE + 15] = { VIRT_EXIT_DEBUG_REGISTER },
	[VMEXIT_EXCEPTION0... VMEXIT_EXCEPTION0 + 31] = { VIRT_EXIT_EXCEPTION },
	[VMEXIT_INTR... VMEXIT_INIT] = { VIRT_EXIT_INTERRUPT }, /* NMI, SMI */
	[VMEXIT_VINTR] = { VIRT_EXIT_WINDOW },
	[VMEXIT_CR0_SELECTIVE] = { VIRT_EXIT_CONTROL },
	[VMEXIT_RDPMC] = { VIRT_EXIT_FORBIDDEN, 2 },
	[VMEXIT_CPUID] = { VIRT_EXIT_CPUID, 2 },
	[VMEXIT_IRET] = { VIRT_EXIT_IRET },
	[VMEXIT_INVD] = { VIRT_EXIT_IGNORED, 2 },
	[VMEXIT_PAUSE] = { VIRT_EXIT_PAUSE, 2 },
	[VMEXIT_HLT] = { VIRT_EXIT_HALT, 1 },
	[VMEXIT_INVLPGA] = { VIRT_EXIT_UNDEFINED },
	[VMEXIT_IOIO] = { VIRT_EXIT_PORT },
	[VMEXIT_MSR] = { VIRT_EXIT_READ_MSR, 2 },
	[VMEXIT_SHUTDOWN] = { VIRT_EXIT_SHUTDOWN },
	[VMEXIT_VMRUN] = { VIRT_EXIT_UNDEFINED },
	[VMEXIT_VMMCALL] = { VIRT_EXIT_HYPERCALL, 3 },
	[VMEXIT_VMLOAD... VMEXIT_SKINIT] = { VIRT_EXIT_UNDEFINED },
	[VMEXIT_WBINVD] = { VIRT_EXIT_IGNORED, 2 },
	[VMEXIT_MONITOR... VMEXIT_MWAIT] = { VIRT_EXIT_IGNORED, 3 },
	[VMEXIT_XSETBV] = { VIRT_EXIT_XSETBV, 3 },
	[VMEXIT_RDPRU] = { VIRT_EXIT_UNDEFINED },
};

/* The processor says where the next instruction begins: in EXITINFO2, with or without NRIP save. */
static void describe_port(struct svm_vcpu *vcpu, struct virt_exit *out)
{
	uint64_t info = vcpu->vmcb->control.exit_info1;

	out->port.number = (uint16_t)(info >> IOIO_PORT_SHIFT);
	out->port.bytes = (uint8_t)(info >> IOIO_SIZE_SHIFT & 7);
	out->port.is_in = info & IOIO_IN;
	out->port.is_string = info & IOIO_STRING;
	out->port.value = (uint32_t)vcpu->common.general[VIRT_RAX];
	if (out->port.is_string)
		return;
	vcpu->common.rip = vcpu->vmcb->control.exit_info2;
	vcpu->common.has_shadow = false;
}

/* DR6 says already what happened. Delivery of a debug exception clears DR7's GD. */
static void describe_debug(struct svm_vcpu *vcpu, struct virt_exit *out)
{
	struct vmcb_save *save = &vcpu->vmcb->save;

	if ((vcpu->watched & VIRT_WATCH_STEP) && (save->dr6 & DR6_BS)) {
		save->dr6 &= ~DR6_BS;
		out->kind = VIRT_EXIT_STEPPED;
		return;
	}
	save->dr7 &= ~DR7_GD;
	out->event = (struct virt_event){ .kind = VIRT_EVENT_EXCEPTION, .vector = TRAP_DEBUG };
}

static void describe_exception(struct svm_vcpu *vcpu, uint8_t vector, struct virt_exit *out)
{
	switch (vector) {
	case TRAP_DEBUG:
		describe_debug(vcpu, out);
		break;
	case TRAP_MACHINE_CHECK:
		/* The host's: intercepted before it was delivered. It is raised again, here. */
		__asm__ volatile("int $18");
		out->kind = VIRT_EXIT_INTERRUPT;
		break;
	default:
		out->event = (struct virt_event){ .kind = VIRT_EVENT_EXCEPTION,
						  .vector = vector,
						  .has_error = vector == TRAP_ALIGNMENT };
		break;
	}
}

enum virt_exit_kind svm_exit_kind(struct svm_vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;
	uint64_t code = control->exit_code;

	if (code >= ARRAY_SIZE(rows)) {
		if (code == VMEXIT_NPF)
			return VIRT_EXIT_MEMORY;
		return code == VMEXIT_INVALID ? VIRT_EXIT_REFUSED : VIRT_EXIT_UNHANDLED;
	}
	vcpu->length = rows[code].length;
	return code == VMEXIT_MSR && control->exit_info1 & MSR_IS_WRITE ? VIRT_EXIT_WRITE_MSR
									: rows[code].kind;
}

/* INTn, INT3 and INTO come again by themselves: RIP is still at the instruction. */
static struct virt_event interrupted_event(uint64_t info)
{
	struct virt_event event = { .vector = (uint8_t)(info & VMCB_EVENT_VECTOR) };

	switch (info & VMCB_EVENT_TYPE) {
	case VMCB_EVENT_INTERRUPT:
		event.kind = VIRT_EVENT_INTERRUPT;
		break;
	case VMCB_EVENT_NMI:
		event.kind = VIRT_EVENT_NMI;
		break;
	case VMCB_EVENT_EXCEPTION:
		if (event.vector == TRAP_BREAKPOINT || event.vector == TRAP_OVERFLOW)
			break;
		event.kind = VIRT_EVENT_EXCEPTION;
		event.has_error = info & VMCB_EVENT_HAS_ERROR;
		event.error = (uint32_t)(info >> VMCB_EVENT_ERROR_SHIFT);
		break;
	default:
		break;
	}
	return event;
}

void svm_describe_exit(struct svm_vcpu *vcpu, struct virt_exit *out)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	out->code = control->exit_code;
	out->kind = vcpu->kind;
	out->interrupted.kind = VIRT_EVENT_NONE;
	if (out->kind == VIRT_EXIT_DONE)
		return;
	if (control->exit_int_info & VMCB_EVENT_VALID)
		out->interrupted = interrupted_event(control->exit_int_info);
	switch (out->kind) {
	case VIRT_EXIT_PORT:
		describe_port(vcpu, out);
		break;
	case VIRT_EXIT_MEMORY:
		out->memory.at = gpa(control->exit_info2);
		out->memory.is_write = control->exit_info1 & NPF_WRITE;
		out->memory.is_walk = control->exit_info1 & VMCB_NPF_WALK;
		break;
	case VIRT_EXIT_EXCEPTION:
		describe_exception(vcpu, (uint8_t)(out->code - VMEXIT_EXCEPTION0), out);
		break;
	case VIRT_EXIT_SHUTDOWN:
		svm_reset(&vcpu->common, false); /* its contents are undefined now */
		break;
	default:
		break;
	}
}
