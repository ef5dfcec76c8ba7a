/*
 * A vCPU's state by ioctl: what a new one has, what is refused, and that what was set is read back.
 */
#include <string.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum { LAPIC_TPR = 0x80, MXCSR_AT = 24, XSTATE_BV_AT = 512, XCOMP_BV_AT = 520 };

static void say_segment(const char *name, const struct kvm_segment *segment)
{
	say("%s: %x base %llx limit %x type %x s %u dpl %u p %u l %u db %u g %u unusable %u", name,
	    segment->selector, segment->base, segment->limit, segment->type, segment->s,
	    segment->dpl, segment->present, segment->l, segment->db, segment->g, segment->unusable);
}

static void say_sregs(const struct kvm_sregs *sregs)
{
	say_segment("cs", &sregs->cs);
	say_segment("ds", &sregs->ds);
	say_segment("ss", &sregs->ss);
	say_segment("tr", &sregs->tr);
	say_segment("ldt", &sregs->ldt);
	say("gdt %llx %x idt %llx %x", sregs->gdt.base, sregs->gdt.limit, sregs->idt.base,
	    sregs->idt.limit);
	say("cr0 %llx cr2 %llx cr3 %llx cr4 %llx cr8 %llx efer %llx apic %llx", sregs->cr0,
	    sregs->cr2, sregs->cr3, sregs->cr4, sregs->cr8, sregs->efer, sregs->apic_base);
}

static void say_new(const struct machine *machine)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debug;
	struct kvm_xcrs xcrs;
	struct kvm_mp_state mp;

	RESULT(ioctl(machine->vcpu, KVM_GET_REGS, &regs));
	say("rip %llx rflags %llx rax %llx rdx %llx rsp %llx", regs.rip, regs.rflags, regs.rax,
	    regs.rdx, regs.rsp);
	RESULT(ioctl(machine->vcpu, KVM_GET_SREGS, &sregs));
	say_sregs(&sregs);
	RESULT(ioctl(machine->vcpu, KVM_GET_VCPU_EVENTS, &events));
	say("events: %u %u %u %u flags %x", events.exception.injected, events.interrupt.injected,
	    events.nmi.injected, events.nmi.masked, events.flags);
	RESULT(ioctl(machine->vcpu, KVM_GET_DEBUGREGS, &debug));
	say("debug: %llx %llx %llx", debug.db[0], debug.dr6, debug.dr7);
	RESULT(ioctl(machine->vcpu, KVM_GET_XCRS, &xcrs));
	say("xcrs: %u, %u: %llx", xcrs.nr_xcrs, xcrs.xcrs[0].xcr, xcrs.xcrs[0].value);
	RESULT(ioctl(machine->vcpu, KVM_GET_MP_STATE, &mp));
	say("mp state: %u", mp.mp_state);
}

static void say_registers(const struct machine *machine)
{
	struct kvm_regs regs, back;

	memset(&regs, 0x5a, sizeof(regs));
	regs.rflags = 0x202;
	RESULT(ioctl(machine->vcpu, KVM_SET_REGS, &regs));
	RESULT(ioctl(machine->vcpu, KVM_GET_REGS, &back));
	say("the same: %d", !memcmp(&regs, &back, sizeof(regs)));
	RESULT(ioctl(machine->vcpu, KVM_SET_REGS, BAD_POINTER));
	RESULT(ioctl(machine->vcpu, KVM_GET_REGS, BAD_POINTER));
}

/* States that no processor can be in. */
static void say_bad_sregs(const struct machine *machine)
{
	struct kvm_sregs sregs, good;

	ioctl(machine->vcpu, KVM_GET_SREGS, &good);
	sregs = good;
	sregs.cr0 = 0x80000000;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs)); /* paging without protection */
	sregs = good;
	sregs.cr0 = 0x20000000;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs)); /* not write-through without disable */
	sregs = good;
	sregs.efer = 0x400;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs)); /* long mode active, not enabled */
	sregs = good;
	sregs.cr0 = 0x80000001;
	sregs.efer = 0x500;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs)); /* without PAE */
	sregs.cr4 = 0x20;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs));
	ioctl(machine->vcpu, KVM_SET_SREGS, &good);
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS, BAD_POINTER));
}

