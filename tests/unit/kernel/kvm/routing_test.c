/*
 * Interrupt routes.
 */
#include <errno.h>

#include "kernel/kvm/routing.h"
#include "tests/support/cmocka.h"
#include "tests/support/kmalloc.h"

static struct kvm_irq_routing_entry msi(uint32_t gsi, uint32_t data)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = data },
	};
}

static void routes_are_found_by_gsi_whatever_their_order(void **state UNUSED)
{
	const struct kvm_irq_routing_entry entries[] = { msi(7, 0x47), msi(3, 0x43),
							 msi(4000, 0x40), msi(5, 0x45) };
	struct routing routing = { 0 };
	struct routes *routes;
	struct route route;

	assert_false(routing_find(&routing, 3, &route));
	assert_int_equal(routes_create(entries, ARRAY_SIZE(entries), 0, &routes), 0);
	routing_replace(&routing, routes, 0);
	assert_true(routing_find(&routing, 3, &route));
	assert_int_equal(route.data, 0x43);
	assert_true(routing_find(&routing, 4000, &route));
	assert_int_equal(route.data, 0x40);
	assert_false(routing_find(&routing, 4, &route));
	assert_false(routing_find(&routing, 4001, &route));
	routing_destroy(&routing);
}

static void a_new_table_replaces_the_old_one_whole(void **state UNUSED)
{
	const struct kvm_irq_routing_entry first[] = { msi(1, 0x8041), msi(2, 0x42) },
					   second[] = { msi(2, 0x52) };
	struct routing routing = { 0 };
	struct routes *routes;
	struct route route;

	assert_int_equal(routes_create(first, 2, 0, &routes), 0);
	routing_replace(&routing, routes, 24);
	assert_int_equal(routes_create(second, 1, 0, &routes), 0);
	routing_replace(&routing, routes, 24);
	assert_false(routing_find(&routing, 1, &route));
	assert_true(routing_find(&routing, 2, &route));
	assert_int_equal(route.data, 0x52);
	assert_false(routing_wants_eoi(&routing, 0x41));
	assert_int_equal(routes_create(NULL, 0, 0, &routes), 0);
	routing_replace(&routing, routes, 24);
	assert_false(routing_find(&routing, 2, &route));
	routing_destroy(&routing);
}

static void ends_are_wanted_of_level_triggered_pins_alone(void **state UNUSED)
{
	const struct kvm_irq_routing_entry entries[] = { msi(5, 0x8050), msi(6, 0x51),
							 msi(24, 0x8052) };
	struct routing routing = { 0 };
	struct routes *routes;

	assert_int_equal(routes_create(entries, ARRAY_SIZE(entries), 0, &routes), 0);
	routing_replace(&routing, routes, 24);
	assert_true(routing_wants_eoi(&routing, 0x50));
	assert_false(routing_wants_eoi(&routing, 0x51));
	assert_false(routing_wants_eoi(&routing, 0x52));
	routing_destroy(&routing);
}

static void assert_refused(struct kvm_irq_routing_entry entry, uint32_t api_flags)
{
	struct routes *routes;

	assert_int_equal(routes_create(&entry, 1, api_flags, &routes), -EINVAL);
}

static void what_cannot_be_routed_is_refused(void **state UNUSED)
{
	const struct kvm_irq_routing_entry twice[] = { msi(1, 0x41), msi(2, 0x42), msi(1, 0x43) };
	struct kvm_irq_routing_entry entry = msi(ROUTES_MAX, 0x41);
	struct routes *routes;

	assert_refused(entry, 0);
	entry = msi(1, 0x41);
	entry.type = KVM_IRQ_ROUTING_IRQCHIP;
	assert_refused(entry, 0);
	entry.type = KVM_IRQ_ROUTING_HV_SINT;
	assert_refused(entry, 0);
	entry = msi(1, 0x41);
	entry.flags = 2;
	assert_refused(entry, 0);
	entry = msi(1, 0x41);
	entry.u.msi.address_hi = 1;
	assert_refused(entry, KVM_X2APIC_API_USE_32BIT_IDS);
	assert_int_equal(routes_create(twice, ARRAY_SIZE(twice), 0, &routes), -EINVAL);
	kmalloc_left = 0;
	assert_int_equal(routes_create(twice, 1, 0, &routes), -ENOMEM);
	kmalloc_left = -1;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_are_found_by_gsi_whatever_their_order),
		cmocka_unit_test(a_new_table_replaces_the_old_one_whole),
		cmocka_unit_test(ends_are_wanted_of_level_triggered_pins_alone),
		cmocka_unit_test(what_cannot_be_routed_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
