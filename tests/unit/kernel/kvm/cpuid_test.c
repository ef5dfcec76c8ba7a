/*
 * CPUID: what is offered of a host's, and what a guest is answered.
 */
#include <errno.h>
#include <string.h>

#include "kernel/arch/regs.h"
#include "kernel/kvm/cpuid.h"
#include "tests/support/cmocka.h"
#include "tests/support/kmalloc.h"

enum { EAX, EBX, ECX, EDX, ENTRIES = 128 };

/* --- a host --- */

/* A host that says yes to everything, with AVX and a component that guests don't get. */
static void read_host(uint32_t leaf, uint32_t index, uint32_t out[4])
{
	memset(out, 0xff, 4 * sizeof(*out));
	if (leaf == 0 || leaf == 0x80000000) {
		out[EAX] = leaf | 0xff;
		memcpy(&out[EBX], "Auth", 4);
		memcpy(&out[EDX], "enti", 4);
		memcpy(&out[ECX], "cAMD", 4);
	} else if (leaf == 4 || leaf == 0x8000001d) {
		out[EAX] = index < 3 ? index + 1 : 0;
	} else if (leaf == 0xd && index == 2) {
		out[EAX] = 256;
		out[EBX] = 576;
		out[ECX] = out[EDX] = 0;
	} else if (leaf == 0x80000008) {
		out[EAX] = 0x3934;
	}
}

static const struct cpuid_host host = { .read = read_host, .xcr0 = 7 };

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid_entry2 *entries, int count,
					   uint32_t leaf, uint32_t index)
{
	for (int i = 0; i < count; i++)
		if (entries[i].function == leaf && entries[i].index == index)
			return &entries[i];
	fail_msg("no leaf %x, %u", leaf, index);
	return NULL;
}