static void say_sregs_back(const struct machine *machine)
{
	struct kvm_sregs sregs;

	ioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs = (struct kvm_segment){ .base = 0x1000,
					 .limit = 0xffffffff,
					 .selector = 8,
					 .type = 0xb,
					 .present = 1,
					 .s = 1,
					 .db = 1,
					 .g = 1 };
	sregs.ss = sregs.ds = sregs.cs;
	sregs.ss.type = sregs.ds.type = 3;
	sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	sregs.gdt.base = 0x12345000;
	sregs.gdt.limit = 0x7f;
	sregs.cr0 = 0x11;
	sregs.cr2 = 0x1234;
	sregs.cr3 = 0x5000;
	sregs.cr4 = 0x20;
	sregs.cr8 = 5;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs));
	memset(&sregs, 0, sizeof(sregs));
	RESULT(ioctl(machine->vcpu, KVM_GET_SREGS, &sregs));
	say_sregs(&sregs);
}

static void say_vectors(const struct machine *machine)
{
	static struct kvm_xsave state, back;
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .value = 3 } };
	uint8_t *bytes = (uint8_t *)&state;
	uint64_t *features = (uint64_t *)(void *)(bytes + XSTATE_BV_AT);

	RESULT(ioctl(machine->vcpu, KVM_GET_XSAVE, &state));
	bytes[160] = 0x77; /* xmm0 */
	bytes[32] = 0x99;  /* st0 */
	*features |= 3;
	RESULT(ioctl(machine->vcpu, KVM_SET_XSAVE, &state));
	RESULT(ioctl(machine->vcpu, KVM_GET_XSAVE, &back));
	say("vectors: %x %x", ((uint8_t *)&back)[160], ((uint8_t *)&back)[32]);
	*features |= UINT64_C(1) << 62;
	RESULT(ioctl(machine->vcpu, KVM_SET_XSAVE, &state));
	*features = 3;
	bytes[MXCSR_AT + 3] = 0xff;
	RESULT(ioctl(machine->vcpu, KVM_SET_XSAVE, &state));
	RESULT(ioctl(machine->vcpu, KVM_SET_XSAVE, BAD_POINTER));

	RESULT(ioctl(machine->vcpu, KVM_SET_XCRS, &xcrs));
	xcrs.xcrs[0].value = 2; /* without x87 */
	RESULT(ioctl(machine->vcpu, KVM_SET_XCRS, &xcrs));
	xcrs.xcrs[0].value = 5; /* AVX without SSE */
	RESULT(ioctl(machine->vcpu, KVM_SET_XCRS, &xcrs));
	xcrs.flags = 1;
	RESULT(ioctl(machine->vcpu, KVM_SET_XCRS, &xcrs));
	xcrs.flags = 0;
	xcrs.nr_xcrs = 100;
	RESULT(ioctl(machine->vcpu, KVM_SET_XCRS, &xcrs));
}

static void say_fpu(const struct machine *machine)
{
	static struct kvm_xsave state;
	struct kvm_fpu fpu;

	RESULT(ioctl(machine->vcpu, KVM_GET_FPU, &fpu));
	say("fpu: fcw %x fsw %x ftw %x", fpu.fcw, fpu.fsw, fpu.ftwx);
	fpu.fcw = 0x27f;
	fpu.ftwx = 0x80;
	fpu.last_opcode = 0x123;
	fpu.last_ip = 0x1234;
	fpu.fpr[7][9] = 0x3f;
	fpu.xmm[15][15] = 0x66;
	fpu.mxcsr = 0xffffffff; /* isn't looked at */
	RESULT(ioctl(machine->vcpu, KVM_SET_FPU, &fpu));
	memset(&fpu, 0, sizeof(fpu));
	RESULT(ioctl(machine->vcpu, KVM_GET_FPU, &fpu));
	say("fpu: fcw %x ftw %x opcode %x ip %llx fpr %x xmm %x", fpu.fcw, fpu.ftwx,
	    fpu.last_opcode, fpu.last_ip, fpu.fpr[7][9], fpu.xmm[15][15]);
	ioctl(machine->vcpu, KVM_GET_XSAVE, &state);
	say("xsave: %x %x, mxcsr %x", ((uint8_t *)&state)[0], ((uint8_t *)&state)[415],
	    state.region[MXCSR_AT / 4]);
	RESULT(ioctl(machine->vcpu, KVM_GET_FPU, BAD_POINTER));
	RESULT(ioctl(machine->vcpu, KVM_SET_FPU, BAD_POINTER));
}

/* What the guest's CPUID doesn't have; before there is one, what the host hasn't. */
static void say_cr4(const struct machine *machine)
{
	static const uint32_t bits[] = { 5, 11, 14, 15, 16, 17, 18, 19, 20, 21, 23, 31 };
	struct kvm_sregs sregs;

	ioctl(machine->vcpu, KVM_GET_SREGS, &sregs);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		int err;

		sregs.cr4 = UINT64_C(1) << bits[i];
		err = ioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
		say("cr4 bit %u: %d", bits[i], err);
	}
	sregs.cr4 = 0;
	ioctl(machine->vcpu, KVM_SET_SREGS, &sregs);
}

