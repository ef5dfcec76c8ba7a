/*
 * MSI-X: messages while live, pending bits while masked.
 */
#include <errno.h>

#include "tests/support/cmocka.h"
#include "tests/support/message_probe.h"
#include "vmm/pci/msix.h"

enum { VECTORS = 3, BAR = 1, TABLE = 0x3000, PENDING = 0x3800, NOW_MS = 0 };

#define APIC_AT UINT64_C(0xfee00000)

struct bench {
	struct pci_function function;
	struct message_probe messages;
	struct msi_router router;
	struct msix msix;
};

static const struct pci_function_ops no_ops = { 0 };

static void start(struct bench *bench)
{
	static const struct pci_id id = { 0 };

	bench->messages = (struct message_probe){ 0 };
	bench->router = message_probe_router(&bench->messages);
	pci_function_init(&bench->function, "probe", &id, &no_ops, bench);
	assert_int_equal(msix_create(&bench->msix, &bench->function, &bench->router, VECTORS, BAR,
				     TABLE, PENDING),
			 0);
}

static void stop(struct bench *bench)
{
	msix_destroy(&bench->msix);
	assert_int_equal(message_count_routes(&bench->messages), 0);
}

static void set_flags(struct bench *bench, uint16_t flags)
{
	uint32_t at = bench->msix.capability + PCI_MSIX_FLAGS;

	pci_config_set16(
		&bench->function, at,
		(uint16_t)((pci_config_get16(&bench->function, at) & PCI_MSIX_FLAGS_QSIZE) |
			   flags));
	msix_config_written(&bench->msix, at, 2);
}

static void set_entry(struct bench *bench, uint32_t vector, uint64_t address, uint32_t data)
{
	msix_table_write(&bench->msix, vector * MSIX_ENTRY_BYTES, address, 8);
	msix_table_write(&bench->msix, vector * MSIX_ENTRY_BYTES + PCI_MSIX_ENTRY_DATA, data, 4);
}

static void set_mask(struct bench *bench, uint32_t vector, bool is_masked)
{
	msix_table_write(&bench->msix, vector * MSIX_ENTRY_BYTES + PCI_MSIX_ENTRY_VECTOR_CTRL,
			 is_masked, 4);
}

static void start_live(struct bench *bench)
{
	start(bench);
	for (uint32_t vector = 0; vector < VECTORS; vector++) {
		set_entry(bench, vector, APIC_AT, 0x40 + vector);
		set_mask(bench, vector, false);
	}
	set_flags(bench, PCI_MSIX_FLAGS_ENABLE);
}

static bool take(struct bench *bench, uint32_t vector)
{
	return message_take(&bench->messages, APIC_AT, 0x40 + vector, NOW_MS);
}

static uint64_t pending(struct bench *bench)
{
	return msix_pending_read(&bench->msix, 0, 8);
}

static void the_capability_says_where_and_how_many(void **state UNUSED)
{
	struct bench bench;
	uint32_t at;

	start(&bench);
	at = bench.msix.capability;
	assert_int_equal(bench.function.state.config[at], PCI_CAP_ID_MSIX);
	assert_int_equal(pci_config_get16(&bench.function, at + PCI_MSIX_FLAGS), VECTORS - 1);
	assert_int_equal(pci_config_get32(&bench.function, at + PCI_MSIX_TABLE), TABLE | BAR);
	assert_int_equal(pci_config_get32(&bench.function, at + PCI_MSIX_PBA), PENDING | BAR);
	assert_false(msix_is_enabled(&bench.msix));
	stop(&bench);
}

static void vectors_start_masked(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	set_flags(&bench, PCI_MSIX_FLAGS_ENABLE);
	assert_true(msix_is_enabled(&bench.msix));
	assert_int_equal(message_count_routes(&bench.messages), 0);
	for (uint32_t vector = 0; vector < VECTORS; vector++)
		assert_int_equal(msix_table_read(&bench.msix, vector * 16 + 12, 4), 1);
	stop(&bench);
}

static void a_live_vector_sends_its_message(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	msix_fire(&bench.msix, 1);
	assert_true(take(&bench, 1));
	assert_false(take(&bench, 1));
	assert_false(take(&bench, 0));
	stop(&bench);
}

static void a_masked_vector_is_pending_and_sends_when_unmasked(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	set_mask(&bench, 1, true);
	msix_fire(&bench.msix, 1);
	msix_fire(&bench.msix, 1);
	assert_int_equal(pending(&bench), 1 << 1);
	set_mask(&bench, 1, false);
	assert_int_equal(pending(&bench), 0);
	assert_true(take(&bench, 1));
	stop(&bench);
}

static void a_message_that_was_pending_is_sent_once(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	set_mask(&bench, 1, true);
	msix_fire(&bench.msix, 1);
	set_mask(&bench, 1, false);
	assert_true(take(&bench, 1));
	set_mask(&bench, 1, true);
	assert_int_equal(pending(&bench), 0);
	set_mask(&bench, 1, false);
	assert_false(take(&bench, 1));
	stop(&bench);
}

