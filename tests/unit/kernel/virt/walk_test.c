/*
 * From a linear address to a physical one, through tables that the test lays out in a little memory of its own.
 */
#include <errno.h>
#include <string.h>

#include "kernel/arch/paging.h"
#include "kernel/arch/regs.h"
#include "kernel/virt/walk.h"
#include "tests/support/cmocka.h"

enum {
	MEMORY_BYTES = 0x10000,
	TABLE_4 = 0x1000,
	TABLE_3 = 0x2000,
	TABLE_2 = 0x3000,
	TABLE_1 = 0x4000,
	PRESENT_WRITE_USER = 7,

	ERROR_PRESENT = 1 << 0,
	ERROR_WRITE = 1 << 1,
	ERROR_USER = 1 << 2,
	ERROR_RESERVED = 1 << 3,
	ERROR_FETCH = 1 << 4,
};

#define LONG_MODE   (EFER_LME | EFER_LMA | EFER_NXE)
#define ADDRESS	    UINT64_C(0x00007f8040403123) /* entries 255, 1, 2 and 3 */
#define PAGE	    UINT64_C(0x9000)
#define FAR_ADDRESS (UINT64_C(1) << 45)

static uint8_t memory[MEMORY_BYTES] __attribute__((aligned(4096)));

static int load(void *context UNUSED, gpa_t at, uint32_t bytes, uint64_t *value)
{
	if (at.v >= MEMORY_BYTES)
		return -EFAULT;
	*value = 0;
	memcpy(value, memory + at.v, bytes);
	return 0;
}

static int set(void *context, gpa_t at, uint32_t bytes, uint64_t bits)
{
	uint64_t value = 0;

	if (context)
		return -EFAULT; /* memory that can't be written */
	memcpy(&value, memory + at.v, bytes);
	value |= bits;
	memcpy(memory + at.v, &value, bytes);
	return 0;
}

static uint64_t *entry(uint64_t table, uint32_t index)
{
	return (uint64_t *)(void *)(memory + table) + index;
}

static struct walk_mode long_mode(void)
{
	return (struct walk_mode){ .cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP,
				   .cr3 = TABLE_4,
				   .cr4 = X86_CR4_PAE,
				   .efer = LONG_MODE,
				   .physical_bits = 40 };
}

/* Four levels that map ADDRESS to PAGE, with all rights. */
static struct walk_mode lay_out(void)
{
	memset(memory, 0, sizeof(memory));
	*entry(TABLE_4, 255) = TABLE_3 | PRESENT_WRITE_USER;
	*entry(TABLE_3, 1) = TABLE_2 | PRESENT_WRITE_USER;
	*entry(TABLE_2, 2) = TABLE_1 | PRESENT_WRITE_USER;
	*entry(TABLE_1, 3) = PAGE | PRESENT_WRITE_USER;
	return long_mode();
}

static int walk_to(const struct walk_mode *mode, uint64_t address, uint32_t access, uint64_t *at,
		   uint32_t *error)
{
	const struct walk_memory access_to = { load, set, NULL };
	gpa_t out = { 0 };
	int err;

	*error = UINT32_MAX;
	err = walk(mode, &access_to, address, access, &out, error);
	*at = out.v;
	return err;
}

static void check_fault(const struct walk_mode *mode, uint32_t access, uint32_t expected)
{
	uint64_t at;
	uint32_t error;

	assert_int_equal(walk_to(mode, ADDRESS, access, &at, &error), -EFAULT);
	assert_int_equal(error, expected);
}

static void check_allowed(const struct walk_mode *mode, uint32_t access)
{
	uint64_t at;
	uint32_t error;

	assert_int_equal(walk_to(mode, ADDRESS, access, &at, &error), 0);
	assert_int_equal(at, PAGE | 0x123);
}

static void without_paging_an_address_is_itself(void **state UNUSED)
{
	const struct walk_mode mode = { .cr0 = X86_CR0_PE };
	uint64_t at;
	uint32_t error;

	assert_int_equal(walk_to(&mode, 0x1234567812345678, WALK_WRITE, &at, &error), 0);
	assert_int_equal(at, 0x12345678);
}

static void four_levels_lead_to_a_page(void **state UNUSED)
{
	struct walk_mode mode = lay_out();

	check_allowed(&mode, WALK_READ);
	check_allowed(&mode, WALK_WRITE | WALK_USER);
	check_allowed(&mode, WALK_FETCH | WALK_USER);
}

