/*
 * An address space of registers: who answers where.
 */
#include <errno.h>

#include "tests/support/cmocka.h"
#include "vmm/bus.h"

/* Remembers the last access; reads as ones in every bit, to see what the bus cuts off. */
struct probe {
	uint64_t offset, value;
	uint32_t size;
	unsigned reads, writes;
};

static uint64_t probe_read(void *device, uint64_t offset, uint32_t size)
{
	struct probe *probe = device;

	probe->reads++;
	probe->offset = offset;
	probe->size = size;
	return UINT64_MAX;
}

static void probe_write(void *device, uint64_t offset, uint64_t value, uint32_t size)
{
	struct probe *probe = device;

	probe->writes++;
	probe->offset = offset;
	probe->value = value;
	probe->size = size;
}

static const struct bus_ops probe_ops = { .read = probe_read, .write = probe_write };

static int add(struct bus *bus, struct probe *probe, uint64_t base, uint64_t size)
{
	const struct bus_region region = {
		.base = base, .size = size, .name = "probe", .ops = &probe_ops, .device = probe
	};

	return bus_add(bus, &region);
}

static void an_access_arrives_with_its_offset_and_size(void **state UNUSED)
{
	struct probe probe = { 0 };
	struct bus bus = { 0 };

	assert_int_equal(add(&bus, &probe, 0x1000, 0x100), 0);
	bus_write(&bus, 0x1010, 0x1122334455667788, 4);
	assert_int_equal(probe.offset, 0x10);
	assert_int_equal(probe.size, 4);
	assert_int_equal(probe.value, 0x55667788);
	assert_int_equal(bus_read(&bus, 0x10ff, 1), 0xff);
	assert_int_equal(probe.offset, 0xff);
	assert_int_equal(bus_read(&bus, 0x1000, 8), UINT64_MAX);
	assert_int_equal(bus.unclaimed, 0);
}

static void where_nobody_answers_reads_are_ones_and_writes_are_lost(void **state UNUSED)
{
	struct probe probe = { 0 };
	struct bus bus = { 0 };

	assert_int_equal(add(&bus, &probe, 0x1000, 0x100), 0);
	assert_int_equal(bus_read(&bus, 0xfff, 1), 0xff);
	assert_int_equal(bus_read(&bus, 0x1100, 2), 0xffff);
	assert_int_equal(bus_read(&bus, UINT64_MAX, 8), UINT64_MAX);
	bus_write(&bus, 0, 1, 1);
	assert_int_equal(probe.reads + probe.writes, 0);
	assert_int_equal(bus.unclaimed, 4);
}

static void an_access_over_an_edge_reaches_nobody(void **state UNUSED)
{
	struct probe low = { 0 }, high = { 0 };
	struct bus bus = { 0 };

	assert_int_equal(add(&bus, &low, 0x1000, 2), 0);
	assert_int_equal(add(&bus, &high, 0x1002, 2), 0);
	assert_int_equal(bus_read(&bus, 0x1001, 2), 0xffff);
	bus_write(&bus, 0xffe, 0, 4);
	bus_write(&bus, 0x1002, 0, 4);
	assert_int_equal(low.reads + low.writes + high.reads + high.writes, 0);
	assert_int_equal(bus.unclaimed, 3);
}

static void regions_added_in_any_order_are_found(void **state UNUSED)
{
	static const uint64_t bases[] = { 0x500, 0x100, 0x900, 0x300, 0x700 };
	struct probe probes[ARRAY_SIZE(bases)] = { 0 };
	struct bus bus = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++)
		assert_int_equal(add(&bus, &probes[i], bases[i], 0x100), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		bus_write(&bus, bases[i] + i, 0, 1);
		assert_int_equal(probes[i].writes, 1);
		assert_int_equal(probes[i].offset, i);
	}
	assert_int_equal(bus_read(&bus, 0x400, 1), 0xff);
	assert_int_equal(bus.unclaimed, 1);
}

static void overlapping_regions_are_refused(void **state UNUSED)
{
	struct probe probe = { 0 };
	struct bus bus = { 0 };

	assert_int_equal(add(&bus, &probe, 0x1000, 0x100), 0);
	assert_int_equal(add(&bus, &probe, 0x1000, 0x100), -EEXIST);
	assert_int_equal(add(&bus, &probe, 0xfff, 2), -EEXIST);
	assert_int_equal(add(&bus, &probe, 0x10ff, 1), -EEXIST);
	assert_int_equal(add(&bus, &probe, 0, 0x10000), -EEXIST);
	assert_int_equal(add(&bus, &probe, 0x1040, 1), -EEXIST);
	assert_int_equal(add(&bus, &probe, 0xf00, 0x100), 0);
	assert_int_equal(add(&bus, &probe, 0x1100, 0x100), 0);
}