static void the_functions_mask_holds_all_vectors(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	set_flags(&bench, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_int_equal(message_count_routes(&bench.messages), 0);
	msix_fire(&bench.msix, 0);
	msix_fire(&bench.msix, 2);
	assert_int_equal(pending(&bench), 1 << 0 | 1 << 2);
	set_flags(&bench, PCI_MSIX_FLAGS_ENABLE);
	assert_true(take(&bench, 0));
	assert_true(take(&bench, 2));
	assert_false(take(&bench, 1));
	stop(&bench);
}

static void a_disabled_capability_sends_nothing(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	set_flags(&bench, 0);
	assert_int_equal(message_count_routes(&bench.messages), 0);
	set_mask(&bench, 0, true);
	set_mask(&bench, 0, false);
	assert_int_equal(message_count_routes(&bench.messages), 0);
	stop(&bench);
}

static void writes_elsewhere_in_configuration_space_change_no_route(void **state UNUSED)
{
	unsigned long attached;
	struct bench bench;

	start_live(&bench);
	attached = bench.messages.attached;
	msix_config_written(&bench.msix, 0, 4);
	msix_config_written(&bench.msix, bench.msix.capability, 2);
	msix_config_written(&bench.msix, bench.msix.capability + PCI_MSIX_TABLE, 4);
	assert_int_equal(bench.messages.attached, attached);
	stop(&bench);
}

static void a_message_changed_under_a_live_vector_takes_effect(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	set_entry(&bench, 0, UINT64_C(0xfee01000), 0x99);
	msix_fire(&bench.msix, 0);
	assert_false(take(&bench, 0));
	assert_true(message_take(&bench.messages, UINT64_C(0xfee01000), 0x99, NOW_MS));
	stop(&bench);
}

/* Where the message goes is not for us to judge: the router refuses what it can't do. */
static void a_message_may_point_anywhere(void **state UNUSED)
{
	static const uint64_t addresses[] = { 0, 4, UINT64_MAX, UINT64_C(0xfee00000) << 16,
					      0x1000 };
	struct bench bench;

	start_live(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
		set_entry(&bench, 2, addresses[i], UINT32_MAX);
		assert_non_null(message_find(&bench.messages, addresses[i], UINT32_MAX));
	}
	stop(&bench);
}

static void a_refused_route_leaves_the_vector_pending(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	bench.messages.refusal = -ENOSPC;
	set_entry(&bench, 0, APIC_AT, 0x40);
	msix_fire(&bench.msix, 0);
	assert_int_equal(pending(&bench), 1);
	bench.messages.refusal = 0;
	set_mask(&bench, 0, false);
	assert_true(take(&bench, 0));
	stop(&bench);
}

static void the_table_is_read_and_written_by_aligned_words(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	msix_table_write(&bench.msix, 16, UINT64_C(0x1122334455667788), 8);
	assert_int_equal(msix_table_read(&bench.msix, 16, 8), UINT64_C(0x1122334455667788));
	msix_table_write(&bench.msix, 16, 0, 1);
	msix_table_write(&bench.msix, 16, 0, 2);
	msix_table_write(&bench.msix, 18, 0, 4);
	msix_table_write(&bench.msix, 20, 0, 8);
	assert_int_equal(msix_table_read(&bench.msix, 20, 4), 0x11223344);
	assert_int_equal(msix_table_read(&bench.msix, 16, 4), 0x55667788);
	assert_int_equal(msix_table_read(&bench.msix, 16, 2), UINT64_MAX);
	assert_int_equal(msix_table_read(&bench.msix, 17, 4), UINT64_MAX);
	stop(&bench);
}

static void behind_the_table_there_is_nothing(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	msix_table_write(&bench.msix, VECTORS * 16, 0, 8);
	msix_table_write(&bench.msix, 0x7f8, UINT64_MAX, 8);
	msix_table_write(&bench.msix, UINT64_MAX - 7, UINT64_MAX, 8);
	assert_int_equal(msix_table_read(&bench.msix, VECTORS * 16, 4), UINT64_MAX);
	assert_int_equal(msix_table_read(&bench.msix, VECTORS * 16 - 4, 4), 1);
	assert_int_equal(msix_pending_read(&bench.msix, 8, 8), 0);
	assert_int_equal(msix_pending_read(&bench.msix, 0x7ff, 1), 0);
	stop(&bench);
}

static void a_vector_that_does_not_exist_is_none(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	msix_fire(&bench.msix, VECTORS);
	msix_fire(&bench.msix, UINT16_MAX);
	set_flags(&bench, 0);
	assert_int_equal(pending(&bench), 0);
	stop(&bench);
}

static void a_reset_forgets_messages_and_what_is_pending(void **state UNUSED)
{
	struct bench bench;

	start_live(&bench);
	set_mask(&bench, 2, true);
	msix_fire(&bench.msix, 2);
	msix_reset(&bench.msix);
	assert_int_equal(message_count_routes(&bench.messages), 0);
	assert_int_equal(pending(&bench), 0);
	assert_int_equal(msix_table_read(&bench.msix, 0, 8), 0);
	assert_int_equal(msix_table_read(&bench.msix, 12, 4), 1);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_capability_says_where_and_how_many),
		cmocka_unit_test(vectors_start_masked),
		cmocka_unit_test(a_live_vector_sends_its_message),
		cmocka_unit_test(a_masked_vector_is_pending_and_sends_when_unmasked),
		cmocka_unit_test(a_message_that_was_pending_is_sent_once),
		cmocka_unit_test(the_functions_mask_holds_all_vectors),
		cmocka_unit_test(a_disabled_capability_sends_nothing),
		cmocka_unit_test(writes_elsewhere_in_configuration_space_change_no_route),
		cmocka_unit_test(a_message_changed_under_a_live_vector_takes_effect),
		cmocka_unit_test(a_message_may_point_anywhere),
		cmocka_unit_test(a_refused_route_leaves_the_vector_pending),
		cmocka_unit_test(the_table_is_read_and_written_by_aligned_words),
		cmocka_unit_test(behind_the_table_there_is_nothing),
		cmocka_unit_test(a_vector_that_does_not_exist_is_none),
		cmocka_unit_test(a_reset_forgets_messages_and_what_is_pending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
