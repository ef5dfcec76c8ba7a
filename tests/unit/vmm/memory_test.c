/*
 * The guest's memory: its layout, and the one check between a guest's address and our pointer.
 */
#include <errno.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "vmm/memory.h"

enum { MIB = 1 << 20 };

#define GIB UINT64_C(0x40000000)

static struct guest_memory create(uint64_t bytes)
{
	struct guest_memory memory;
	struct errmsg why = { 0 };

	assert_int_equal(memory_create(bytes, &memory, &why), 0);
	return memory;
}

static void memory_below_the_hole_is_one_region(void **state UNUSED)
{
	struct guest_memory memory = create(2 * MIB);

	assert_int_equal(memory.nr_regions, 1);
	assert_int_equal(memory_low_end(&memory), 2 * MIB);
	assert_int_equal(memory_high_end(&memory), 2 * MIB);
	assert_int_equal((uintptr_t)memory.mapping % (2 * MIB), 0);
	memory_destroy(&memory);
	assert_null(memory.mapping);
}

static void memory_that_reaches_the_hole_goes_on_at_4_gib(void **state UNUSED)
{
	struct guest_memory memory = create(4 * GIB);

	assert_int_equal(memory.nr_regions, 2);
	assert_int_equal(memory_low_end(&memory), MMIO_HOLE_START);
	assert_int_equal(memory_high_end(&memory), 5 * GIB);
	assert_non_null(memory_at(&memory, gpa(MMIO_HOLE_START - 1), 1));
	assert_null(memory_at(&memory, gpa(MMIO_HOLE_START), 1));
	assert_null(memory_at(&memory, gpa(MMIO_HOLE_END - 1), 1));
	assert_non_null(memory_at(&memory, gpa(MMIO_HOLE_END), GIB));
	assert_null(memory_at(&memory, gpa(MMIO_HOLE_END), GIB + 1));
	/* What lies side by side here lies a hole apart there. */
	assert_null(memory_at(&memory, gpa(MMIO_HOLE_START - 1), 2));
	memory_destroy(&memory);
}

static void memory_up_to_the_hole_has_none_above(void **state UNUSED)
{
	struct guest_memory memory = create(MMIO_HOLE_START);

	assert_int_equal(memory.nr_regions, 1);
	assert_null(memory_at(&memory, gpa(MMIO_HOLE_END), 0));
	memory_destroy(&memory);
}

static void a_range_must_lie_inside_as_a_whole(void **state UNUSED)
{
	struct guest_memory memory = create(2 * MIB);

	assert_non_null(memory_at(&memory, gpa(0), 2 * MIB));
	assert_null(memory_at(&memory, gpa(0), 2 * MIB + 1));
	assert_null(memory_at(&memory, gpa(1), 2 * MIB));
	assert_non_null(memory_at(&memory, gpa(2 * MIB - 1), 1));
	assert_null(memory_at(&memory, gpa(2 * MIB), 0));
	assert_non_null(memory_at(&memory, gpa(2 * MIB - 1), 0));
	memory_destroy(&memory);
}

static void a_range_that_wraps_is_outside(void **state UNUSED)
{
	struct guest_memory memory = create(4 * GIB);

	assert_null(memory_at(&memory, gpa(UINT64_MAX), 2));
	assert_null(memory_at(&memory, gpa(0x1000), UINT64_MAX));
	assert_null(memory_at(&memory, gpa(0x1000), UINT64_MAX - 0xfff));
	assert_null(memory_at(&memory, gpa(UINT64_MAX - 0xfff), 0x2000));
	assert_null(memory_at(&memory, gpa(5 * GIB - 1), UINT64_MAX));
	memory_destroy(&memory);
}

static void copies_are_whole_or_none(void **state UNUSED)
{
	struct guest_memory memory = create(MIB);
	char buffer[8] = "before.";

	assert_int_equal(memory_write(&memory, gpa(MIB - 4), "abcd", 4), 0);
	assert_int_equal(memory_read(&memory, gpa(MIB - 4), buffer, 4), 0);
	assert_memory_equal(buffer, "abcdre.", 8);
	assert_int_equal(memory_write(&memory, gpa(MIB - 4), "efghi", 5), -EFAULT);
	assert_int_equal(memory_read(&memory, gpa(MIB - 3), buffer, 4), -EFAULT);
	assert_memory_equal(buffer, "abcdre.", 8);
	assert_memory_equal(memory_at(&memory, gpa(MIB - 4), 4), "abcd", 4);
	memory_destroy(&memory);
}

static void a_size_that_is_no_multiple_of_a_mib_is_refused(void **state UNUSED)
{
	struct guest_memory memory;
	struct errmsg why = { 0 };

	assert_int_equal(memory_create(0, &memory, &why), -EINVAL);
	assert_string_equal(why.text, "memory: expected a multiple of 1 MiB, found 0 bytes");
	why = (struct errmsg){ 0 };
	assert_int_equal(memory_create(MIB + 4096, &memory, &why), -EINVAL);
	assert_string_equal(why.text, "memory: expected a multiple of 1 MiB, found 1052672 bytes");
	assert_int_equal(why.blame, BLAME_USER);
}

static void more_than_an_address_space_is_refused(void **state UNUSED)
{
	struct guest_memory memory;
	struct errmsg why = { 0 };

	assert_int_equal(memory_create(UINT64_C(1) << 60, &memory, &why), -ENOMEM);
	assert_string_equal(why.text,
			    "memory: cannot map 1099511627776 MiB: Cannot allocate memory");
	assert_int_equal(why.blame, BLAME_SYSTEM);
}

static void destroying_twice_is_fine(void **state UNUSED)
{
	struct guest_memory memory = create(MIB);

	memory_destroy(&memory);
	memory_destroy(&memory);
	assert_int_equal(memory.nr_regions, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_below_the_hole_is_one_region),
		cmocka_unit_test(memory_that_reaches_the_hole_goes_on_at_4_gib),
		cmocka_unit_test(memory_up_to_the_hole_has_none_above),
		cmocka_unit_test(a_range_must_lie_inside_as_a_whole),
		cmocka_unit_test(a_range_that_wraps_is_outside),
		cmocka_unit_test(copies_are_whole_or_none),
		cmocka_unit_test(a_size_that_is_no_multiple_of_a_mib_is_refused),
		cmocka_unit_test(more_than_an_address_space_is_refused),
		cmocka_unit_test(destroying_twice_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
