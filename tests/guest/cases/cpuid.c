/*
 * CPUID: ranges of leaves, and the bits that follow the processor's state.
 */
#include "tests/guest/suite/apic.h"
#include "tests/guest/suite/cpus.h"
#include "tests/guest/suite/paging.h"
#include "tests/guest/suite/trap.h"

enum {
	KVM_SIGNATURE = 0x40000000,
	ECX_X2APIC = 1 << 21,
	ECX_XSAVE = 1 << 26,
	ECX_OSXSAVE = 1 << 27,
	EDX_APIC = 1 << 9,
	EDX_EXTENDED_SYSCALL = 1 << 11,
	EDX_LONG_MODE = 1 << 29,
};

#define ECX_HYPERVISOR (1u << 31)
#define EXTENDED       0x80000000u

static void basic_leaves_start_with_the_vendor(void)
{
	struct cpuid r = cpuid(0, 0);

	EXPECT_TRUE(r.eax >= 0xd && r.eax < 0x100);
	EXPECT_TRUE((r.ebx == 0x68747541 && r.edx == 0x69746e65 && r.ecx == 0x444d4163) ||
		    (r.ebx == 0x756e6547 && r.edx == 0x49656e69 && r.ecx == 0x6c65746e));
}

static void extended_leaves_have_the_same_vendor(void)
{
	struct cpuid basic = cpuid(0, 0), extended = cpuid(EXTENDED, 0);

	EXPECT_TRUE(extended.eax >= 0x80000008u && extended.eax < 0x80000100u);
	if (basic.ebx != 0x68747541)
		return; /* only AMD says it twice */
	EXPECT(extended.ebx, basic.ebx);
	EXPECT(extended.ecx, basic.ecx);
	EXPECT(extended.edx, basic.edx);
}

static void upper_halves_of_registers_become_zero(void)
{
	uint64_t a = ~0ull << 32, b = ~0ull, c = ~0ull << 32, d = ~0ull;

	__asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	EXPECT(a >> 32, 0);
	EXPECT(b >> 32, 0);
	EXPECT(c >> 32, 0);
	EXPECT(d >> 32, 0);
}

static void long_mode_is_there(void)
{
	uint32_t edx = cpuid(EXTENDED + 1, 0).edx;

	EXPECT_TRUE(edx & EDX_LONG_MODE);
	EXPECT_TRUE(edx & EDX_EXTENDED_SYSCALL);
}

static void address_widths_make_sense(void)
{
	uint32_t eax = cpuid(EXTENDED + 8, 0).eax;

	EXPECT_TRUE((eax & 0xff) >= 36 && (eax & 0xff) <= 52);
	EXPECT_TRUE((eax >> 8 & 0xff) == 48 || (eax >> 8 & 0xff) == 57);
}

static void a_leaf_behind_the_basic_range_is_redirected(void)
{
	uint32_t last = cpuid(0, 0).eax;
	struct cpuid beyond = cpuid(last + 1, 0), expected = { 0 };

	/* Intel repeats the last basic leaf, AMD says nothing. */
	if (cpuid(0, 0).ebx == 0x756e6547)
		expected = cpuid(last, 0);
	EXPECT(beyond.eax, expected.eax);
	EXPECT(beyond.ebx, expected.ebx);
	EXPECT(beyond.ecx, expected.ecx);
	EXPECT(beyond.edx, expected.edx);
}

static void a_leaf_behind_the_extended_range_is_empty(void)
{
	uint32_t last = cpuid(EXTENDED, 0).eax;
	struct cpuid beyond = cpuid(last + 1, 0);

	if (cpuid(0, 0).ebx == 0x756e6547)
		skip("Intel repeats the last basic leaf");
	EXPECT(beyond.eax | beyond.ebx | beyond.ecx | beyond.edx, 0);
}

static void a_hypervisor_is_named(void)
{
	struct cpuid r = cpuid(KVM_SIGNATURE, 0);

	EXPECT_TRUE(cpuid(1, 0).ecx & ECX_HYPERVISOR);
	EXPECT_TRUE(r.eax >= 0x40000001);
	EXPECT(r.ebx, 0x4b4d564b);
	EXPECT(r.ecx, 0x564b4d56);
	EXPECT(r.edx, 0x4d);
}

static void kvm_offers_a_clock(void)
{
	uint32_t features = cpuid(KVM_SIGNATURE + 1, 0).eax;

	EXPECT_TRUE(features & BIT(3));	 /* clock source by the newer MSRs */
	EXPECT_TRUE(features & BIT(24)); /* which is stable */
}

static void hypervisor_leaves_end(void)
{
	uint32_t last = cpuid(KVM_SIGNATURE, 0).eax;

	EXPECT_TRUE(last < 0x40000100);
}

static void x2apic_is_offered(void)
{
	EXPECT_TRUE(cpuid(1, 0).ecx & ECX_X2APIC);
}