static void empty_and_wrapping_regions_are_refused(void **state UNUSED)
{
	struct probe probe = { 0 };
	struct bus bus = { 0 };

	assert_int_equal(add(&bus, &probe, 0x1000, 0), -EINVAL);
	assert_int_equal(add(&bus, &probe, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(add(&bus, &probe, UINT64_MAX - 1, 2), 0);
	bus_write(&bus, UINT64_MAX, 0, 1);
	assert_int_equal(probe.offset, 1);
}

static void regions_beyond_the_limit_are_refused(void **state UNUSED)
{
	struct probe probe = { 0 };
	struct bus bus = { .limit = 0x10000 };

	assert_int_equal(add(&bus, &probe, 0xffff, 2), -EINVAL);
	assert_int_equal(add(&bus, &probe, 0x10000, 1), -EINVAL);
	assert_int_equal(add(&bus, &probe, 0xffff, 1), 0);
}

static void a_full_bus_refuses_more(void **state UNUSED)
{
	struct probe probe = { 0 };
	struct bus bus = { 0 };

	for (uint64_t i = 0; i < BUS_REGION_MAX; i++)
		assert_int_equal(add(&bus, &probe, i, 1), 0);
	assert_int_equal(add(&bus, &probe, BUS_REGION_MAX, 1), -ENOSPC);
	assert_int_equal(bus_read(&bus, BUS_REGION_MAX, 1), 0xff);
	bus_remove(&bus, 7, &probe);
	assert_int_equal(add(&bus, &probe, BUS_REGION_MAX, 1), 0);
}

static void only_a_regions_owner_removes_it(void **state UNUSED)
{
	struct probe probe = { 0 }, other = { 0 };
	struct bus bus = { 0 };

	assert_int_equal(add(&bus, &probe, 0x1000, 0x100), 0);
	bus_remove(&bus, 0x1000, &other);
	bus_remove(&bus, 0x1001, &probe);
	bus_remove(&bus, 0x2000, &probe);
	bus_write(&bus, 0x1000, 0, 1);
	assert_int_equal(probe.writes, 1);
	bus_remove(&bus, 0x1000, &probe);
	bus_write(&bus, 0x1000, 0, 1);
	assert_int_equal(probe.writes, 1);
}

/* The bus remembers which region answered last; regions may move, come and go meanwhile. */
static void the_region_that_answered_last_is_not_trusted(void **state UNUSED)
{
	struct probe low = { 0 }, high = { 0 };
	struct bus bus = { 0 };

	assert_int_equal(add(&bus, &low, 0x1000, 0x100), 0);
	assert_int_equal(add(&bus, &high, 0x2000, 0x100), 0);
	bus_write(&bus, 0x2010, 0, 1);
	bus_write(&bus, 0x2011, 0, 1);
	bus_write(&bus, 0x1010, 0, 1);
	assert_int_equal(high.writes, 2);
	assert_int_equal(low.writes, 1);

	bus_write(&bus, 0x2012, 0, 1);
	bus_remove(&bus, 0x1000, &low);
	bus_write(&bus, 0x1010, 0, 1);
	bus_write(&bus, 0x2013, 0, 1);
	assert_int_equal(high.writes, 4);
	bus_remove(&bus, 0x2000, &high);
	bus_write(&bus, 0x2014, 0, 1);
	bus_write(&bus, 0x1010, 0, 1);
	assert_int_equal(high.writes, 4);
	assert_int_equal(low.writes, 1);

	assert_int_equal(add(&bus, &low, 0x3000, 0x100), 0);
	bus_write(&bus, 0x2010, 0, 1);
	bus_write(&bus, 0x3010, 0, 1);
	assert_int_equal(low.writes, 2);
	assert_int_equal(low.offset, 0x10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_access_arrives_with_its_offset_and_size),
		cmocka_unit_test(where_nobody_answers_reads_are_ones_and_writes_are_lost),
		cmocka_unit_test(an_access_over_an_edge_reaches_nobody),
		cmocka_unit_test(regions_added_in_any_order_are_found),
		cmocka_unit_test(overlapping_regions_are_refused),
		cmocka_unit_test(empty_and_wrapping_regions_are_refused),
		cmocka_unit_test(regions_beyond_the_limit_are_refused),
		cmocka_unit_test(a_full_bus_refuses_more),
		cmocka_unit_test(only_a_regions_owner_removes_it),
		cmocka_unit_test(the_region_that_answered_last_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