static void a_host_that_has_everything_is_cut_to_what_is_virtualized(void **state UNUSED)
{
	struct kvm_cpuid_entry2 entries[ENTRIES];
	int count = cpuid_supported(&host, entries, ENTRIES);
	const struct kvm_cpuid_entry2 *entry;

	assert_true(count > 40);
	assert_int_equal(find(entries, count, 0, 0)->eax, 0x1f);
	entry = find(entries, count, 1, 0);
	assert_false(entry->ecx & 1 << 3);     /* MONITOR */
	assert_false(entry->ecx & 1 << 5);     /* VMX */
	assert_false(entry->ecx & 1 << 24);    /* TSC deadline: a capability */
	assert_true(entry->ecx & 1 << 21);     /* x2APIC */
	assert_int_equal(entry->ebx >> 16, 0); /* no APIC id, no number of CPUs */
	entry = find(entries, count, 7, 0);
	assert_false(entry->ecx & 1 << 3);  /* PKU */
	assert_false(entry->ecx & 1 << 16); /* LA57 */
	assert_int_equal(entry->flags, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	entry = find(entries, count, 0xa, 0); /* performance counters */
	assert_int_equal(entry->eax | entry->ebx | entry->ecx | entry->edx, 0);
	assert_false(find(entries, count, 0x80000001, 0)->ecx & 1 << 2); /* SVM */
	assert_int_equal(find(entries, count, 0x80000000, 0)->eax, 0x80000021);
	assert_int_equal(find(entries, count, 0x80000008, 0)->eax, 48 << 8 | 48);
	assert_int_equal(find(entries, count, 0x80000007, 0)->edx, 0); /* not invariant */
	assert_int_equal(find(entries, count, 0xd, 0)->eax, 7);
	assert_int_equal(find(entries, count, 0xd, 0)->ecx, 832);
	assert_memory_equal(&find(entries, count, 0x40000000, 0)->ebx, "KVMKVMKVM\0\0\0", 12);
}

static void too_little_room_is_e2big_and_nothing_beyond_it_is_written(void **state UNUSED)
{
	struct kvm_cpuid_entry2 entries[ENTRIES];
	int count = cpuid_supported(&host, entries, ENTRIES);

	memset(entries, 0xaa, sizeof(entries));
	assert_int_equal(cpuid_supported(&host, entries, (uint32_t)count - 1), -E2BIG);
	assert_int_equal(entries[count - 1].function, 0xaaaaaaaa);
	assert_int_equal(cpuid_supported(&host, entries, (uint32_t)count), count);
}

static void poor_read(uint32_t leaf, uint32_t index, uint32_t out[4])
{
	(void)index;
	memset(out, 0, 4 * sizeof(*out));
	out[EAX] = leaf == 0 ? 1 : 0;
}

static void a_host_that_has_nothing_is_not_made_up(void **state UNUSED)
{
	const struct cpuid_host poor = { .read = poor_read };
	struct kvm_cpuid_entry2 entries[ENTRIES];
	int count = cpuid_supported(&poor, entries, ENTRIES);

	assert_int_equal(count, 4); /* 0, 1, KVM's two */
	assert_int_equal(entries[1].ecx, 1 << 21);
	assert_int_equal(cpuid_host_phys_bits(&poor), 36);
}

/* --- a guest --- */

static struct cpuid_table table_of(const struct kvm_cpuid_entry2 *entries, uint32_t count)
{
	struct kvm_cpuid_entry2 *copy = kmalloc(count * sizeof(*copy));
	struct cpuid_table table = { 0 };

	memcpy(copy, entries, count * sizeof(*copy));
	cpuid_table_set(&table, copy, count);
	return table;
}

#define INDEXED .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX

static const struct kvm_cpuid_entry2 amd[] = {
	{ .function = 0, .eax = 0xd, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65 },
	{ .function = 1, .ecx = 1 << 26, .edx = 1 << 9 },
	{ .function = 0xd, INDEXED, .eax = 0xe7 },
	{ .function = 0xd, .index = 1, INDEXED, .eax = 8 },
	{ .function = 0xd, .index = 2, INDEXED, .eax = 256, .ebx = 576 },
	{ .function = 0xd, .index = 5, INDEXED, .eax = 64, .ebx = 1088, .ecx = 2 },
	{ .function = 0xd, .index = 6, INDEXED, .eax = 512, .ebx = 1152 },
	{ .function = 0x80000000, .eax = 0x80000008 },
	{ .function = 0x80000001, .edx = 1 << 29 | 1 << 20 },
	{ .function = 0x80000008, .eax = 0x302a },
};

static const struct cpuid_live idle = { .xcr0 = 1, .is_apic_enabled = true };

static void bits_follow_the_state_of_the_vcpu(void **state UNUSED)
{
	struct cpuid_table table = table_of(amd, ARRAY_SIZE(amd));
	struct cpuid_live live = { .cr4 = X86_CR4_OSXSAVE, .xcr0 = 0x67 };
	uint32_t out[4];

	cpuid_answer(&table, &idle, 1, 0, out);
	assert_int_equal(out[ECX], 1 << 26);
	assert_int_equal(out[EDX], 1 << 9);
	cpuid_answer(&table, &live, 1, 0, out);
	assert_int_equal(out[ECX], 3 << 26);
	assert_int_equal(out[EDX], 0);

	cpuid_answer(&table, &idle, 0xd, 0, out);
	assert_int_equal(out[EBX], 576);
	cpuid_answer(&table, &live, 0xd, 0, out);
	assert_int_equal(out[EBX], 1664); /* the standard format keeps its places */
	cpuid_answer(&table, &live, 0xd, 1, out);
	assert_int_equal(out[EBX], 576 + 256 + 64 + 512); /* the compacted one closes the gap */
	cpuid_table_destroy(&table);
}

static void features_are_known_by_name(void **state UNUSED)
{
	struct cpuid_table table = table_of(amd, ARRAY_SIZE(amd));

	assert_true(cpuid_has(&table, CPUID_XSAVE));
	assert_true(cpuid_has(&table, CPUID_LONG_MODE));
	assert_true(cpuid_has(&table, CPUID_NX));
	assert_false(cpuid_has(&table, CPUID_X2APIC));
	assert_false(cpuid_has(&table, CPUID_RDTSCP));
	assert_int_equal(table.phys_bits, 42);
	cpuid_table_set(&table, NULL, 0);
	assert_false(cpuid_has(&table, CPUID_XSAVE));
	assert_int_equal(table.phys_bits, 36);
	cpuid_table_destroy(&table);
}

static void widths_of_addresses_that_cannot_be_are_brought_into_bounds(void **state UNUSED)
{
	struct kvm_cpuid_entry2 entry = { .function = 0x80000008, .eax = 0xff };
	struct cpuid_table table = table_of(&entry, 1);

	assert_int_equal(table.phys_bits, 52);
	cpuid_table_destroy(&table);
	entry.eax = 3;
	table = table_of(&entry, 1);
	assert_int_equal(table.phys_bits, 36);
	cpuid_table_destroy(&table);
}

static void leaves_out_of_range_are_zero_on_amd(void **state UNUSED)
{
	struct cpuid_table table = table_of(amd, ARRAY_SIZE(amd));
	uint32_t out[4];

	cpuid_answer(&table, &idle, 0x20, 0, out);
	assert_int_equal(out[EAX] | out[EBX] | out[ECX] | out[EDX], 0);
	cpuid_answer(&table, &idle, 0x80001000, 0, out);
	assert_int_equal(out[EAX] | out[EBX] | out[ECX] | out[EDX], 0);
	cpuid_table_destroy(&table);
}

/* Which leaf answers is known only after the look: so is whether the state matters. */
static void a_leaf_out_of_range_follows_the_state_as_the_last_one_does(void **state UNUSED)
{
	static const struct kvm_cpuid_entry2 intel[] = {
		{ .function = 0,
		  .eax = 1,
		  .ebx = 0x756e6547,
		  .ecx = 0x6c65746e,
		  .edx = 0x49656e69 },
		{ .function = 1, .eax = 0x306c3, .edx = 1 << 9 },
	};
	const struct cpuid_live live = { .is_apic_enabled = false };
	struct cpuid_table table = table_of(intel, ARRAY_SIZE(intel));
	uint32_t out[4];

	assert_false(cpuid_answer(&table, NULL, 0x20, 0, out));
	assert_true(cpuid_answer(&table, &live, 0x20, 0, out));
	assert_int_equal(out[EAX], 0x306c3);
	assert_int_equal(out[EDX], 0);
	assert_true(cpuid_answer(&table, &idle, 0x20, 0, out));
	assert_int_equal(out[EDX], 1 << 9);
	assert_true(cpuid_answer(&table, NULL, 0, 0, out));
	cpuid_table_destroy(&table);
}

static void a_plain_leaf_is_one_that_neither_index_nor_state_changes(void **state UNUSED)
{
	static const struct kvm_cpuid_entry2 entries[] = {
		{ .function = 0, .eax = 0xd },
		{ .function = 1, .eax = 1 },
		{ .function = 4, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 4 },
		{ .function = 7, .eax = 7 },
		{ .function = 0xd, .eax = 0xd },
		{ .function = 0x40000001, .eax = 0x4001 },
		{ .function = 0x80000002, .eax = 0x8002 },
		{ .function = 0xc0000000, .eax = 0xc000 },
	};
	static const uint32_t others[] = { 1, 2, 4, 7, 0xd, 0x20, 0x80000022, 0xc0000000 };
	struct cpuid_table table = table_of(entries, ARRAY_SIZE(entries)), none = { 0 };

	assert_int_equal(cpuid_find_plain(&table, 0)->eax, 0xd);
	assert_int_equal(cpuid_find_plain(&table, 0x40000001)->eax, 0x4001);
	assert_int_equal(cpuid_find_plain(&table, 0x80000002)->eax, 0x8002);
	for (uint32_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_null(cpuid_find_plain(&table, others[i]));
	assert_null(cpuid_find_plain(&none, 0));
	cpuid_table_destroy(&table);
}

static void leaves_out_of_range_are_the_last_basic_one_on_intel(void **state UNUSED)
{
	static const struct kvm_cpuid_entry2 intel[] = {
		{ .function = 0,
		  .eax = 0x16,
		  .ebx = 0x756e6547,
		  .ecx = 0x6c65746e,
		  .edx = 0x49656e69 },
		{ .function = 0x16, .eax = 2600 },
		{ .function = 0x40000000, .eax = 0x40000001 },
		{ .function = 0x80000000, .eax = 0x80000008 },
	};
	struct cpuid_table table = table_of(intel, ARRAY_SIZE(intel));
	uint32_t out[4];

	cpuid_answer(&table, &idle, 0x20, 0, out);
	assert_int_equal(out[EAX], 2600);
	cpuid_answer(&table, &idle, 0x80000009, 0, out);
	assert_int_equal(out[EAX], 2600);
	cpuid_answer(&table, &idle, 0x40000010, 0, out);
	assert_int_equal(out[EAX], 2600);
	cpuid_answer(&table, &idle, 0xc0000000, 0, out);
	assert_int_equal(out[EAX], 2600);
	/* In range, but not there. */
	cpuid_answer(&table, &idle, 0x15, 0, out);
	assert_int_equal(out[EAX], 0);
	cpuid_answer(&table, &idle, 0x80000007, 0, out);
	assert_int_equal(out[EAX], 0);
	cpuid_answer(&table, &idle, 0x40000001, 0, out);
	assert_int_equal(out[EAX], 0);
	cpuid_table_destroy(&table);
}

static void levels_beyond_the_last_of_a_topology_still_name_the_processor(void **state UNUSED)
{
	static const struct kvm_cpuid_entry2 entries[] = {
		{ .function = 0,
		  .eax = 0xb,
		  .ebx = 0x68747541,
		  .ecx = 0x444d4163,
		  .edx = 0x69746e65 },
		{ .function = 0xb, INDEXED, .eax = 1, .edx = 3 },
		{ .function = 0xb, .index = 1, INDEXED, .eax = 2, .edx = 3 },
	};
	struct cpuid_table table = table_of(entries, ARRAY_SIZE(entries));
	uint32_t out[4];

	cpuid_answer(&table, &idle, 0xb, 0x102, out);
	assert_int_equal(out[EAX], 0);
	assert_int_equal(out[ECX], 2);
	assert_int_equal(out[EDX], 3);
	cpuid_table_destroy(&table);
}

static void an_entry_without_an_index_answers_for_all(void **state UNUSED)
{
	static const struct kvm_cpuid_entry2 entries[] = { { .function = 0x12345678, .eax = 1 } };
	struct cpuid_table table = table_of(entries, ARRAY_SIZE(entries));
	uint32_t out[4];

	cpuid_answer(&table, &idle, 0x12345678, 77, out);
	assert_int_equal(out[EAX], 1);
	cpuid_table_destroy(&table);
}

static void an_empty_table_answers_with_zeros(void **state UNUSED)
{
	struct cpuid_table table = { 0 };
	uint32_t out[4] = { 1, 1, 1, 1 };

	cpuid_answer(&table, &idle, 1, 0, out);
	assert_int_equal(out[EAX] | out[EBX] | out[ECX], 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_has_everything_is_cut_to_what_is_virtualized),
		cmocka_unit_test(too_little_room_is_e2big_and_nothing_beyond_it_is_written),
		cmocka_unit_test(a_host_that_has_nothing_is_not_made_up),
		cmocka_unit_test(bits_follow_the_state_of_the_vcpu),
		cmocka_unit_test(features_are_known_by_name),
		cmocka_unit_test(widths_of_addresses_that_cannot_be_are_brought_into_bounds),
		cmocka_unit_test(leaves_out_of_range_are_zero_on_amd),
		cmocka_unit_test(a_leaf_out_of_range_follows_the_state_as_the_last_one_does),
		cmocka_unit_test(a_plain_leaf_is_one_that_neither_index_nor_state_changes),
		cmocka_unit_test(leaves_out_of_range_are_the_last_basic_one_on_intel),
		cmocka_unit_test(levels_beyond_the_last_of_a_topology_still_name_the_processor),
		cmocka_unit_test(an_entry_without_an_index_answers_for_all),
		cmocka_unit_test(an_empty_table_answers_with_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
