/*
 * What a guest's CPUID says about its VM, whatever the host's says.
 */
#include "tests/support/cmocka.h"
#include "vmm/cpuid.h"

enum {
	VERSION = 0x1,
	CACHES = 0x4,
	TOPOLOGY = 0xb,
	TOPOLOGY_V2 = 0x1f,

	ECX_VMX = 1 << 5,
	ECX_X2APIC = 1 << 21,
	ECX_TSC_DEADLINE = 1 << 24,
	EDX_HTT = 1 << 28,
	ECX_CMP_LEGACY = 1 << 1,
	ECX_SVM = 1 << 2,
	LEVEL_SMT = 1 << 8,
	LEVEL_CORE = 2 << 8,
};

#define EXTENDED_VERSION 0x80000001u
#define EXTENDED_SIZES	 0x80000008u
#define SVM		 0x8000000au
#define AMD_CACHES	 0x8000001du
#define AMD_TOPOLOGY	 0x8000001eu
#define ECX_HYPERVISOR	 0x80000000u

/* A host that has everything, with the topology of a big machine. */
static void fill(struct cpuid_table *table)
{
	static const struct kvm_cpuid_entry2 host[] = {
		{ .function = VERSION,
		  .eax = 0x800f12,
		  .ebx = 0x12345678,
		  .ecx = ECX_VMX,
		  .edx = 0x1 },
		{ .function = CACHES, .index = 0, .eax = 0xffffc121 }, /* data, level 1 */
		{ .function = CACHES, .index = 3, .eax = 0xffffc163 }, /* unified, level 3 */
		{ .function = CACHES, .index = 4, .eax = 0 },	       /* no more */
		{ .function = TOPOLOGY,
		  .index = 0,
		  .eax = 1,
		  .ebx = 2,
		  .ecx = LEVEL_SMT,
		  .edx = 77 },
		{ .function = EXTENDED_VERSION, .ecx = ECX_SVM | 1 },
		{ .function = EXTENDED_SIZES, .eax = 0x3030, .ecx = 0x707f },
		{ .function = SVM, .eax = 1, .ebx = 8, .edx = 0xffff },
		{ .function = AMD_CACHES, .index = 3, .eax = 0x3ffc163 },
		{ .function = AMD_TOPOLOGY, .eax = 77, .ebx = 0x0101, .ecx = 0x0303 },
	};

	*table = (struct cpuid_table){ .header.nent = ARRAY_SIZE(host) };
	for (uint32_t i = 0; i < ARRAY_SIZE(host); i++)
		table->entries[i] = host[i];
}

static const struct kvm_cpuid_entry2 *find(const struct cpuid_table *table, uint32_t function,
					   uint32_t index)
{
	for (uint32_t i = 0; i < table->header.nent; i++)
		if (table->entries[i].function == function && table->entries[i].index == index)
			return &table->entries[i];
	fail_msg("no leaf %#x.%u", function, index);
	return NULL;
}

static void fit(struct cpuid_table *table, uint32_t cpus)
{
	fill(table);
	cpuid_fit(table, cpus, true);
}

static void virtualization_is_hidden(void **state UNUSED)
{
	struct cpuid_table table;

	fit(&table, 1);
	assert_false(find(&table, VERSION, 0)->ecx & ECX_VMX);
	assert_int_equal(find(&table, EXTENDED_VERSION, 0)->ecx, 1);
	assert_int_equal(find(&table, SVM, 0)->eax | find(&table, SVM, 0)->edx, 0);
}

static void the_hypervisor_and_its_apic_are_announced(void **state UNUSED)
{
	struct cpuid_table table;

	fit(&table, 1);
	assert_true(find(&table, VERSION, 0)->ecx & ECX_HYPERVISOR);
	assert_true(find(&table, VERSION, 0)->ecx & ECX_X2APIC);
	assert_true(find(&table, VERSION, 0)->ecx & ECX_TSC_DEADLINE);
	fill(&table);
	cpuid_fit(&table, 1, false);
	assert_false(find(&table, VERSION, 0)->ecx & ECX_TSC_DEADLINE);
}

static void one_processor_is_alone_in_its_package(void **state UNUSED)
{
	struct cpuid_table table;

	fit(&table, 1);
	assert_false(find(&table, VERSION, 0)->edx & EDX_HTT);
	assert_int_equal(find(&table, VERSION, 0)->ebx >> 16 & 0xff, 1);
	assert_int_equal(find(&table, VERSION, 0)->ebx & 0xffff, 0x5678);
	assert_false(find(&table, EXTENDED_VERSION, 0)->ecx & ECX_CMP_LEGACY);
	assert_int_equal(find(&table, EXTENDED_SIZES, 0)->ecx & 0xf0ff, 0);
	assert_int_equal(find(&table, EXTENDED_SIZES, 0)->eax, 0x3030);
}

