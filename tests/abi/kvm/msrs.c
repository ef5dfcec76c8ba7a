/*
 * KVM_GET_MSRS, KVM_SET_MSRS and the lists of them.
 */
#include <string.h>

#include "lib/compiler.h"
#include "tests/abi/kvm/machine.h"

enum { MSRS = 256 };

struct list {
	struct kvm_msr_list header;
	uint32_t numbers[MSRS];
};

struct many {
	struct kvm_msrs header;
	struct kvm_msr_entry entries[MSRS];
};

/* --- lists --- */

static int has(const struct list *list, uint32_t msr)
{
	for (uint32_t i = 0; i < list->header.nmsrs; i++)
		if (list->numbers[i] == msr)
			return 1;
	return 0;
}

static void say_list(int kvm, struct list *list)
{
	static const uint32_t both[] = { 0x10,	     0x11,	 0x12,	     0x3b,	 0x8b,
					 0x174,	     0x17a,	 0x1a0,	     0x277,	 0x6e0,
					 0x4b564d00, 0x4b564d01, 0x4b564d03, 0x4b564d04, 0x4b564d05,
					 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102,
					 0xc0010015 };

	list->header.nmsrs = 0;
	RESULT(ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list));
	say("it says how many: %d", list->header.nmsrs > 10);
	list->header.nmsrs--;
	RESULT(ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list));
	RESULT(ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list));
	RESULT(ioctl(kvm, KVM_GET_MSR_INDEX_LIST, BAD_POINTER));
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		if (!has(list, both[i]))
			say("not listed: %x", both[i]);
	list->header.nmsrs = MSRS;
	RESULT(ioctl(kvm, KVM_GET_MSR_INDEX_LIST, list));
}

/* What is listed can be read, and what was read can be written. */
static void say_listed(const struct machine *machine, const struct list *list)
{
	static struct many many;

	many.header.nmsrs = list->header.nmsrs;
	for (uint32_t i = 0; i < list->header.nmsrs; i++)
		many.entries[i].index = list->numbers[i];
	say("all read: %d", ioctl(machine->vcpu, KVM_GET_MSRS, &many) == (int)many.header.nmsrs);
	say("all written: %d", ioctl(machine->vcpu, KVM_SET_MSRS, &many) == (int)many.header.nmsrs);
}

static void say_features(int kvm, struct list *list)
{
	static struct many many;

	list->header.nmsrs = MSRS;
	RESULT(ioctl(kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, list));
	say("microcode %d, DE_CFG %d", has(list, 0x8b), has(list, 0xc0011029));
	many.header.nmsrs = 2;
	many.entries[0].index = 0x8b;
	many.entries[1].index = 0x10;
	RESULT(ioctl(kvm, KVM_GET_MSRS, &many));
	RESULT(ioctl(kvm, KVM_SET_MSRS, &many));
}

/* --- partial sets --- */

static void say_partial(int vcpu)
{
	static struct many many;

	memset(&many, 0, sizeof(many));
	many.header.nmsrs = 4;
	many.entries[0] = (struct kvm_msr_entry){ .index = 0x174, .data = 0x10 };
	many.entries[1] = (struct kvm_msr_entry){ .index = 0x277, .data = 0x0202020202020202 };
	many.entries[2] = (struct kvm_msr_entry){ .index = 0x175, .data = 0x7000 };
	RESULT(ioctl(vcpu, KVM_SET_MSRS, &many));
	many.entries[1].index = 0xdeadbeef;
	RESULT(ioctl(vcpu, KVM_SET_MSRS, &many));
	RESULT(ioctl(vcpu, KVM_GET_MSRS, &many));
	many.entries[0].index = 0xdeadbeef;
	RESULT(ioctl(vcpu, KVM_GET_MSRS, &many));
	many.header.nmsrs = 0;
	RESULT(ioctl(vcpu, KVM_GET_MSRS, &many));
	many.header.nmsrs = MSRS;
	RESULT(ioctl(vcpu, KVM_GET_MSRS, &many));
	RESULT(ioctl(vcpu, KVM_SET_MSRS, &many));
	RESULT(ioctl(vcpu, KVM_GET_MSRS, BAD_POINTER));
}

/* --- one by one --- */

static const uint32_t after_reset[] = {
	0x0,	    0x1,	0x10,	    0x1b,	0x2a,	    0x3b,	0x8b,
	0xfe,	    0x174,	0x175,	    0x176,	0x179,	    0x17a,	0x17b,
	0x186,	    0x198,	0x1a0,	    0x1d9,	0x200,	    0x201,	0x20f,
	0x210,	    0x250,	0x258,	    0x26f,	0x270,	    0x277,	0x2ff,
	0x400,	    0x401,	0x47c,	    0x480,	0x606,	    0x6e0,	0x800,
	0x808,	    0x4b564d00, 0x4b564d01, 0x4b564d03, 0x4b564d04, 0x4b564d05, 0x4b564d09,
	0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000102, 0xc0000103,
	0xc0000105, 0xc0010000, 0xc0010004, 0xc0010010, 0xc0010015, 0xc001001b, 0xc001001f,
	0xc0010055, 0xc0010058, 0xc0010112, 0xc0010114, 0xc0010117, 0xc0011022, 0xc0011029,
	0xc001102a, 0xc001102c, 0xc0011fff, 0x12345678,
};

