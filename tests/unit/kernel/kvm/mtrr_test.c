/*
 * Values of memory type registers.
 */
#include "kernel/kvm/mtrr.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static void each_byte_is_a_memory_type(void **state UNUSED)
{
	assert_true(pat_is_valid(0x0007040600070406));
	assert_true(pat_is_valid(0x0706050401000001));
	assert_false(pat_is_valid(0x0207040600070406));
	assert_false(pat_is_valid(0x0007040600070403));
	assert_false(pat_is_valid(0x0008040600070406));
	assert_true(mtrr_fixed_is_valid(0x0605040100060606));
	assert_false(mtrr_fixed_is_valid(0x0605040100060607)); /* UC- is PAT's alone */
	assert_false(mtrr_fixed_is_valid(0x8605040100060606));
}

static void the_default_has_a_type_and_two_switches(void **state UNUSED)
{
	assert_true(mtrr_default_is_valid(0));
	assert_true(mtrr_default_is_valid(0xc06));
	assert_false(mtrr_default_is_valid(0x1c06));
	assert_false(mtrr_default_is_valid(0xc02));
	assert_false(mtrr_default_is_valid(0xc26));
}

static void ranges_end_where_addresses_do(void **state UNUSED)
{
	assert_true(mtrr_base_is_valid(0xfffff00006, 40));
	assert_false(mtrr_base_is_valid(0x1fffff00006, 40));
	assert_true(mtrr_base_is_valid(0x1fffff00006, 41));
	assert_false(mtrr_base_is_valid(0xfffff00106, 40));
	assert_false(mtrr_base_is_valid(0xfffff00007, 40));
	assert_true(mtrr_mask_is_valid(0xff80000800, 40));
	assert_false(mtrr_mask_is_valid(0xff80000c00, 40));
	assert_false(mtrr_mask_is_valid(0x1ff80000800, 40));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_is_a_memory_type),
		cmocka_unit_test(the_default_has_a_type_and_two_switches),
		cmocka_unit_test(ranges_end_where_addresses_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
