/*
 * The table of MSRs: who may read and write what. What keeps them elsewhere is played here.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/arch/regs.h"
#include "kernel/cpu/clock.h"
#include "kernel/kvm/vcpu.h"
#include "tests/support/cmocka.h"
#include "tests/support/kmalloc.h"

enum { MEMORY_BYTES = 0x10000 };

/* --- what the table asks of others --- */

static uint64_t efer, cr0, star;

static int get_hardware(struct virt_vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	(void)vcpu;
	if (msr != MSR_EFER && msr != MSR_STAR)
		return -ENOENT;
	*out = msr == MSR_EFER ? efer : star;
	return 0;
}

static int set_hardware(struct virt_vcpu *vcpu, uint32_t msr, uint64_t value)
{
	(void)vcpu;
	if (msr != MSR_EFER && msr != MSR_STAR)
		return -ENOENT;
	if (value >> 63)
		return -EINVAL;
	*(msr == MSR_EFER ? &efer : &star) = value;
	return 0;
}

static uint64_t get_cr(struct virt_vcpu *vcpu, uint32_t number)
{
	(void)vcpu;
	return number ? 0 : cr0;
}

static const struct virt_ops ops = { .get_msr = get_hardware,
				     .set_msr = set_hardware,
				     .get_cr = get_cr };
const struct virt_ops *virt = &ops;

static void read_host(uint32_t leaf, uint32_t index, uint32_t out[4])
{
	(void)index;
	out[0] = out[1] = out[2] = 0;
	out[3] = leaf == 0x80000001 ? 1u << 25 : 0; /* FXSR_OPT */
}

const struct cpuid_host *cpuid_host(void)
{
	static const struct cpuid_host host = { .read = read_host };

	return &host;
}

uint32_t cpuid_phys_bits(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 40;
}

uint64_t clock_ns(void)
{
	return 1000;
}

static uint64_t system_msr;

int pvclock_get_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *out)
{
	(void)vcpu, (void)msr;
	*out = system_msr;
	return 0;
}

int pvclock_set_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value, bool is_host)
{
	(void)vcpu, (void)msr, (void)is_host;
	system_msr = value;
	return 0;
}

uint64_t pvclock_tsc(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 12345;
}

void pvclock_set_tsc(struct vcpu *vcpu, uint64_t value, bool is_host)
{
	(void)is_host;
	vcpu->clock.tsc_offset = value;
}

void pvclock_set_tsc_adjust(struct vcpu *vcpu, uint64_t value, bool is_host)
{
	(void)is_host;
	vcpu->clock.tsc_adjust = value;
}

bool vm_find_hva(struct vm *vm, gpa_t at, uint32_t bytes, bool is_write, uint64_t *out)
{
	(void)vm;
	*out = at.v;
	return is_write && at.v <= MEMORY_BYTES - bytes;
}

/* --- a vCPU --- */

static struct vm *vm;
static struct vcpu *vcpu;

static int set_up(void **state UNUSED)
{
	vm = calloc(1, sizeof(*vm));
	vcpu = aligned_alloc(64, sizeof(*vcpu));
	if (!vm || !vcpu)
		return -1;
	*vcpu = (struct vcpu){ .vm = vm };
	msrs_reset(&vcpu->msrs);
	efer = cr0 = star = system_msr = 0;
	return 0;
}

static int tear_down(void **state UNUSED)
{
	free(vm);
	free(vcpu);
	return 0;
}

static void assert_reads(uint32_t msr, uint64_t expected)
{
	uint64_t value = ~expected;

	assert_int_equal(msr_guest_read(vcpu, msr, &value), 0);
	assert_true(value == expected);
}

static void assert_no_read(uint32_t msr)
{
	uint64_t value;

	assert_int_equal(msr_guest_read(vcpu, msr, &value), -1);
}

static void tell(enum cpuid_feature feature)
{
	vcpu->cpuid.features[feature >> 5] |= 1u << (feature & 31);
}

/* --- tests --- */

static void the_table_is_in_order(void **state UNUSED)
{
	assert_true(msrs_table_is_sound());
}

static void an_msr_that_is_not_there_faults(void **state UNUSED)
{
	static const uint32_t none[] = { 0x2,	0x210,	    0x251,	0x270,	    0x480,
					 0x900, 0x4b564d02, 0xc0000105, 0xc0010008, 0xffffffff };

	for (uint32_t i = 0; i < ARRAY_SIZE(none); i++) {
		assert_no_read(none[i]);
		assert_int_equal(msr_guest_write(vcpu, none[i], 0), -1);
		assert_int_equal(msr_host_write(vcpu, none[i], 0), -1);
	}
}

