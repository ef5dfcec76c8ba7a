/*
 * The table of ioeventfds.
 */
#include <errno.h>

#include "kernel/kvm/ioeventfd.h"
#include "tests/support/cmocka.h"
#include "tests/support/kmalloc.h"

enum {
	PIO = KVM_IOEVENTFD_FLAG_PIO,
	MATCH = KVM_IOEVENTFD_FLAG_DATAMATCH,
};

/* The table never looks into them. */
static char names[2000];

static struct eventfd *eventfd(int number)
{
	return (struct eventfd *)(void *)&names[number];
}

static struct ioeventfd make(int number, uint64_t address, uint32_t bytes, uint32_t flags,
			     uint64_t match)
{
	const struct kvm_ioeventfd args = {
		.addr = address, .len = bytes, .flags = flags, .datamatch = match
	};
	struct ioeventfd out;

	assert_int_equal(ioeventfd_parse(&args, &out), 0);
	out.eventfd = eventfd(number);
	return out;
}

static int add(struct ioeventfds *table, struct ioeventfd item)
{
	return ioeventfds_add(table, &item);
}

static const struct eventfd *match(const struct ioeventfds *table, uint8_t bus, uint64_t address,
				   uint32_t bytes, uint64_t value)
{
	const struct ioeventfd *item = ioeventfds_match(table, bus, address, bytes, value);

	return item ? item->eventfd : NULL;
}

static void a_write_matches_by_bus_address_size_and_value(void **state UNUSED)
{
	struct ioeventfds table = { 0 };

	assert_int_equal(add(&table, make(1, 0x500, 2, PIO, 0)), 0);
	assert_int_equal(add(&table, make(2, 0x500, 4, PIO | MATCH, 7)), 0);
	assert_int_equal(add(&table, make(3, 0x500, 4, PIO | MATCH, 8)), 0);
	assert_int_equal(add(&table, make(4, 0x500, 0, 0, 0)), 0);
	assert_ptr_equal(match(&table, IOEVENTFD_PIO, 0x500, 2, 99), eventfd(1));
	assert_ptr_equal(match(&table, IOEVENTFD_PIO, 0x500, 4, 7), eventfd(2));
	assert_ptr_equal(match(&table, IOEVENTFD_PIO, 0x500, 4, 8), eventfd(3));
	assert_null(match(&table, IOEVENTFD_PIO, 0x500, 4, 9));
	assert_null(match(&table, IOEVENTFD_PIO, 0x500, 1, 7));
	assert_null(match(&table, IOEVENTFD_PIO, 0x501, 2, 7));
	assert_ptr_equal(match(&table, IOEVENTFD_MMIO, 0x500, 1, 7), eventfd(4));
	assert_ptr_equal(match(&table, IOEVENTFD_MMIO, 0x500, 8, 7), eventfd(4));
	kfree(table.items);
}

static void one_that_is_in_the_way_is_refused(void **state UNUSED)
{
	struct ioeventfds table = { 0 };

	assert_int_equal(add(&table, make(1, 0x500, 2, PIO | MATCH, 5)), 0);
	assert_int_equal(add(&table, make(2, 0x500, 2, PIO | MATCH, 5)), -EEXIST);
	assert_int_equal(add(&table, make(2, 0x500, 2, PIO, 0)), -EEXIST);
	assert_int_equal(add(&table, make(2, 0x500, 0, PIO, 0)), -EEXIST);
	assert_int_equal(add(&table, make(2, 0x500, 2, PIO | MATCH, 6)), 0);
	assert_int_equal(add(&table, make(2, 0x500, 4, PIO, 0)), 0);
	assert_int_equal(add(&table, make(2, 0x500, 2, 0, 0)), 0);
	assert_int_equal(table.count, 4);
	kfree(table.items);
}

static void only_the_very_same_is_removed(void **state UNUSED)
{
	struct ioeventfds table = { 0 };
	struct ioeventfd item = make(1, 0x500, 2, PIO | MATCH, 5), other;

	assert_int_equal(add(&table, item), 0);
	other = make(2, 0x500, 2, PIO | MATCH, 5);
	assert_int_equal(ioeventfds_remove(&table, &other), -ENOENT);
	other = make(1, 0x500, 2, PIO, 0);
	assert_int_equal(ioeventfds_remove(&table, &other), -ENOENT);
	other = make(1, 0x500, 4, PIO | MATCH, 5);
	assert_int_equal(ioeventfds_remove(&table, &other), -ENOENT);
	assert_int_equal(ioeventfds_remove(&table, &item), 0);
	assert_int_equal(ioeventfds_remove(&table, &item), -ENOENT);
	assert_int_equal(table.count, 0);
	kfree(table.items);
}

static void a_full_table_takes_no_more_and_finds_all(void **state UNUSED)
{
	struct ioeventfds table = { 0 };

	/* Neither ascending nor descending: 7 and 1000 have no factor in common. */
	for (int i = 0; i < IOEVENTFDS_MAX; i++)
		assert_int_equal(
			add(&table, make(i * 7 % 1000, (uint64_t)(i * 7 % 1000) * 4, 4, 0, 0)), 0);
	assert_int_equal(add(&table, make(1, 0x100000, 4, 0, 0)), -ENOSPC);
	for (int i = 0; i < IOEVENTFDS_MAX; i++)
		assert_ptr_equal(match(&table, IOEVENTFD_MMIO, (uint64_t)i * 4, 4, 0), eventfd(i));
	kfree(table.items);
}

static void want_of_memory_leaves_the_table_as_it_was(void **state UNUSED)
{
	struct ioeventfds table = { 0 };
	int count = 0;

	while (table.count < 16)
		assert_int_equal(add(&table, make(count, (uint64_t)count * 8, 4, 0, 0)), 0),
			count++;
	kmalloc_left = 0;
	assert_int_equal(add(&table, make(99, 0x1000, 4, 0, 0)), -ENOMEM);
	kmalloc_left = -1;
	assert_int_equal(table.count, 16);
	assert_null(match(&table, IOEVENTFD_MMIO, 0x1000, 4, 0));
	assert_ptr_equal(match(&table, IOEVENTFD_MMIO, 8, 4, 0), eventfd(1));
	kfree(table.items);
}

static void assert_unparsable(uint64_t address, uint32_t bytes, uint32_t flags)
{
	const struct kvm_ioeventfd args = { .addr = address, .len = bytes, .flags = flags };
	struct ioeventfd out;

	assert_int_equal(ioeventfd_parse(&args, &out), -EINVAL);
}

static void sizes_flags_and_ranges_that_cannot_be_are_refused(void **state UNUSED)
{
	assert_unparsable(0x500, 3, PIO);
	assert_unparsable(0x500, 5, PIO);
	assert_unparsable(0x500, 16, PIO);
	assert_unparsable(0x500, 2, 1 << 5);
	assert_unparsable(0x500, 0, PIO | MATCH);
	assert_unparsable(UINT64_MAX, 4, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_matches_by_bus_address_size_and_value),
		cmocka_unit_test(one_that_is_in_the_way_is_refused),
		cmocka_unit_test(only_the_very_same_is_removed),
		cmocka_unit_test(a_full_table_takes_no_more_and_finds_all),
		cmocka_unit_test(want_of_memory_leaves_the_table_as_it_was),
		cmocka_unit_test(sizes_flags_and_ranges_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
