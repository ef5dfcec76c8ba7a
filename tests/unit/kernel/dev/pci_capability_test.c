/*
 * The list of a PCI function's capabilities: found in order, and no list is walked for ever.
 */
#include <string.h>

#include "kernel/dev/pci.h"
#include "lib/compiler.h"
#include "tests/support/cmocka.h"

static uint8_t config[PCI_CONFIG_BYTES];

static void put(uint8_t at, uint8_t id, uint8_t next)
{
	config[at] = id;
	config[at + 1] = next;
}

static int prepare(void **state UNUSED)
{
	memset(config, 0, sizeof(config));
	config[PCI_STATUS] = 1 << 4;
	config[PCI_CAPABILITY_LIST] = 0x50;
	put(0x50, PCI_CAP_ID_VNDR, 0x70);
	put(0x70, PCI_CAP_ID_MSIX, 0x40);
	put(0x40, PCI_CAP_ID_VNDR, 0);
	return 0;
}

static void all_of_a_kind_are_found_in_order(void **state UNUSED)
{
	assert_int_equal(pci_next_capability(config, 0, PCI_CAP_ID_MSIX), 0x70);
	assert_int_equal(pci_next_capability(config, 0, PCI_CAP_ID_VNDR), 0x50);
	assert_int_equal(pci_next_capability(config, 0x50, PCI_CAP_ID_VNDR), 0x40);
	assert_int_equal(pci_next_capability(config, 0x40, PCI_CAP_ID_VNDR), 0);
	assert_int_equal(pci_next_capability(config, 0, PCI_CAP_ID_MSI), 0);
}

static void without_a_list_there_is_nothing(void **state UNUSED)
{
	config[PCI_STATUS] = 0;
	assert_int_equal(pci_next_capability(config, 0, PCI_CAP_ID_MSIX), 0);
}

static void a_list_that_loops_ends(void **state UNUSED)
{
	put(0x40, PCI_CAP_ID_VNDR, 0x50);
	assert_int_equal(pci_next_capability(config, 0, PCI_CAP_ID_MSI), 0);
}

static void a_pointer_into_the_header_ends_the_list(void **state UNUSED)
{
	put(0x50, PCI_CAP_ID_VNDR, 0x08);
	assert_int_equal(pci_next_capability(config, 0, PCI_CAP_ID_MSIX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_of_a_kind_are_found_in_order, prepare),
		cmocka_unit_test_setup(without_a_list_there_is_nothing, prepare),
		cmocka_unit_test_setup(a_list_that_loops_ends, prepare),
		cmocka_unit_test_setup(a_pointer_into_the_header_ends_the_list, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
