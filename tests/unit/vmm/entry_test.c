/*
 * The registers with which a boot protocol wants the first processor to start.
 */
#include <errno.h>
#include <string.h>

#include "tests/support/cmocka.h"
#include "vmm/boot/layout.h"
#include "vmm/entry.h"

enum { MIB = 1 << 20, PE = 1 << 0, PAE = 1 << 5, LME = 1 << 8, LMA = 1 << 10 };

#define PG (1u << 31)

struct bench {
	struct guest_memory memory;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
};

static void prepare(struct bench *bench, enum boot_protocol protocol)
{
	const struct boot_entry entry = { .protocol = protocol,
					  .address = 0x200200,
					  .argument = 0x7000 };
	struct errmsg why = { 0 };

	*bench = (struct bench){ .regs.rax = 5 };
	assert_int_equal(memory_create(MIB, &bench->memory, &why), 0);
	memset(bench->memory.mapping, 0xff, MIB); /* as a guest that resets may leave it */
	assert_int_equal(entry_prepare(&entry, &bench->memory, &bench->regs, &bench->sregs), 0);
}

static void stop(struct bench *bench)
{
	memory_destroy(&bench->memory);
}

/* What @address translates to; fails where it isn't mapped by a page of 2 MiB. */
static uint64_t translate(struct bench *bench, uint64_t address)
{
	uint64_t table = bench->sregs.cr3, entry = 0;

	for (int shift = 39; shift >= 21; shift -= 9) {
		uint64_t index = address >> shift & 511;

		assert_int_equal(memory_read(&bench->memory, gpa(table + index * 8), &entry, 8), 0);
		assert_int_equal(entry & 3, 3);
		table = entry & UINT64_C(0xffffffffff000);
	}
	assert_true(entry & 0x80);
	return table + (address & 0x1fffff);
}

/* The descriptor at @selector, as the processor would load it. */
static uint64_t descriptor(struct bench *bench, uint16_t selector)
{
	uint64_t value;

	assert_true(selector + 7u <= bench->sregs.gdt.limit);
	assert_int_equal(
		memory_read(&bench->memory, gpa(bench->sregs.gdt.base + selector), &value, 8), 0);
	return value;
}

static void linux_starts_in_long_mode(void **state UNUSED)
{
	struct bench bench;

	prepare(&bench, BOOT_LINUX64);
	assert_int_equal(bench.regs.rip, 0x200200);
	assert_int_equal(bench.regs.rsi, 0x7000);
	assert_int_equal(bench.regs.rflags, 2);
	assert_int_equal(bench.regs.rax, 0);
	assert_true(bench.sregs.cr0 & PE && bench.sregs.cr0 & PG);
	assert_int_equal(bench.sregs.cr4, PAE);
	assert_int_equal(bench.sregs.efer, LME | LMA);
	assert_true(bench.sregs.cs.l);
	assert_false(bench.sregs.cs.db);
	assert_int_equal(bench.sregs.cs.selector, 0x10);
	assert_int_equal(bench.sregs.ds.selector, 0x18);
	assert_int_equal(bench.sregs.ss.selector, 0x18);
	stop(&bench);
}

static void linuxs_first_4_gib_are_mapped_one_to_one(void **state UNUSED)
{
	static const uint64_t addresses[] = { 0,	  0x200200,   0x3fffffff,
					      0x40000000, 0xfee00000, 0xffffffff };
	struct bench bench;
	uint64_t entry;

	prepare(&bench, BOOT_LINUX64);
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
		assert_int_equal(translate(&bench, addresses[i]), addresses[i]);
	/* Beyond them there is nothing, whatever was in memory before. */
	assert_int_equal(memory_read(&bench.memory, gpa(bench.sregs.cr3 + 8), &entry, 8), 0);
	assert_int_equal(entry, 0);
	assert_int_equal(memory_read(&bench.memory, gpa(bench.sregs.cr3 + 4096 + 4 * 8), &entry, 8),
			 0);
	assert_int_equal(entry, 0);
	stop(&bench);
}

static void pvh_starts_in_protected_mode_without_paging(void **state UNUSED)
{
	struct bench bench;

	prepare(&bench, BOOT_PVH);
	assert_int_equal(bench.regs.rip, 0x200200);
	assert_int_equal(bench.regs.rbx, 0x7000);
	assert_int_equal(bench.regs.rflags, 2);
	assert_int_equal(bench.sregs.cr0 & (PE | PG), PE);
	assert_int_equal(bench.sregs.cr4, 0);
	assert_int_equal(bench.sregs.efer, 0);
	assert_false(bench.sregs.cs.l);
	assert_true(bench.sregs.cs.db);
	assert_int_equal(bench.sregs.cs.base, 0);
	assert_int_equal(bench.sregs.cs.limit, UINT32_MAX);
	assert_int_equal(bench.sregs.ds.limit, UINT32_MAX);
	assert_int_equal(bench.sregs.tr.limit, 0x67);
	stop(&bench);
}

/* A guest may reload a segment register before it has a table of its own. */
static void the_descriptors_say_what_the_registers_hold(void **state UNUSED)
{
	struct bench bench;

	prepare(&bench, BOOT_LINUX64);
	assert_int_equal(descriptor(&bench, bench.sregs.cs.selector), UINT64_C(0x00af9b000000ffff));
	assert_int_equal(descriptor(&bench, bench.sregs.ds.selector), UINT64_C(0x00cf93000000ffff));
	assert_int_equal(descriptor(&bench, 0), 0);
	stop(&bench);
	prepare(&bench, BOOT_PVH);
	assert_int_equal(descriptor(&bench, bench.sregs.cs.selector), UINT64_C(0x00cf9b000000ffff));
	assert_int_equal(descriptor(&bench, bench.sregs.ds.selector), UINT64_C(0x00cf93000000ffff));
	stop(&bench);
}

static void memory_without_the_place_for_tables_is_an_error(void **state UNUSED)
{
	const struct boot_entry linux64 = { .protocol = BOOT_LINUX64 },
				pvh = { .protocol = BOOT_PVH };
	struct guest_memory none = { 0 };
	struct kvm_sregs sregs = { 0 };
	struct kvm_regs regs;

	assert_int_equal(entry_prepare(&linux64, &none, &regs, &sregs), -EFAULT);
	assert_int_equal(entry_prepare(&pvh, &none, &regs, &sregs), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_starts_in_long_mode),
		cmocka_unit_test(linuxs_first_4_gib_are_mapped_one_to_one),
		cmocka_unit_test(pvh_starts_in_protected_mode_without_paging),
		cmocka_unit_test(the_descriptors_say_what_the_registers_hold),
		cmocka_unit_test(memory_without_the_place_for_tables_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