static void several_processors_are_cores_of_one_package(void **state UNUSED)
{
	struct cpuid_table table;

	fit(&table, 6);
	assert_true(find(&table, VERSION, 0)->edx & EDX_HTT);
	assert_int_equal(find(&table, VERSION, 0)->ebx >> 16 & 0xff, 6);
	assert_true(find(&table, EXTENDED_VERSION, 0)->ecx & ECX_CMP_LEGACY);
	assert_int_equal(find(&table, EXTENDED_SIZES, 0)->ecx & 0xff, 5);
	assert_int_equal(find(&table, EXTENDED_SIZES, 0)->ecx >> 12 & 0xf, 3);
}

static void the_topology_has_both_levels_even_if_the_host_has_one(void **state UNUSED)
{
	const struct kvm_cpuid_entry2 *smt, *core;
	struct cpuid_table table;

	fit(&table, 6);
	smt = find(&table, TOPOLOGY, 0);
	core = find(&table, TOPOLOGY, 1);
	assert_int_equal(smt->eax, 0);
	assert_int_equal(smt->ebx, 1);
	assert_int_equal(smt->ecx, LEVEL_SMT);
	assert_int_equal(core->eax, 3);
	assert_int_equal(core->ebx, 6);
	assert_int_equal(core->ecx, LEVEL_CORE | 1);
	assert_true(core->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
}

static void a_topology_that_the_host_lacks_is_not_made_up(void **state UNUSED)
{
	struct cpuid_table table;
	uint32_t before;

	fill(&table);
	before = table.header.nent;
	cpuid_fit(&table, 4, true);
	assert_int_equal(table.header.nent, before + 1);
	for (uint32_t i = 0; i < table.header.nent; i++)
		assert_int_not_equal(table.entries[i].function, TOPOLOGY_V2);
}

static void a_full_table_stays_within_its_bounds(void **state UNUSED)
{
	struct cpuid_table table;

	fill(&table);
	table.header.nent = CPUID_ENTRIES_MAX;
	cpuid_fit(&table, 4, true);
	assert_int_equal(table.header.nent, CPUID_ENTRIES_MAX);
}

static void caches_are_private_but_for_the_last_level(void **state UNUSED)
{
	struct cpuid_table table;

	fit(&table, 64);
	assert_int_equal(find(&table, CACHES, 0)->eax >> 14 & 0xfff, 0);
	assert_int_equal(find(&table, CACHES, 0)->eax >> 26, 63);
	assert_int_equal(find(&table, CACHES, 0)->eax & 0x3fff, 0xffffc121 & 0x3fff);
	assert_int_equal(find(&table, CACHES, 3)->eax >> 14 & 0xfff, 63);
	assert_int_equal(find(&table, CACHES, 4)->eax, 0);
	assert_int_equal(find(&table, AMD_CACHES, 3)->eax >> 14 & 0xfff, 63);
}

static void each_processor_reads_its_own_apic_id(void **state UNUSED)
{
	struct cpuid_table table;

	fit(&table, 6);
	cpuid_personalize(&table, 5);
	assert_int_equal(find(&table, VERSION, 0)->ebx >> 24, 5);
	assert_int_equal(find(&table, TOPOLOGY, 0)->edx, 5);
	assert_int_equal(find(&table, TOPOLOGY, 1)->edx, 5);
	assert_int_equal(find(&table, AMD_TOPOLOGY, 0)->eax, 5);
	assert_int_equal(find(&table, AMD_TOPOLOGY, 0)->ebx, 5);
	assert_int_equal(find(&table, AMD_TOPOLOGY, 0)->ecx, 0);
	cpuid_personalize(&table, 0);
	assert_int_equal(find(&table, VERSION, 0)->ebx >> 24, 0);
	assert_int_equal(find(&table, VERSION, 0)->ebx >> 16 & 0xff, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtualization_is_hidden),
		cmocka_unit_test(the_hypervisor_and_its_apic_are_announced),
		cmocka_unit_test(one_processor_is_alone_in_its_package),
		cmocka_unit_test(several_processors_are_cores_of_one_package),
		cmocka_unit_test(the_topology_has_both_levels_even_if_the_host_has_one),
		cmocka_unit_test(a_topology_that_the_host_lacks_is_not_made_up),
		cmocka_unit_test(a_full_table_stays_within_its_bounds),
		cmocka_unit_test(caches_are_private_but_for_the_last_level),
		cmocka_unit_test(each_processor_reads_its_own_apic_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
