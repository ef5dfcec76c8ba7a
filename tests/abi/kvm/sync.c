/*
 * Registers that travel in the run page (KVM_CAP_SYNC_REGS), and system registers with PAE's page directory pointers
 * (KVM_GET_SREGS2, KVM_SET_SREGS2).
 */
#include <string.h>

#include "tests/abi/kvm/machine.h"

enum { TABLE_AT = 0x5000, HANDLER = 0x2000, VECTOR = 0x31 };

/* Says BL at port 0x80, again and again. */
static const uint8_t code[] = { 0x88, 0xd8, 0xe6, 0x80, 0xfe, 0xc3, 0xeb, 0xf8 };
static const uint8_t handler[] = { 0xe6, 0x81, 0xcf };

/* Where RIP is amid an access to a port is KVM's own. */
static void say_synced(const struct machine *machine)
{
	const struct kvm_sync_regs *regs = &machine->run->s.regs;

	say("valid %llx dirty %llx: rbx %llx, cr0 %llx cs %llx, masked %u injected %u",
	    (long long)machine->run->kvm_valid_regs, (long long)machine->run->kvm_dirty_regs,
	    regs->regs.rbx, regs->sregs.cr0, regs->sregs.cs.base, regs->events.nmi.masked,
	    regs->events.interrupt.injected);
}

static void step(struct machine *machine)
{
	machine_step(machine);
	say_synced(machine);
}

static void say_refused(struct machine *machine)
{
	struct kvm_run *run = machine->run;

	run->kvm_valid_regs = 8;
	step(machine);
	run->kvm_valid_regs = UINT64_C(1) << 63;
	step(machine);
	run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	run->kvm_dirty_regs = 8;
	step(machine);
	run->kvm_dirty_regs = UINT64_C(1) << 63 | KVM_SYNC_X86_REGS;
	step(machine);
	run->kvm_valid_regs = run->kvm_dirty_regs = 0;
}

static void say_changes(struct machine *machine)
{
	struct kvm_run *run = machine->run;

	/* What isn't said to have changed hasn't. */
	run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	step(machine);
	run->s.regs.regs.rbx = 0x77;
	step(machine);
	run->s.regs.regs.rbx = 0x77;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	step(machine);
	/* Nor is it told what nobody asked for. */
	run->kvm_valid_regs = KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	step(machine);
	run->kvm_valid_regs |= KVM_SYNC_X86_REGS;
	step(machine);
	run->s.regs.events.interrupt.injected = 1;
	run->s.regs.events.interrupt.nr = VECTOR;
	run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	step(machine);
	step(machine);
}

/* The rest has to be as it was, or be done, by what KVM says. */
static void say_wrong_changes(struct machine *machine)
{
	struct kvm_run *run = machine->run;
	struct kvm_sregs good = run->s.regs.sregs;

	run->s.regs.sregs.cr0 = 0x80000000;
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	step(machine);
	run->s.regs.sregs = good;
	run->s.regs.sregs.cr2 = 0x1234;
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	step(machine);
	say("cr2 %llx", run->s.regs.sregs.cr2);
	run->s.regs.events.flags = 1 << 30;
	run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	step(machine);
	run->kvm_dirty_regs = 0;
	step(machine);
	run->immediate_exit = 1;
	run->s.regs.regs.rbx = 0x33;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	step(machine);
	run->immediate_exit = 0;
	say("rip %llx", run->s.regs.regs.rip);
	step(machine);
}

/* --- page directory pointers --- */

static void say_sregs2(const struct machine *machine)
{
	struct kvm_sregs2 sregs;

	memset(&sregs, 0x5a, sizeof(sregs));
	RESULT(ioctl(machine->vcpu, KVM_GET_SREGS2, &sregs));
	say("cr0 %llx cr3 %llx cr4 %llx efer %llx cs %x flags %llx: %llx %llx %llx %llx", sregs.cr0,
	    sregs.cr3, sregs.cr4, sregs.efer, sregs.cs.selector, sregs.flags, sregs.pdptrs[0],
	    sregs.pdptrs[1], sregs.pdptrs[2], sregs.pdptrs[3]);
}

static void say_pdptrs(const struct machine *machine)
{
	static const uint64_t table[4] = { 0x6001, 0x7001, 0, 0x8001 };
	struct kvm_sregs2 sregs, good;

	say_sregs2(machine);
	ioctl(machine->vcpu, KVM_GET_SREGS2, &good);
	sregs = good;
	sregs.flags = 2;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS2, &sregs));
	sregs.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS2, &sregs));
	sregs.flags = 0;
	sregs.cr0 = 0x80000000;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS2, &sregs));

	sregs = good;
	memcpy(machine->memory + TABLE_AT, table, sizeof(table));
	sregs.cr0 = 0x80000011;
	sregs.cr3 = TABLE_AT;
	sregs.cr4 = 0x20;
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS2, &sregs));
	say_sregs2(machine);
	sregs.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	memcpy(sregs.pdptrs, table, sizeof(table));
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS2, &sregs));
	say_sregs2(machine);
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS2, &good));
	RESULT(ioctl(machine->vcpu, KVM_GET_SREGS2, BAD_POINTER));
	RESULT(ioctl(machine->vcpu, KVM_SET_SREGS2, BAD_POINTER));
	say_sregs2(machine);
}

void group_kvm_sync(void)
{
	const uint32_t handler_at = HANDLER;
	struct machine machine;

	if (!machine_open(&machine, 0, 1)) {
		RESULT(ioctl(machine.kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS));
		RESULT(ioctl(machine.vm, KVM_CHECK_EXTENSION, KVM_CAP_SREGS2));
		machine_load(&machine, code, sizeof(code));
		memcpy(machine.memory + VECTOR * 4, &handler_at, sizeof(handler_at));
		memcpy(machine.memory + HANDLER, handler, sizeof(handler));
		say_refused(&machine);
		say_changes(&machine);
		say_wrong_changes(&machine);
		say_pdptrs(&machine);
	}
	machine_close(&machine);
}