static void say_debug(const struct machine *machine)
{
	struct kvm_debugregs debug = { .db = { 0x1000, 0x2000, 0x3000, 0x4000 },
				       .dr6 = 0xffff0ff0,
				       .dr7 = 0x400 };

	RESULT(ioctl(machine->vcpu, KVM_SET_DEBUGREGS, &debug));
	memset(&debug, 0xff, sizeof(debug));
	RESULT(ioctl(machine->vcpu, KVM_GET_DEBUGREGS, &debug));
	say("debug: %llx %llx %llx %llx", debug.db[0], debug.db[3], debug.dr6, debug.dr7);
	debug.flags = 1;
	RESULT(ioctl(machine->vcpu, KVM_SET_DEBUGREGS, &debug));
	debug.flags = 0;
	debug.dr7 = UINT64_C(1) << 40;
	RESULT(ioctl(machine->vcpu, KVM_SET_DEBUGREGS, &debug));
}

static void say_events(const struct machine *machine)
{
	struct kvm_vcpu_events events;

	ioctl(machine->vcpu, KVM_GET_VCPU_EVENTS, &events);
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	events.nmi.pending = 1;
	events.nmi.masked = 1;
	events.interrupt.injected = 1;
	events.interrupt.nr = 0x33;
	events.interrupt.shadow = 1;
	events.exception.injected = 1;
	events.exception.nr = 13;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0x28;
	RESULT(ioctl(machine->vcpu, KVM_SET_VCPU_EVENTS, &events));
	memset(&events, 0, sizeof(events));
	RESULT(ioctl(machine->vcpu, KVM_GET_VCPU_EVENTS, &events));
	say("events: %u %u %u %x, %u %x shadow %d, %u %u %u", events.exception.injected,
	    events.exception.nr, events.exception.has_error_code, events.exception.error_code,
	    events.interrupt.injected, events.interrupt.nr, !!events.interrupt.shadow,
	    events.nmi.injected, events.nmi.pending, events.nmi.masked);
	events.flags = 0x8000;
	RESULT(ioctl(machine->vcpu, KVM_SET_VCPU_EVENTS, &events));
	events.flags = 0;
	events.exception.nr = 2;
	RESULT(ioctl(machine->vcpu, KVM_SET_VCPU_EVENTS, &events));
	events.exception.nr = 32;
	RESULT(ioctl(machine->vcpu, KVM_SET_VCPU_EVENTS, &events));
	RESULT(ioctl(machine->vcpu, KVM_SET_VCPU_EVENTS, BAD_POINTER));
}

static void say_lapic(const struct machine *machine)
{
	struct kvm_lapic_state state;
	struct kvm_interrupt interrupt = { .irq = 0x20 };
	struct kvm_mp_state mp;

	if (!RESULT(ioctl(machine->vcpu, KVM_GET_LAPIC, &state))) {
		state.regs[LAPIC_TPR] = 0x30;
		RESULT(ioctl(machine->vcpu, KVM_SET_LAPIC, &state));
		ioctl(machine->vcpu, KVM_GET_LAPIC, &state);
		say("tpr: %x", state.regs[LAPIC_TPR]);
	}
	for (uint32_t i = 0; i < 7; i++) {
		mp.mp_state = i;
		result("mp state", ioctl(machine->vcpu, KVM_SET_MP_STATE, &mp));
		ioctl(machine->vcpu, KVM_GET_MP_STATE, &mp);
		say("mp state: %u", mp.mp_state);
	}
	RESULT(ioctl(machine->vcpu, KVM_INTERRUPT, &interrupt));
	RESULT(ioctl(machine->vcpu, KVM_INTERRUPT, &interrupt));
	interrupt.irq = 256;
	RESULT(ioctl(machine->vcpu, KVM_INTERRUPT, &interrupt));
	RESULT(ioctl(machine->vcpu, KVM_NMI, 0));
	RESULT(ioctl(machine->vcpu, KVM_RUN, 1));
	RESULT(ioctl(machine->vcpu, 0xae00, 0));
}

void group_kvm_state(void)
{
	struct machine machine;

	for (int has_irqchip = 0; has_irqchip < 2; has_irqchip++) {
		if (!machine_open(&machine, has_irqchip, 1)) {
			say("irqchip: %d", has_irqchip);
			say_new(&machine);
			say_cr4(&machine);
			machine_give_cpuid(&machine);
			say_cr4(&machine);
			say_registers(&machine);
			say_bad_sregs(&machine);
			say_sregs_back(&machine);
			say_vectors(&machine);
			say_fpu(&machine);
			say_debug(&machine);
			say_events(&machine);
			say_lapic(&machine);
		}
		machine_close(&machine);
	}
}
