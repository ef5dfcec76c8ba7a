/*
 * KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2, KVM_GET_CPUID2 (whose count of entries Linux 6.1 doesn't give back).
 *
 * Both run on the same emulated processor. Of a leaf's bits those are said that both offer a guest for the same reasons:
 * what Linux emulates beyond that is masked.
 */
#include <string.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum { ENTRIES = 256 };

struct table {
	struct kvm_cpuid2 header;
	struct kvm_cpuid_entry2 entries[ENTRIES];
};

static struct kvm_cpuid_entry2 *find(struct table *table, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < table->header.nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index == index)
			return &table->entries[i];
	return NULL;
}

static const struct {
	uint32_t leaf, index;
	uint32_t eax, ebx, ecx, edx; /* masks */
} leaves[] = {
	{ 0x0, 0, 0, ~0u, ~0u, ~0u },
	{ 0x1, 0, ~0u, 0x0000ff00, ~0u, ~0u },
	{ 0x6, 0, ~0u, ~0u, ~0u, ~0u },
	/* without transactional memory, protection keys, five-level paging; without SPEC_CTRL and ARCH_CAPABILITIES */
	{ 0x7, 0, 0, ~0x00000810u, ~0x00010008u, ~0xac000000u },
	/* without what Linux leaves of the host's own topology */
	{ 0xb, 0, ~0u, ~0u, ~0u, 0 },
	{ 0xd, 0, ~0x218u, 0, 0, ~0u },
	{ 0xd, 1, ~0u, 0, ~0u, ~0u },
	{ 0xd, 2, ~0u, ~0u, ~0u, ~0u },
	{ 0x40000000, 0, ~0u, ~0u, ~0u, ~0u },
	/* without asynchronous page faults */
	{ 0x40000001, 0, ~0x00004410u, ~0u, ~0u, ~0u },
	/* without nested virtualization and performance counters */
	{ 0x80000001, 0, ~0u, ~0u, ~0x00800004u, ~0u },
	{ 0x80000006, 0, ~0u, ~0u, ~0u, ~0u },
	/* physical addresses only */
	{ 0x80000008, 0, 0xff, 0x205, 0, ~0u },
};

static void say_leaves(struct table *table)
{
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		const struct kvm_cpuid_entry2 *entry = find(table, leaves[i].leaf, leaves[i].index);

		if (entry)
			say("leaf %x, %u: flags %x: %x %x %x %x", entry->function, entry->index,
			    entry->flags, entry->eax & leaves[i].eax, entry->ebx & leaves[i].ebx,
			    entry->ecx & leaves[i].ecx, entry->edx & leaves[i].edx);
		else
			say("leaf %x, %u: none", leaves[i].leaf, leaves[i].index);
	}
}

static void say_supported(int kvm, struct table *table)
{
	uint32_t count;

	table->header.nent = 0;
	RESULT(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table));
	table->header.nent = 3;
	RESULT(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table));
	say("then nent is %u", table->header.nent);
	RESULT(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, BAD_POINTER));
	table->header.nent = ENTRIES;
	RESULT(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table));
	count = table->header.nent;
	say("plausible: %d", count > 20 && count < ENTRIES);
	say_leaves(table);
	table->header.nent = count - 1;
	RESULT(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table));
	table->header.nent = count;
	RESULT(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table));
	table->header.nent = 1 << 20;
	RESULT(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, table));
	say("the same: %d", table->header.nent == count);
}

static void say_emulated(int kvm, struct table *table)
{
	table->header.nent = 0;
	RESULT(ioctl(kvm, KVM_GET_EMULATED_CPUID, table));
	table->header.nent = 1;
	RESULT(ioctl(kvm, KVM_GET_EMULATED_CPUID, table));
	table->header.nent = ENTRIES;
	RESULT(ioctl(kvm, KVM_GET_EMULATED_CPUID, table));
}