static void accessed_and_dirty_bits_are_set_as_needed(void **state UNUSED)
{
	struct walk_mode mode = lay_out();

	check_allowed(&mode, WALK_READ);
	assert_int_equal(*entry(TABLE_4, 255), TABLE_3 | PRESENT_WRITE_USER | PTE_ACCESSED);
	assert_int_equal(*entry(TABLE_1, 3), PAGE | PRESENT_WRITE_USER | PTE_ACCESSED);
	check_allowed(&mode, WALK_WRITE);
	assert_int_equal(*entry(TABLE_2, 2), TABLE_1 | PRESENT_WRITE_USER | PTE_ACCESSED);
	assert_int_equal(*entry(TABLE_1, 3), PAGE | PRESENT_WRITE_USER | PTE_ACCESSED | PTE_DIRTY);
}

static void large_pages_keep_their_offset(void **state UNUSED)
{
	struct walk_mode mode = lay_out();
	uint64_t at;
	uint32_t error;

	*entry(TABLE_2, 2) = 0x40000000 | PRESENT_WRITE_USER | PTE_HUGE;
	assert_int_equal(walk_to(&mode, ADDRESS, WALK_READ, &at, &error), 0);
	assert_int_equal(at, 0x40003123);
	*entry(TABLE_3, 1) = 0x80000000 | PRESENT_WRITE_USER | PTE_HUGE;
	assert_int_equal(walk_to(&mode, ADDRESS, WALK_READ, &at, &error), 0);
	assert_int_equal(at, 0x80403123);
}

static void what_is_not_present_faults(void **state UNUSED)
{
	struct walk_mode mode = lay_out();

	*entry(TABLE_2, 2) = 0;
	check_fault(&mode, WALK_READ, 0);
	check_fault(&mode, WALK_WRITE | WALK_USER, ERROR_WRITE | ERROR_USER);
	check_fault(&mode, WALK_FETCH, ERROR_FETCH);
	mode.efer &= ~EFER_NXE; /* a fetch can't be told from a read */
	check_fault(&mode, WALK_FETCH, 0);
}

static void rights_are_those_of_all_levels(void **state UNUSED)
{
	struct walk_mode mode = lay_out();

	*entry(TABLE_3, 1) &= ~PTE_WRITE;
	check_fault(&mode, WALK_WRITE, ERROR_PRESENT | ERROR_WRITE);
	check_allowed(&mode, WALK_READ);
	mode.cr0 &= ~X86_CR0_WP; /* then the supervisor may, and only it */
	check_allowed(&mode, WALK_WRITE);
	check_fault(&mode, WALK_WRITE | WALK_USER, ERROR_PRESENT | ERROR_WRITE | ERROR_USER);

	mode = lay_out();
	*entry(TABLE_4, 255) &= ~PTE_USER;
	check_fault(&mode, WALK_USER, ERROR_PRESENT | ERROR_USER);
	check_allowed(&mode, WALK_READ);
}

static void no_execute_holds_for_fetches_alone(void **state UNUSED)
{
	struct walk_mode mode = lay_out();

	*entry(TABLE_2, 2) |= PTE_NX;
	check_fault(&mode, WALK_FETCH, ERROR_PRESENT | ERROR_FETCH);
	check_allowed(&mode, WALK_WRITE);
	mode.efer &= ~EFER_NXE; /* then the bit is reserved */
	check_fault(&mode, WALK_READ, ERROR_PRESENT | ERROR_RESERVED);
}

static void smep_and_smap_keep_the_supervisor_from_users_pages(void **state UNUSED)
{
	struct walk_mode mode = lay_out();

	mode.cr4 |= X86_CR4_SMEP;
	check_fault(&mode, WALK_FETCH, ERROR_PRESENT | ERROR_FETCH);
	check_allowed(&mode, WALK_FETCH | WALK_USER);
	mode.cr4 = X86_CR4_PAE | X86_CR4_SMAP;
	check_fault(&mode, WALK_READ, ERROR_PRESENT);
	check_allowed(&mode, WALK_READ | WALK_AC);
	check_allowed(&mode, WALK_READ | WALK_USER);
	check_allowed(&mode, WALK_FETCH);
}

static void addresses_beyond_the_physical_ones_are_reserved(void **state UNUSED)
{
	struct walk_mode mode = lay_out();

	*entry(TABLE_1, 3) |= FAR_ADDRESS;
	check_fault(&mode, WALK_READ, ERROR_PRESENT | ERROR_RESERVED);
}