static void registers_start_as_after_a_reset(void **state UNUSED)
{
	assert_reads(0xfe, 0x508);
	assert_reads(0x8b, 0x01000065);
	assert_reads(0x179, 32);
	assert_reads(0x1a0, 0x1800);
	assert_reads(0x2ff, 0);
	assert_reads(0xc001001b, 0x20000000);
	assert_reads(0xc0010140, 3);
}

static void a_range_keeps_each_register_by_itself(void **state UNUSED)
{
	for (uint32_t i = 0; i < 16; i += 2) {
		assert_int_equal(msr_guest_write(vcpu, 0x200 + i, (uint64_t)i << 20 | 6), 0);
		assert_int_equal(msr_guest_write(vcpu, 0x201 + i, (uint64_t)(i + 1) << 20), 0);
	}
	for (uint32_t i = 0; i < 16; i += 2) {
		assert_reads(0x200 + i, (uint64_t)i << 20 | 6);
		assert_reads(0x201 + i, (uint64_t)(i + 1) << 20);
	}
	assert_int_equal(msr_guest_write(vcpu, 0x250, 0x0606060606060606), 0);
	assert_int_equal(msr_guest_write(vcpu, 0x26f, 0x0505050505050505), 0);
	assert_reads(0x250, 0x0606060606060606);
	assert_reads(0x26f, 0x0505050505050505);
	assert_reads(0x258, 0);
	assert_reads(0x2ff, 0);
}

static void values_that_cannot_be_fault_and_change_nothing(void **state UNUSED)
{
	assert_int_equal(msr_guest_write(vcpu, 0x2ff, 0xc06), 0);
	assert_int_equal(msr_guest_write(vcpu, 0x2ff, 0xc02), -1);
	assert_int_equal(msr_guest_write(vcpu, 0x200, UINT64_C(1) << 40 | 6), -1);
	assert_int_equal(msr_guest_write(vcpu, 0xda0, 1), -1);
	assert_int_equal(msr_guest_write(vcpu, MSR_STAR, UINT64_C(1) << 63), -1);
	assert_reads(0x2ff, 0xc06);
	assert_reads(0x200, 0);
}

static void some_writes_are_dropped_and_some_fault(void **state UNUSED)
{
	assert_int_equal(msr_guest_write(vcpu, 0xc1, 77), 0);
	assert_reads(0xc1, 0);
	assert_int_equal(msr_guest_write(vcpu, 0x8b, 77), 0);
	assert_reads(0x8b, 0x01000065);
	assert_int_equal(msr_guest_write(vcpu, 0xfe, 0x508), -1);
	assert_int_equal(msr_guest_write(vcpu, 0xc0010140, 4), -1);
	assert_int_equal(msr_guest_write(vcpu, 0xc0010058, 0), 0);
	assert_int_equal(msr_guest_write(vcpu, 0xc0010058, 1), -1);
}

static void ring_3_writes_what_the_guest_may_not(void **state UNUSED)
{
	assert_int_equal(msr_host_write(vcpu, 0x8b, 77), 0);
	assert_reads(0x8b, 77);
	assert_int_equal(msr_host_write(vcpu, 0xc0010140, 4), 0);
	assert_reads(0xc0010140, 4);
	assert_int_equal(msr_host_write(vcpu, 0x401, 5), 0);
	assert_int_equal(msr_guest_write(vcpu, 0x401, 5), -1);
	assert_int_equal(msr_guest_write(vcpu, 0x401, 0), 0);
	/* What it saved it may bring back; other values not. */
	assert_int_equal(msr_host_write(vcpu, 0xfe, 0x508), 0);
	assert_int_equal(msr_host_write(vcpu, 0xfe, 0x509), -1);
}

static void machine_checks_can_be_injected_only_where_hwcr_says_so(void **state UNUSED)
{
	assert_int_equal(msr_guest_write(vcpu, 0xc0010015, 1 << 18), 0);
	assert_int_equal(msr_guest_write(vcpu, 0x401, 5), 0);
	assert_reads(0x401, 5);
	assert_int_equal(msr_guest_write(vcpu, 0xc0010015, 0x148), 0);
	assert_reads(0xc0010015, 0);
	assert_int_equal(msr_guest_write(vcpu, 0xc0010015, 1), -1);
	assert_int_equal(msr_guest_write(vcpu, 0x400, ~UINT64_C(0)), 0);
	assert_int_equal(msr_guest_write(vcpu, 0x400, ~UINT64_C(0x401)), 0);
	assert_int_equal(msr_guest_write(vcpu, 0x400, 3), -1);
}