static void say_set(int vcpu, struct table *table)
{
	static struct table back;
	uint32_t count = table->header.nent;
	struct kvm_cpuid_entry2 *sizes = find(table, 0x80000008, 0);
	uint32_t eax = sizes ? sizes->eax : 0;

	table->header.nent = ENTRIES + 1;
	RESULT(ioctl(vcpu, KVM_SET_CPUID2, table));
	table->header.nent = 0;
	RESULT(ioctl(vcpu, KVM_SET_CPUID2, table));
	table->header.nent = count;
	if (sizes)
		sizes->eax = 0x3930;
	RESULT(ioctl(vcpu, KVM_SET_CPUID2, table));
	if (sizes)
		sizes->eax = 0x3828;
	RESULT(ioctl(vcpu, KVM_SET_CPUID2, table));
	if (sizes)
		sizes->eax = eax;
	RESULT(ioctl(vcpu, KVM_SET_CPUID2, table));
	RESULT(ioctl(vcpu, KVM_SET_CPUID2, BAD_POINTER));
	back.header.nent = count - 1;
	RESULT(ioctl(vcpu, KVM_GET_CPUID2, &back));
	back.header.nent = ENTRIES;
	RESULT(ioctl(vcpu, KVM_GET_CPUID2, &back));
	for (uint32_t i = 0; i < count; i++)
		if (back.entries[i].function == 1)
			say("OSXSAVE %u, APIC %u", back.entries[i].ecx >> 27 & 1,
			    back.entries[i].edx >> 9 & 1);
}

/* What the guest has seen stays as it is. */
static void say_set_late(struct machine *machine, struct table *table)
{
	static const uint8_t code[] = { 0xe6, MACHINE_END_PORT };
	struct kvm_cpuid_entry2 *first;

	machine_load(machine, code, sizeof(code));
	machine_run(machine);
	RESULT(ioctl(machine->vcpu, KVM_SET_CPUID2, table));
	first = find(table, 1, 0);
	if (!first)
		return;
	first->ecx ^= 1;
	RESULT(ioctl(machine->vcpu, KVM_SET_CPUID2, table));
	first->ecx ^= 1;
	table->header.nent--;
	RESULT(ioctl(machine->vcpu, KVM_SET_CPUID2, table));
}

/* A guest that is told of an Intel processor asks beyond the last leaf, which follows its state. */
static void say_beyond_the_last(void)
{
	/* mov $0x20, %eax; xor %ecx, %ecx; cpuid; out %al, $END */
	static const uint8_t code[] = { 0x66,
					0xb8,
					0x20,
					0x00,
					0x00,
					0x00,
					0x66,
					0x31,
					0xc9,
					0x0f,
					0xa2,
					0xe6,
					MACHINE_END_PORT };
	static struct table table = {
		.header.nent = 2,
		.entries = { { .function = 0,
			       .eax = 1,
			       .ebx = 0x756e6547,
			       .ecx = 0x6c65746e,
			       .edx = 0x49656e69 },
			     { .function = 1, .eax = 0x306c3, .edx = 1 << 9 } },
	};
	struct machine machine;
	struct kvm_regs regs;

	if (!machine_open(&machine, 1, 1)) {
		RESULT(ioctl(machine.vcpu, KVM_SET_CPUID2, &table));
		machine_load(&machine, code, sizeof(code));
		machine_run(&machine);
		ioctl(machine.vcpu, KVM_GET_REGS, &regs);
		say("beyond the last leaf: %llx %llx %llx %llx", regs.rax, regs.rbx, regs.rcx,
		    regs.rdx);
	}
	machine_close(&machine);
}

void group_kvm_cpuid(void)
{
	static struct table table;
	struct machine machine;

	if (!machine_open(&machine, 1, 1)) {
		say_supported(machine.kvm, &table);
		say_emulated(machine.kvm, &table);
		table.header.nent = ENTRIES;
		ioctl(machine.kvm, KVM_GET_SUPPORTED_CPUID, &table);
		say_set(machine.vcpu, &table);
		say_set_late(&machine, &table);
	}
	machine_close(&machine);
	say_beyond_the_last();
}
