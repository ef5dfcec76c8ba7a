/*
 * KVM_SET_GUEST_DEBUG: one instruction at a time, whether the processor carries it out or KVM does. (Breakpoints that end
 * the guest's run have to be tried elsewhere: the emulator doesn't intercept INT3.)
 */
#include <errno.h>
#include <string.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum { STEPS_MAX = 20, HANDLER = 0x2000, VECTOR = 0x40 };

/* nop; inc ax; cpuid; wbinvd; nop; hlt */
static const uint8_t code[] = { 0x90, 0x40, 0x0f, 0xa2, 0x0f, 0x09, 0x90, 0xf4 };
/* inc bx; iret */
static const uint8_t handler[] = { 0x43, 0xcf };
/* int 0x40; sti; nop; nop; hlt */
static const uint8_t events[] = { 0xcd, VECTOR, 0xfb, 0x90, 0x90, 0xf4 };

static void control(const struct machine *machine, uint32_t bits)
{
	struct kvm_guest_debug debug = { .control = bits };

	say("control %x: %d", bits, ioctl(machine->vcpu, KVM_SET_GUEST_DEBUG, &debug));
}

static void say_stop(const struct machine *machine)
{
	const struct kvm_run *run = machine->run;
	struct kvm_regs regs;

	ioctl(machine->vcpu, KVM_GET_REGS, &regs);
	say("exit: reason %u, rip %llx, rflags %llx", run->exit_reason, regs.rip, regs.rflags);
	if (run->exit_reason == KVM_EXIT_DEBUG)
		say("exception %u at %llx, dr6 %llx dr7 %llx", run->debug.arch.exception,
		    run->debug.arch.pc, run->debug.arch.dr6, run->debug.arch.dr7);
}

static void step(struct machine *machine)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		if (ioctl(machine->vcpu, KVM_RUN, 0)) {
			result("KVM_RUN", -1);
			return;
		}
		say_stop(machine);
		if (machine->run->exit_reason == KVM_EXIT_HLT)
			return;
	}
}

static void say_steps(struct machine *machine)
{
	machine_load(machine, code, sizeof(code));
	control(machine, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
	step(machine);
	control(machine, KVM_GUESTDBG_SINGLESTEP); /* not enabled: off */
	machine_load_regs(machine);
	step(machine);
}

static void say_events(struct machine *machine)
{
	const uint32_t at = HANDLER;

	machine_load(machine, events, sizeof(events));
	memcpy(machine->memory + HANDLER, handler, sizeof(handler));
	memcpy(machine->memory + VECTOR * 4, &at, sizeof(at));
	control(machine, KVM_GUESTDBG_ENABLE);
	step(machine);
	control(machine, 0);
}

void group_kvm_debugger(void)
{
	struct machine machine;

	if (!machine_open(&machine, 0, 1)) {
		machine_give_cpuid(&machine);
		RESULT(ioctl(machine.vcpu, KVM_SET_GUEST_DEBUG, BAD_POINTER));
		RESULT(ioctl(machine.vm, KVM_CHECK_EXTENSION, KVM_CAP_SET_GUEST_DEBUG));
		say_steps(&machine);
		say_events(&machine);
	}
	machine_close(&machine);
}
