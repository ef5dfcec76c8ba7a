/*
 * The table of memory slots.
 */
#include <errno.h>

#include "kernel/kvm/memslot.h"
#include "tests/support/cmocka.h"
#include "tests/support/kmalloc.h"

enum { PAGE = 4096 };
#define MIB (UINT64_C(1) << 20)
#define HVA UINT64_C(0x7f0000000000)

static int change(struct memslots **slots, uint32_t slot, uint32_t flags, uint64_t at,
		  uint64_t size, uint64_t hva)
{
	const struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = at,
		.memory_size = size,
		.userspace_addr = hva,
	};
	struct memslots *new;
	int err = memslots_change(*slots, &region, &new);

	if (!err) {
		kfree(*slots);
		*slots = new;
	}
	return err;
}

static uint32_t id_at(struct memslots *slots, uint64_t at)
{
	const struct memslot *slot = memslots_find(slots, gpa(at));

	return slot ? slot->id : UINT32_MAX;
}

static void addresses_lead_to_their_slot(void **state UNUSED)
{
	struct memslots *slots = NULL;

	assert_null(memslots_find(slots, gpa(0)));
	assert_int_equal(change(&slots, 5, 0, 4 * MIB, MIB, HVA), 0);
	assert_int_equal(change(&slots, 1, 0, 0, MIB, HVA), 0);
	assert_int_equal(change(&slots, 3, 0, MIB, MIB, HVA + MIB), 0);
	assert_int_equal(id_at(slots, 0), 1);
	assert_int_equal(id_at(slots, MIB - 1), 1);
	assert_int_equal(id_at(slots, MIB), 3);
	assert_int_equal(id_at(slots, 2 * MIB), UINT32_MAX);
	assert_int_equal(id_at(slots, 4 * MIB), 5);
	assert_int_equal(id_at(slots, 5 * MIB), UINT32_MAX);
	assert_ptr_equal(memslots_find_id(slots, 3), memslots_find(slots, gpa(MIB)));
	assert_null(memslots_find_id(slots, 2));
	kfree(slots);
}

static void a_slot_moves_and_goes_but_keeps_its_size_and_memory(void **state UNUSED)
{
	struct memslots *slots = NULL;

	assert_int_equal(change(&slots, 1, 0, 0, MIB, HVA), 0);
	assert_int_equal(change(&slots, 1, 0, 8 * MIB, MIB, HVA), 0);
	assert_int_equal(id_at(slots, 0), UINT32_MAX);
	assert_int_equal(id_at(slots, 8 * MIB), 1);
	assert_int_equal(change(&slots, 1, 0, 8 * MIB, 2 * MIB, HVA), -EINVAL);
	assert_int_equal(change(&slots, 1, 0, 8 * MIB, MIB, HVA + PAGE), -EINVAL);
	assert_int_equal(change(&slots, 1, KVM_MEM_READONLY, 8 * MIB, MIB, HVA), -EINVAL);
	assert_int_equal(change(&slots, 1, KVM_MEM_LOG_DIRTY_PAGES, 8 * MIB, MIB, HVA), 0);
	assert_int_equal(change(&slots, 1, 0, 0, 0, 0), 0);
	assert_int_equal(change(&slots, 1, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(slots->count, 0);
	kfree(slots);
}

static void slots_do_not_overlap(void **state UNUSED)
{
	struct memslots *slots = NULL;

	assert_int_equal(change(&slots, 1, 0, MIB, MIB, HVA), 0);
	assert_int_equal(change(&slots, 2, 0, MIB - PAGE, 2 * PAGE, HVA), -EEXIST);
	assert_int_equal(change(&slots, 2, 0, 2 * MIB - PAGE, PAGE, HVA), -EEXIST);
	assert_int_equal(change(&slots, 2, 0, 0, 4 * MIB, HVA), -EEXIST);
	assert_int_equal(change(&slots, 2, 0, 2 * MIB, MIB, HVA), 0);
	/* A slot may overlap where it was itself. */
	assert_int_equal(change(&slots, 1, 0, MIB - PAGE, MIB, HVA), 0);
	kfree(slots);
}

static void what_cannot_be_is_refused(void **state UNUSED)
{
	struct memslots *slots = NULL;

	assert_int_equal(change(&slots, MEMSLOTS_MAX, 0, 0, MIB, HVA), -EINVAL);
	assert_int_equal(change(&slots, 0, 1 << 2, 0, MIB, HVA), -EINVAL);
	assert_int_equal(change(&slots, 0, 0, 1, MIB, HVA), -EINVAL);
	assert_int_equal(change(&slots, 0, 0, 0, MIB + 1, HVA), -EINVAL);
	assert_int_equal(change(&slots, 0, 0, 0, MIB, HVA + 1), -EINVAL);
	assert_int_equal(change(&slots, 0, 0, -(uint64_t)PAGE, 2 * PAGE, HVA), -EINVAL);
	assert_int_equal(change(&slots, 0, 0, 0, MIB, UINT64_C(0x7ffffffff000)), -EINVAL);
	assert_int_equal(change(&slots, 0, 0, 0, UINT64_C(1) << 43, HVA), -EINVAL);
	kmalloc_left = 0;
	assert_int_equal(change(&slots, 0, 0, 0, MIB, HVA), -ENOMEM);
	kmalloc_left = -1;
	assert_null(slots);
}

static void a_write_is_noted_in_its_page(void **state UNUSED)
{
	uint64_t words[2] = { 0 };
	struct memslot slot = { .start = MIB, .end = MIB + 65 * PAGE, .dirty = words };

	assert_int_equal(memslot_dirty_bytes(&slot), sizeof(words));
	memslot_mark(&slot, MIB);
	memslot_mark(&slot, MIB + 63 * PAGE + 4095);
	memslot_mark(&slot, MIB + 64 * PAGE);
	assert_true(words[0] == (UINT64_C(1) << 63 | 1));
	assert_true(words[1] == 1);
}

static void the_log_stays_with_its_slot(void **state UNUSED)
{
	struct memslots *slots = NULL;
	uint64_t words[4] = { 0 };

	assert_int_equal(change(&slots, 1, KVM_MEM_LOG_DIRTY_PAGES, 0, MIB, HVA), 0);
	memslots_find_id(slots, 1)->dirty = words;
	assert_int_equal(change(&slots, 2, 0, 4 * MIB, MIB, HVA), 0);
	assert_int_equal(change(&slots, 1, KVM_MEM_LOG_DIRTY_PAGES, 8 * MIB, MIB, HVA), 0);
	assert_ptr_equal(memslots_find_id(slots, 1)->dirty, words);
	assert_null(memslots_find_id(slots, 2)->dirty);
	kfree(slots);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_lead_to_their_slot),
		cmocka_unit_test(a_slot_moves_and_goes_but_keeps_its_size_and_memory),
		cmocka_unit_test(slots_do_not_overlap),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_write_is_noted_in_its_page),
		cmocka_unit_test(the_log_stays_with_its_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