static void a_guest_has_what_it_was_told_of(void **state UNUSED)
{
	assert_no_read(0x3b);
	assert_int_equal(msr_host_write(vcpu, 0x3b, 7), 0);
	tell(CPUID_TSC_ADJUST);
	assert_reads(0x3b, 7);
	assert_no_read(0x17b);
	assert_int_equal(msr_host_write(vcpu, 0x17b, 0), 0);
}

static void efer_takes_what_the_guest_and_the_processor_know(void **state UNUSED)
{
	assert_int_equal(msr_guest_write(vcpu, MSR_EFER, EFER_SCE), 0);
	assert_int_equal(msr_guest_write(vcpu, MSR_EFER, EFER_NXE), -1);
	tell(CPUID_NX);
	tell(CPUID_LONG_MODE);
	assert_int_equal(msr_guest_write(vcpu, MSR_EFER, EFER_NXE | EFER_LME), 0);
	assert_int_equal(msr_guest_write(vcpu, MSR_EFER, EFER_SVME), -1);
	assert_int_equal(msr_host_write(vcpu, MSR_EFER, EFER_SVME), -1);
	assert_int_equal(msr_host_write(vcpu, MSR_EFER, 1 << 14), 0);
	assert_int_equal(msr_guest_write(vcpu, MSR_EFER, 1 << 14), -1);
}

static void long_mode_is_left_through_cr0_alone(void **state UNUSED)
{
	tell(CPUID_LONG_MODE);
	efer = EFER_LME | EFER_LMA;
	cr0 = X86_CR0_PG | X86_CR0_PE;
	assert_int_equal(msr_guest_write(vcpu, MSR_EFER, 0), -1);
	assert_int_equal(msr_guest_write(vcpu, MSR_EFER, EFER_LME | EFER_SCE), 0);
	assert_reads(MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE);
}

static void lists_name_each_register_once(void **state UNUSED)
{
	uint32_t numbers[256], count = msrs_list(false, NULL, 0);

	assert_in_range(count, 50, 200);
	assert_int_equal(msrs_list(false, numbers, 256), count);
	for (uint32_t i = 1; i < count; i++)
		assert_true(numbers[i] > numbers[i - 1]);
	assert_int_equal(msrs_list(true, numbers, 256), 2);
}

static void the_end_by_memory_is_a_word_in_memory(void **state UNUSED)
{
	static const uint64_t bad[] = {
		2, 3, 0x1002, MEMORY_BYTES | 1, UINT64_MAX, UINT64_MAX - 2
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(msr_guest_write(vcpu, 0x4b564d04, bad[i]), -1);
	assert_int_equal(msr_guest_write(vcpu, 0x4b564d04, MEMORY_BYTES - 3), 0);
	assert_reads(0x4b564d04, MEMORY_BYTES - 3);
	assert_int_equal(msr_host_write(vcpu, 0x4b564d04, UINT64_MAX - 3), 0);
	assert_reads(0x4b564d04, UINT64_MAX - 3);
}

static void feature_registers_are_the_hosts(void **state UNUSED)
{
	uint64_t value;

	assert_int_equal(msr_feature_read(0x8b, &value), 0);
	assert_int_equal(value, 0x01000065);
	assert_int_equal(msr_feature_read(0x10, &value), -1);
	assert_int_equal(msr_feature_read(0x12345678, &value), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_table_is_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_msr_that_is_not_there_faults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(registers_start_as_after_a_reset, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_range_keeps_each_register_by_itself, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(values_that_cannot_be_fault_and_change_nothing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(some_writes_are_dropped_and_some_fault, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ring_3_writes_what_the_guest_may_not, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			machine_checks_can_be_injected_only_where_hwcr_says_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_guest_has_what_it_was_told_of, set_up, tear_down),
		cmocka_unit_test_setup_teardown(efer_takes_what_the_guest_and_the_processor_know,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_mode_is_left_through_cr0_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(lists_name_each_register_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_by_memory_is_a_word_in_memory, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(feature_registers_are_the_hosts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
