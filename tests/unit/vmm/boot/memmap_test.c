/*
 * The memory map that a guest is told.
 */
#include "tests/support/cmocka.h"
#include "vmm/boot/layout.h"
#include "vmm/boot/memmap.h"

#define GIB UINT64_C(0x40000000)

static struct memmap build(uint64_t bytes)
{
	struct errmsg why = { 0 };
	struct guest_memory memory;
	struct memmap map;

	assert_int_equal(memory_create(bytes, &memory, &why), 0);
	memmap_build(&map, &memory);
	memory_destroy(&memory);
	return map;
}

static void assert_entry(const struct memmap *map, uint32_t at, uint64_t start, uint64_t end,
			 enum memmap_type type)
{
	assert_true(at < map->count);
	assert_int_equal(map->entries[at].start, start);
	assert_int_equal(map->entries[at].start + map->entries[at].size_bytes, end);
	assert_int_equal(map->entries[at].type, type);
}

static void a_small_machine_has_ram_up_to_its_end(void **state UNUSED)
{
	struct memmap map = build(64 << 20);

	assert_int_equal(map.count, 4);
	assert_entry(&map, 0, 0, LOW_RAM_END, MEMMAP_RAM);
	assert_entry(&map, 1, LOW_RAM_END, HIGH_RAM_START, MEMMAP_RESERVED);
	assert_entry(&map, 2, HIGH_RAM_START, 64 << 20, MEMMAP_RAM);
	assert_entry(&map, 3, PCI_ECAM_AT, PCI_ECAM_AT + PCI_ECAM_BYTES, MEMMAP_RESERVED);
}

static void a_big_machine_goes_on_above_the_hole(void **state UNUSED)
{
	struct memmap map = build(4 * GIB);

	assert_int_equal(map.count, 5);
	assert_entry(&map, 2, HIGH_RAM_START, MMIO_HOLE_START, MEMMAP_RAM);
	assert_entry(&map, 4, MMIO_HOLE_END, 5 * GIB, MEMMAP_RAM);
}

static void entries_ascend_without_overlap(void **state UNUSED)
{
	static const uint64_t sizes[] = { 1 << 20, 2 << 20, 3 * GIB, 3 * GIB + (1 << 20), 8 * GIB };

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct memmap map = build(sizes[i]);

		for (uint32_t at = 1; at < map.count; at++)
			assert_true(map.entries[at - 1].start + map.entries[at - 1].size_bytes <=
				    map.entries[at].start);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_machine_has_ram_up_to_its_end),
		cmocka_unit_test(a_big_machine_goes_on_above_the_hole),
		cmocka_unit_test(entries_ascend_without_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
