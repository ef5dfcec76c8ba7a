/*
 * The formats of interrupt messages.
 */
#include <errno.h>

#include "kernel/kvm/apic_message.h"
#include "tests/support/cmocka.h"
#include <linux/kvm.h>

static struct apic_message from_msi(uint64_t address, uint32_t data, uint32_t api_flags)
{
	struct apic_message message = { 0 };

	assert_int_equal(apic_message_from_msi(address, data, api_flags, &message), 0);
	return message;
}

static void an_msi_names_destination_vector_and_mode(void **state UNUSED)
{
	struct apic_message message = from_msi(0xfee12004, 0x8441, 0);

	assert_int_equal(message.destination, 0x12);
	assert_true(message.is_logical);
	assert_int_equal(message.vector, 0x41);
	assert_int_equal(message.mode, APIC_NMI);
	assert_true(message.is_level);
	message = from_msi(0xfee03000, 0x0041, 0);
	assert_int_equal(message.destination, 3);
	assert_false(message.is_logical);
	assert_int_equal(message.mode, APIC_FIXED);
	assert_false(message.is_level);
}

static void the_upper_address_extends_the_destination_if_enabled(void **state UNUSED)
{
	struct apic_message message;

	assert_int_equal(from_msi(0xabcdef00fee12000, 0x41, 0).destination, 0x12);
	assert_int_equal(from_msi(0xabcdef01fee12000, 0x41, 0).destination, 0x12);
	assert_int_equal(
		from_msi(0xabcdef00fee12000, 0x41, KVM_X2APIC_API_USE_32BIT_IDS).destination,
		0xabcdef12);
	assert_int_equal(apic_message_from_msi(0xabcdef01fee12000, 0x41,
					       KVM_X2APIC_API_USE_32BIT_IDS, &message),
			 -EINVAL);
}

static void destination_255_is_everybody_unless_the_quirk_is_off(void **state UNUSED)
{
	uint32_t no_quirk = KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
	uint32_t wide = KVM_X2APIC_API_USE_32BIT_IDS;

	assert_int_equal(from_msi(0xfeeff000, 0x41, 0).destination, APIC_BROADCAST);
	assert_int_equal(from_msi(0xfeeff000, 0x41, wide).destination, APIC_BROADCAST);
	assert_int_equal(from_msi(0x100feeff000, 0x41, wide).destination, 0x1ff);
	assert_int_equal(from_msi(0xfeeff000, 0x41, no_quirk).destination, 0xff);
	assert_int_equal(from_msi(0xffffff00feeff000, 0x41, wide | no_quirk).destination,
			 APIC_BROADCAST);
}

static void a_redirectable_logical_msi_goes_to_one(void **state UNUSED)
{
	assert_int_equal(from_msi(0xfee0300c, 0x41, 0).mode, APIC_LOWEST_PRIORITY);
	assert_int_equal(from_msi(0xfee03008, 0x41, 0).mode, APIC_FIXED);
	assert_int_equal(from_msi(0xfee0300c, 0x441, 0).mode, APIC_NMI);
}

static void an_icr_has_its_destination_where_its_mode_puts_it(void **state UNUSED)
{
	assert_int_equal(apic_message_from_icr(0x1234567800000041, true).destination, 0x12345678);
	assert_int_equal(apic_message_from_icr(0x1200000000000041, false).destination, 0x12);
}

static void an_icr_names_vector_mode_and_shorthand(void **state UNUSED)
{
	for (uint32_t mode = 0; mode < 8; mode++) {
		for (uint32_t shorthand = 0; shorthand < 4; shorthand++) {
			uint32_t icr = 0x843 | mode << 8 | shorthand << 18;
			struct apic_message message = apic_message_from_icr(icr, true);

			assert_int_equal(message.vector, 0x43);
			assert_int_equal(message.mode, mode);
			assert_int_equal(message.shorthand, shorthand);
			assert_true(message.is_logical);
		}
	}
}

static void ipis_are_edges_and_only_init_can_be_deasserted(void **state UNUSED)
{
	for (uint32_t mode = 0; mode < 8; mode++) {
		for (uint32_t level = 0; level < 4; level++) {
			uint32_t icr = 0x43 | mode << 8 | level << 14;
			struct apic_message message = apic_message_from_icr(icr, true);

			assert_false(message.is_level);
			assert_int_equal(message.is_deassert, mode == APIC_INIT && level == 2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_msi_names_destination_vector_and_mode),
		cmocka_unit_test(the_upper_address_extends_the_destination_if_enabled),
		cmocka_unit_test(destination_255_is_everybody_unless_the_quirk_is_off),
		cmocka_unit_test(a_redirectable_logical_msi_goes_to_one),
		cmocka_unit_test(an_icr_has_its_destination_where_its_mode_puts_it),
		cmocka_unit_test(an_icr_names_vector_mode_and_shorthand),
		cmocka_unit_test(ipis_are_edges_and_only_init_can_be_deasserted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