static void tables_outside_memory_are_an_error(void **state UNUSED)
{
	struct walk_mode mode = lay_out();
	const struct walk_memory readonly = { load, set, memory };
	uint64_t at;
	uint32_t error;
	gpa_t out;

	assert_int_equal(walk(&mode, &readonly, ADDRESS, WALK_READ, &out, &error), -EIO);
	*entry(TABLE_4, 255) = 0x123456000 | PRESENT_WRITE_USER;
	assert_int_equal(walk_to(&mode, ADDRESS, WALK_READ, &at, &error), -EIO);
}

static void three_levels_have_no_rights_in_the_first(void **state UNUSED)
{
	struct walk_mode mode = { .cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP,
				  .cr3 = TABLE_3 + 0x20, /* 32 bytes are enough for its alignment */
				  .cr4 = X86_CR4_PAE,
				  .efer = EFER_NXE,
				  .physical_bits = 36 };
	uint64_t at;
	uint32_t error;

	memset(memory, 0, sizeof(memory));
	*entry(TABLE_3 + 0x20, 1) = TABLE_2 | PTE_PRESENT;
	*entry(TABLE_2, 2) = TABLE_1 | PRESENT_WRITE_USER;
	*entry(TABLE_1, 3) = PAGE | PRESENT_WRITE_USER;
	assert_int_equal(walk_to(&mode, 0xffffffff40403123, WALK_WRITE | WALK_USER, &at, &error),
			 0);
	assert_int_equal(at, PAGE | 0x123);
	assert_int_equal(*entry(TABLE_3 + 0x20, 1), TABLE_2 | PTE_PRESENT); /* no accessed bit */

	*entry(TABLE_3 + 0x20, 1) |= PTE_ACCESSED; /* reserved, but QEMU's processor sets it */
	assert_int_equal(walk_to(&mode, 0x40403123, WALK_READ, &at, &error), 0);

	*entry(TABLE_3 + 0x20, 1) |= PTE_WRITE; /* reserved there */
	assert_int_equal(walk_to(&mode, 0x40403123, WALK_READ, &at, &error), -EFAULT);
	assert_int_equal(error, ERROR_PRESENT | ERROR_RESERVED);
}

static void two_levels_have_entries_of_four_bytes(void **state UNUSED)
{
	struct walk_mode mode = { .cr0 = X86_CR0_PE | X86_CR0_PG,
				  .cr3 = TABLE_2,
				  .physical_bits = 40 };
	uint32_t *directory = (uint32_t *)(void *)(memory + TABLE_2);
	uint32_t *table = (uint32_t *)(void *)(memory + TABLE_1);
	uint64_t at;
	uint32_t error;

	memset(memory, 0, sizeof(memory));
	directory[0x101] = TABLE_1 | PRESENT_WRITE_USER;
	table[3] = PAGE | PRESENT_WRITE_USER;
	assert_int_equal(walk_to(&mode, 0x40403123, WALK_WRITE, &at, &error), 0);
	assert_int_equal(at, PAGE | 0x123);

	/* 4 MiB, above 4 GiB, only where CR4 says so */
	directory[0x101] = 0x00c02000 | PRESENT_WRITE_USER | (uint32_t)PTE_HUGE;
	assert_int_equal(walk_to(&mode, 0x40403123, WALK_READ, &at, &error), -EIO);
	mode.cr4 = X86_CR4_PSE;
	assert_int_equal(walk_to(&mode, 0x40403123, WALK_READ, &at, &error), 0);
	assert_int_equal(at, 0x100c03123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paging_an_address_is_itself),
		cmocka_unit_test(four_levels_lead_to_a_page),
		cmocka_unit_test(accessed_and_dirty_bits_are_set_as_needed),
		cmocka_unit_test(large_pages_keep_their_offset),
		cmocka_unit_test(what_is_not_present_faults),
		cmocka_unit_test(rights_are_those_of_all_levels),
		cmocka_unit_test(no_execute_holds_for_fetches_alone),
		cmocka_unit_test(smep_and_smap_keep_the_supervisor_from_users_pages),
		cmocka_unit_test(addresses_beyond_the_physical_ones_are_reserved),
		cmocka_unit_test(tables_outside_memory_are_an_error),
		cmocka_unit_test(three_levels_have_no_rights_in_the_first),
		cmocka_unit_test(two_levels_have_entries_of_four_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