static void apic_bit_follows_the_apic_base(void)
{
	EXPECT_TRUE(cpuid(1, 0).edx & EDX_APIC);
	apic_set_mode(0);
	EXPECT(cpuid(1, 0).edx & EDX_APIC, 0);
	apic_set_mode(APIC_BASE_ENABLED);
	EXPECT_TRUE(cpuid(1, 0).edx & EDX_APIC);
	apic_set_mode(APIC_BASE_ENABLED | APIC_BASE_X2APIC);
	EXPECT_TRUE(cpuid(1, 0).edx & EDX_APIC);
}

static void osxsave_bit_follows_cr4(void)
{
	if (!(cpuid(1, 0).ecx & ECX_XSAVE))
		skip("no XSAVE");
	EXPECT(cpuid(1, 0).ecx & ECX_OSXSAVE, 0);
	write_cr4(read_cr4() | CR4_OSXSAVE);
	EXPECT_TRUE(cpuid(1, 0).ecx & ECX_OSXSAVE);
	write_cr4(read_cr4() & ~(uint64_t)CR4_OSXSAVE);
	EXPECT(cpuid(1, 0).ecx & ECX_OSXSAVE, 0);
}

static void xsave_size_follows_xcr0(void)
{
	uint32_t supported;

	if (!(cpuid(1, 0).ecx & ECX_XSAVE))
		skip("no XSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	supported = cpuid(0xd, 0).eax;
	EXPECT(supported & 3, 3);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
	EXPECT(cpuid(0xd, 0).ebx, 576);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(3), "d"(0));
	EXPECT(cpuid(0xd, 0).ebx, 576);
	if (supported & 4) {
		__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
		EXPECT(cpuid(0xd, 0).ebx, 832);
		EXPECT(cpuid(0xd, 2).eax, 256);
		EXPECT(cpuid(0xd, 2).ebx, 576);
	}
	EXPECT_TRUE(cpuid(0xd, 0).ecx >= cpuid(0xd, 0).ebx);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
}

static uint32_t ids[CPUS_MAX], topology_ids[CPUS_MAX];

static void note_id(void)
{
	ids[cpu_index()] = cpuid(1, 0).ebx >> 24;
	topology_ids[cpu_index()] = cpuid(0xb, 0).edx;
}

static void every_processor_has_its_own_id(void)
{
	cpus_start();
	note_id();
	for (uint32_t cpu = 1; cpu < cpus_count(); cpu++)
		cpu_run(cpu, note_id);
	for (uint32_t cpu = 0; cpu < cpus_count(); cpu++) {
		EXPECT(ids[cpu], cpu);
		EXPECT(topology_ids[cpu], cpu);
	}
}

static void topology_counts_all_processors(void)
{
	EXPECT(cpuid(0xb, 1).ebx, cpus_count());
	EXPECT(cpuid(0xb, 1).ecx, 0x201);
	EXPECT(cpuid(0xb, 0).ecx, 0x100);
	EXPECT(cpuid(0xb, 2).ecx, 2); /* no such level: it says only which was asked for */
}

static void svm_and_vmx_are_not_offered(void)
{
	EXPECT(cpuid(1, 0).ecx & BIT(5), 0);
	EXPECT(cpuid(EXTENDED + 1, 0).ecx & BIT(2), 0);
}

static void it_works_at_ring_3(void)
{
	static const uint8_t code[] = {
		0xb8, 0x00, 0x00, 0x00, 0x40, /* mov $0x40000000, %eax */
		0x0f, 0xa2,		      /* cpuid */
		0x89, 0xd8,		      /* mov %ebx, %eax */
		0xcd, 0x81,		      /* int $0x81 */
	};
	uint64_t rsp, rax, rip = paging_map_user_code(code, sizeof(code), &rsp);

	EXPECT(ring3_run(rip, rsp, 0, &rax), VECTOR_RING3_DONE);
	EXPECT(rax, 0x4b4d564b);
}

const struct test_case test_cases[] = {
	CASE(basic_leaves_start_with_the_vendor),
	CASE(extended_leaves_have_the_same_vendor),
	CASE(upper_halves_of_registers_become_zero),
	CASE(long_mode_is_there),
	CASE(address_widths_make_sense),
	CASE(a_leaf_behind_the_basic_range_is_redirected),
	CASE(a_leaf_behind_the_extended_range_is_empty),
	CASE(a_hypervisor_is_named),
	CASE(kvm_offers_a_clock),
	CASE(hypervisor_leaves_end),
	CASE(x2apic_is_offered),
	CASE(apic_bit_follows_the_apic_base),
	CASE(osxsave_bit_follows_cr4),
	CASE(xsave_size_follows_xcr0),
	CASE(every_processor_has_its_own_id),
	CASE(topology_counts_all_processors),
	CASE(svm_and_vmx_are_not_offered),
	CASE(it_works_at_ring_3),
	{ 0 },
};