static void say_values(const struct machine *machine)
{
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(after_reset); i++) {
		int count = machine_get_msr(machine, after_reset[i], &value);

		/* The counter runs. */
		if (after_reset[i] == 0x10)
			value = value > 0;
		say("MSR %x: %d: %llx", after_reset[i], count, count == 1 ? (long long)value : 0);
	}
}

static const struct kvm_msr_entry writes[] = {
	{ .index = 0x277, .data = 0x0007040600070406 },
	{ .index = 0x277, .data = 0x0007040600070403 },
	{ .index = 0x2ff, .data = 0xc06 },
	{ .index = 0x2ff, .data = 0xc02 },
	{ .index = 0x2ff, .data = 0x1006 },
	{ .index = 0x250, .data = 0x0606060606060606 },
	{ .index = 0x250, .data = 0x0606060606060602 },
	{ .index = 0x26f, .data = 0x0505050505050505 },
	{ .index = 0x200, .data = 0x80000006 },
	{ .index = 0x200, .data = 0x80000007 },
	{ .index = 0x200, .data = 0x80000106 },
	{ .index = 0x201, .data = 0xff80000800 },
	{ .index = 0x201, .data = 0xff80000400 },
	{ .index = 0x201, .data = 0x8000000000000800 },
	{ .index = 0xfe, .data = 0 },
	{ .index = 0x1b, .data = 0xfee00900 },
	{ .index = 0x1b, .data = 0xfee00901 },
	{ .index = 0x1b, .data = 0xfee00500 },
	{ .index = 0x1b, .data = 0xfee00d00 },
	{ .index = 0x1b, .data = 0xfee00900 },
	{ .index = 0x17a, .data = 4 },
	{ .index = 0x400, .data = 0 },
	{ .index = 0x400, .data = ~0ull },
	{ .index = 0x400, .data = ~0ull & ~0x401ull },
	{ .index = 0x400, .data = 5 },
	{ .index = 0x401, .data = 5 },
	{ .index = 0x480, .data = 0 },
	{ .index = 0x1a0, .data = 1 },
	{ .index = 0xc0000080, .data = 0x500 },
	{ .index = 0xc0000080, .data = 0x4901 },
	{ .index = 0xc0000080, .data = 0x901 },
	{ .index = 0xc0000080, .data = 2 },
	{ .index = 0xc0000082, .data = 0x0000800000000000 },
	{ .index = 0xc0000082, .data = 0xffff800000000000 },
	{ .index = 0xc0000084, .data = 0x47700 },
	{ .index = 0xc0000102, .data = 0x8000000000000000 },
	{ .index = 0xc0000100, .data = 0x1000 },
	{ .index = 0xc0000103, .data = 7 },
	{ .index = 0xc0010015, .data = 0x148 },
	{ .index = 0xc0010015, .data = 0x40000 },
	{ .index = 0xc0010015, .data = 1 },
	{ .index = 0xc0010058, .data = 0 },
	{ .index = 0xc0010058, .data = 1 },
	{ .index = 0xc0010000, .data = 0 },
	{ .index = 0xc001001f, .data = 8 },
	{ .index = 0x3b, .data = 0x1000 },
	{ .index = 0x4b564d03, .data = 3 },
	{ .index = 0x4b564d03, .data = 0x3001 },
	{ .index = 0x4b564d03, .data = 0 },
	{ .index = 0x4b564d01, .data = 0x2001 },
	{ .index = 0x6e0, .data = 1000 },
	{ .index = 0x808, .data = 0x20 },
	{ .index = 0xda0, .data = 0 },
	{ .index = 0xda0, .data = 1 },
	{ .index = 0x12345678, .data = 0 },
};

static void say_writes(const struct machine *machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		uint64_t value;
		int written = machine_set_msr(machine, writes[i].index, writes[i].data);
		int count = machine_get_msr(machine, writes[i].index, &value);

		say("MSR %x = %llx: %d; then %llx", writes[i].index, writes[i].data, written,
		    count == 1 ? (long long)value : -1);
	}
}

void group_kvm_msrs(void)
{
	static struct list list;
	struct machine machine;

	if (!machine_open(&machine, 1, 1)) {
		say_list(machine.kvm, &list);
		machine_give_cpuid(&machine);
		say_values(&machine);
		say_listed(&machine, &list);
		say_partial(machine.vcpu);
		say_writes(&machine);
		say_features(machine.kvm, &list);
	}
	machine_close(&machine);
}
