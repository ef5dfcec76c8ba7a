/*
 * Who gets a message: every kind of destination, shorthand and mode, among APICs in every mode.
 */
#include <errno.h>

#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

enum { VECTOR = 0x71 };
enum { ICR_LOGICAL = 0x800, ICR_SELF = 0x40000, ICR_ALL = 0x80000, ICR_OTHERS = 0xc0000 };
enum { ICR_LOWEST = 0x100, ICR_NMI = 0x400, ICR_INIT = 0x500, ICR_SIPI = 0x600 };

static int start(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));

	bench_start(bench, 8);
	bench_enable_all(bench);
	*state = bench;
	return 0;
}

static int start_40_in_x2apic(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));

	bench_start(bench, 40);
	bench_enable_all(bench);
	bench_enter_x2apic_all(bench);
	*state = bench;
	return 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

/* Whoever has VECTOR pending, one bit each; and takes it away. */
static uint64_t receivers(struct bench *bench)
{
	uint64_t set = 0;

	for (uint32_t id = 0; id < bench->nr_cpus; id++) {
		struct lapic *lapic = bench_lapic(bench, id);

		if (lapic_acknowledge(lapic) != VECTOR)
			continue;
		lapic_eoi(lapic);
		assert_int_equal(lapic_pending(lapic), -1);
		set |= UINT64_C(1) << id;
	}
	return set;
}

/* Sends an IPI from @id and returns who got it. */
static uint64_t ipi(struct bench *bench, uint32_t id, uint32_t icr, uint32_t destination)
{
	bench_ipi(bench, id, icr | VECTOR, destination);
	return receivers(bench);
}

static int msi(struct bench *bench, uint64_t address, uint32_t data)
{
	struct apic_message message;

	assert_int_equal(
		apic_message_from_msi(address, data, apic_map_api_flags(&bench->map), &message), 0);
	return apic_deliver(&bench->map, &message);
}

static uint64_t all_of(const struct bench *bench)
{
	return UINT64_MAX >> (64 - bench->nr_cpus);
}

/* ---- destinations, xAPIC ---- */

static void a_physical_destination_is_one_apic(void **state)
{
	struct bench *bench = *state;

	for (uint32_t from = 0; from < 8; from++)
		for (uint32_t to = 0; to < 255; to++)
			assert_int_equal(ipi(bench, from, 0, to), to < 8 ? UINT64_C(1) << to : 0);
}

static void destination_255_is_every_apic(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(ipi(bench, 3, 0, 0xff), 0xff);
	assert_int_equal(ipi(bench, 3, ICR_LOGICAL, 0xff), 0xff);
}

static void flat_logical_ids_are_bits(void **state)
{
	struct bench *bench = *state;

	for (uint32_t id = 0; id < 8; id++)
		bench_write(bench, id, LAPIC_LDR, 0x01000000u << id);
	for (uint32_t to = 0; to < 256; to++)
		assert_int_equal(ipi(bench, to % 8, ICR_LOGICAL, to), to);
}

static void apics_without_logical_id_get_nothing_logical(void **state)
{
	for (uint32_t to = 0; to < 255; to++)
		assert_int_equal(ipi(*state, 0, ICR_LOGICAL, to), 0);
}

static void cluster_logical_ids_are_a_number_and_four_bits(void **state)
{
	struct bench *bench = *state;

	/* clusters 2 and 5 with four each */
	for (uint32_t id = 0; id < 8; id++) {
		bench_write(bench, id, LAPIC_DFR, 0);
		bench_write(bench, id, LAPIC_LDR,
			    (id < 4 ? 0x20u : 0x50u) << 24 | 0x01000000u << id % 4);
	}
	for (uint32_t to = 0; to < 255; to++) {
		uint64_t expected = 0;

		if (to >> 4 == 2)
			expected = to & 0xf;
		if (to >> 4 == 5)
			expected = (to & 0xf) << 4;
		assert_int_equal(ipi(bench, to % 8, ICR_LOGICAL, to), expected);
	}
	assert_int_equal(ipi(bench, 0, ICR_LOGICAL, 0xff), 0xff);
}

static void an_apic_that_was_renamed_listens_to_its_new_id(void **state)
{
	struct bench *bench = *state;

	bench_write(bench, 2, LAPIC_ID, 0x77000000);
	assert_int_equal(ipi(bench, 0, 0, 0x77), 1 << 2);
	assert_int_equal(ipi(bench, 0, 0, 2), 0);
	bench_write(bench, 5, LAPIC_ID, 0x77000000);
	assert_int_equal(ipi(bench, 0, 0, 0x77), 1 << 2 | 1 << 5);
	bench_enter_x2apic(bench, 2);
	assert_int_equal(ipi(bench, 0, 0, 2), 1 << 2);
}

/* ---- destinations, x2APIC ---- */

static void a_physical_x2apic_id_is_one_apic(void **state)
{
	struct bench *bench = *state;

	for (uint32_t to = 0; to < 300; to++)
		assert_int_equal(ipi(bench, to % 40, 0, to), to < 40 ? UINT64_C(1) << to : 0);
	assert_int_equal(ipi(bench, 0, 0, 0x10001), 0);
	assert_int_equal(ipi(bench, 0, 0, 0xfffffffe), 0);
	assert_int_equal(ipi(bench, 0, 0, 0xffffffff), all_of(bench));
}

static void x2apic_logical_ids_are_clusters_of_16(void **state)
{
	struct bench *bench = *state;

	for (uint32_t cluster = 0; cluster < 5; cluster++) {
		for (uint32_t bits = 0; bits < 0x10000; bits += 97) {
			uint64_t expected = cluster < 4 ? (uint64_t)bits << cluster * 16 : 0;

			assert_int_equal(ipi(bench, 0, ICR_LOGICAL, cluster << 16 | bits),
					 expected & all_of(bench));
		}
	}
	assert_int_equal(ipi(bench, 0, ICR_LOGICAL, 0xffff0000), 0);
	assert_int_equal(ipi(bench, 0, ICR_LOGICAL, 0xffffffff), all_of(bench));
}

static void destination_255_is_a_cluster_in_x2apic_mode(void **state)
{
	assert_int_equal(ipi(*state, 0, ICR_LOGICAL, 0xff), 0xff);
	assert_int_equal(ipi(*state, 0, 0, 0xff), 0);
}

static void an_msi_to_255_is_for_all_unless_the_quirk_is_off(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(msi(bench, 0xfeeff000, VECTOR), 40);
	assert_int_equal(receivers(bench), all_of(bench));
	assert_int_equal(msi(bench, 0xfeeff004, VECTOR), 40);
	assert_int_equal(receivers(bench), all_of(bench));
	apic_map_set_api_flags(&bench->map, KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
	assert_int_equal(msi(bench, 0xfeeff000, VECTOR), -1);
	assert_int_equal(msi(bench, 0xfeeff004, VECTOR), 8);
	assert_int_equal(receivers(bench), 0xff);
}

static void an_msi_reaches_clusters_by_32_bit_ids(void **state)
{
	struct bench *bench = *state;

	apic_map_set_api_flags(&bench->map, KVM_X2APIC_API_USE_32BIT_IDS |
						    KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
	assert_int_equal(msi(bench, 0x00010300fee05004, VECTOR), 4);
	assert_int_equal(receivers(bench), UINT64_C(0x305) << 16);
}

/* ---- mixed modes ---- */

static void an_ap_beyond_255_in_xapic_mode_listens_to_its_full_id(void **state UNUSED)
{
	static struct lapic *slots[400];
	static struct bench_cpu cpu;
	struct apic_message message = { .destination = 299, .vector = 0x10, .mode = APIC_SIPI };
	struct apic_map map;

	apic_map_create(&map, slots, 400);
	lapic_create(&cpu.lapic, &map, 299, &bench_ops, &cpu);
	assert_int_equal(apic_map_add(&map, &cpu.lapic), 0);
	assert_int_equal(apic_deliver(&map, &message), 1);
	message.destination = 299 & 0xff;
	assert_int_equal(apic_deliver(&map, &message), -1);
	assert_int_equal(cpu.sipis, 1);
}

static void apics_in_both_modes_hear_what_is_addressed_to_their_mode(void **state)
{
	struct bench *bench = *state;

	for (uint32_t id = 0; id < 8; id++)
		bench_write(bench, id, LAPIC_LDR, 0x80000000);
	for (uint32_t id = 0; id < 4; id++)
		bench_enter_x2apic(bench, id);
	assert_int_equal(ipi(bench, 7, 0, 2), 1 << 2);
	assert_int_equal(ipi(bench, 2, 0, 7), 1 << 7);
	assert_int_equal(ipi(bench, 2, ICR_LOGICAL, 0x82), 0xf2);
	assert_int_equal(ipi(bench, 7, 0, 0xff), 0xf0);
	assert_int_equal(ipi(bench, 2, 0, 0xffffffff), 0xff);
}

static void a_cluster_of_x2apic_is_not_for_those_in_xapic_mode(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench, 40);
	bench_enable_all(&bench);
	for (uint32_t id = 16; id < 32; id++)
		bench_write(&bench, id, LAPIC_LDR, 0xff000000);
	bench_enter_x2apic(&bench, 0);
	bench_enter_x2apic(&bench, 17);
	assert_int_equal(ipi(&bench, 0, ICR_LOGICAL, 0x1ffff), 1 << 17);
}

/* ---- shorthands and modes ---- */

static void shorthands_need_no_destination(void **state)
{
	struct bench *bench = *state;

	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t from = 0; from < 8; from++) {
			uint32_t junk = from * 37;

			assert_int_equal(ipi(bench, from, ICR_SELF, junk), 1u << from);
			assert_int_equal(ipi(bench, from, ICR_ALL, junk), 0xff);
			assert_int_equal(ipi(bench, from, ICR_OTHERS, junk), 0xff & ~(1u << from));
			assert_int_equal(ipi(bench, from, ICR_OTHERS | ICR_LOGICAL, junk),
					 0xff & ~(1u << from));
		}
		bench_enter_x2apic_all(bench);
	}
}

/* How many of each kind @id got since it was last asked. */
struct tally {
	unsigned nmis, inits, sipis;
};

static struct tally tally(struct bench *bench, uint32_t id)
{
	struct bench_cpu *cpu = &bench->cpus[id];
	struct tally tally = { cpu->nmis, cpu->inits, cpu->sipis };

	cpu->nmis = cpu->inits = cpu->sipis = 0;
	return tally;
}

static void every_mode_arrives_by_every_destination(void **state)
{
	static const struct {
		uint32_t icr, destination;
		uint64_t receivers;
	} ways[] = {
		{ 0, 5, 0x20 },		 { ICR_LOGICAL, 0x24, 0x24 },
		{ 0, 0xff, 0xff },	 { ICR_LOGICAL, 0xff, 0xff },
		{ ICR_SELF, 0, 0x02 },	 { ICR_ALL, 0, 0xff },
		{ ICR_OTHERS, 0, 0xfd },
	};
	struct bench *bench = *state;

	for (uint32_t id = 0; id < 8; id++)
		bench_write(bench, id, LAPIC_LDR, 0x01000000u << id);
	for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
		for (uint32_t mode = 0; mode < 8; mode++) {
			uint64_t got =
				ipi(bench, 1, ways[way].icr | mode << 8, ways[way].destination);

			if (mode == APIC_LOWEST_PRIORITY)
				assert_true(got && !(got & (got - 1)) &&
					    !(got & ~ways[way].receivers));
			else
				assert_int_equal(got, mode == APIC_FIXED ? ways[way].receivers : 0);
			for (uint32_t id = 0; id < 8; id++) {
				bool is_for_it = ways[way].receivers >> id & 1;
				struct tally t = tally(bench, id);

				assert_int_equal(t.nmis, is_for_it && mode == APIC_NMI);
				assert_int_equal(t.inits, is_for_it && mode == APIC_INIT);
				assert_int_equal(t.sipis, is_for_it && mode == APIC_SIPI);
			}
		}
	}
}

static void a_sipi_brings_its_vector(void **state)
{
	struct bench *bench = *state;

	bench_ipi(bench, 0, ICR_SIPI | 0x9f, 4);
	assert_int_equal(bench->cpus[4].sipis, 1);
	assert_int_equal(bench->cpus[4].sipi_vector, 0x9f);
	bench_ipi(bench, 0, ICR_SIPI | 0x00, 4); /* not illegal: a page */
	assert_int_equal(bench->cpus[4].sipi_vector, 0);
}

static void the_deassertion_of_init_is_ignored(void **state)
{
	struct bench *bench = *state;

	struct apic_message message =
		apic_message_from_icr(UINT64_C(4) << 56 | ICR_INIT | 0x8000, false);

	assert_int_equal(apic_deliver(&bench->map, &message), 0);
	bench_ipi(bench, 0, ICR_INIT | 0x8000, 4);
	assert_int_equal(bench->cpus[4].inits, 0);
	bench_ipi(bench, 0, ICR_INIT | 0xc000, 4);
	bench_ipi(bench, 0, ICR_INIT | 0x4000, 4);
	bench_ipi(bench, 0, ICR_INIT, 4);
	assert_int_equal(bench->cpus[4].inits, 3);
}

static void only_others_are_notified(void **state)
{
	struct bench *bench = *state;

	bench_ipi(bench, 3, ICR_ALL | VECTOR, 0);
	for (uint32_t id = 0; id < 8; id++)
		assert_int_equal(bench->cpus[id].notified, id != 3);
	receivers(bench);
	bench_ipi(bench, 3, VECTOR, 3);
	assert_int_equal(bench->cpus[3].notified, 0);
	assert_int_equal(receivers(bench), 1 << 3);
}

/* ---- lowest priority ---- */

static void lowest_priority_takes_turns_by_vector(void **state)
{
	struct bench *bench = *state;

	for (uint32_t vector = 16; vector < 256; vector++) {
		assert_int_equal(msi(bench, 0xfeeff004, ICR_LOWEST | vector), 1);
		assert_int_equal(lapic_acknowledge(bench_lapic(bench, vector % 8)), vector);
		lapic_eoi(bench_lapic(bench, vector % 8));
	}
}

static void lowest_priority_chooses_among_those_switched_on(void **state)
{
	struct bench *bench = *state;

	for (uint32_t id = 0; id < 8; id++)
		bench_write(bench, id, LAPIC_LDR, 0x01000000u << id);
	bench_write(bench, 2, LAPIC_SVR, 0xff);
	for (uint32_t vector = 16; vector < 256; vector++) {
		assert_int_equal(msi(bench, 0xfee0e00c, vector), 1); /* of 1, 2 and 3 */
		assert_int_equal(lapic_pending(bench_lapic(bench, 2)), -1);
	}
	assert_int_equal(msi(bench, 0xfee04004, ICR_LOWEST | VECTOR), -1);
}

/* ---- who doesn't take it ---- */

static void what_deliver_returns_is_how_many_took_it(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(msi(bench, 0xfee03000, VECTOR), 1);
	assert_int_equal(msi(bench, 0xfeeff000, VECTOR), 8);
	assert_int_equal(msi(bench, 0xfee08000, VECTOR), -1);
	bench_write(bench, 3, LAPIC_SVR, 0xff);
	assert_int_equal(msi(bench, 0xfee03000, VECTOR), 0);
	assert_int_equal(msi(bench, 0xfeeff000, VECTOR), 7);
	assert_int_equal(msi(bench, 0xfeeff000, ICR_NMI), 8);
	assert_int_equal(msi(bench, 0xfeeff000, ICR_INIT), 8);
	assert_int_equal(msi(bench, 0xfeeff000, ICR_SIPI), 8);
	assert_int_equal(msi(bench, 0xfee04000, 0x700 | VECTOR), 0);
	assert_int_equal(msi(bench, 0xfee04000, 0x200 | VECTOR), 0);
}

static void a_switched_off_apic_takes_but_what_starts_it(void **state)
{
	struct bench *bench = *state;
	struct tally t;

	bench_write(bench, 3, LAPIC_SVR, 0xff);
	assert_int_equal(ipi(bench, 0, 0, 3), 0);
	assert_int_equal(ipi(bench, 3, ICR_SELF, 0), 0);
	assert_int_equal(ipi(bench, 3, 0, 4), 1 << 4); /* it still sends */
	for (uint32_t mode = APIC_NMI; mode <= APIC_SIPI; mode++)
		bench_ipi(bench, 0, mode << 8 | VECTOR, 3);
	t = tally(bench, 3);
	assert_true(t.nmis == 1 && t.inits == 1 && t.sipis == 1);
}

static void a_disabled_apic_takes_nothing(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(lapic_set_base(bench_lapic(bench, 3), 0xfee00000, false),
			 LAPIC_BASE_MOVED);
	for (uint32_t mode = APIC_FIXED; mode <= APIC_EXTINT; mode++) {
		bench_ipi(bench, 0, mode << 8 | VECTOR, 3);
		assert_int_equal(msi(bench, 0xfee03000, mode << 8 | VECTOR), -1);
		assert_int_equal(
			apic_deliver_many(&bench->map, 1 << 3, 0, 64, 0, mode << 8 | VECTOR), 0);
	}
	assert_false(bench->cpus[3].notified || bench->cpus[3].nmis || bench->cpus[3].inits ||
		     bench->cpus[3].sipis);
}

static void a_self_ipi_register_sends_to_itself(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(bench_write(bench, 9, LAPIC_SELF_IPI, VECTOR), LAPIC_DONE);
	assert_int_equal(receivers(bench), 1 << 9);
	bench_write(bench, 9, LAPIC_SVR, 0xff);
	assert_int_equal(bench_write(bench, 9, LAPIC_SELF_IPI, VECTOR), LAPIC_DONE);
	assert_int_equal(receivers(bench), 0);
}

/* ---- the hypercall ---- */

static void the_hypercall_sends_to_a_bitmap(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(apic_deliver_many(&bench->map, 0x8000000000000001, 0x5, 64, 0, VECTOR), 1);
	assert_int_equal(receivers(bench), 1);
	assert_int_equal(apic_deliver_many(&bench->map, 0x5, 0x3, 32, 3, VECTOR), 4);
	assert_int_equal(receivers(bench), UINT64_C(0x1800000028));
	assert_int_equal(apic_deliver_many(&bench->map, UINT64_MAX, 0, 32, 0, ICR_NMI), 32);
	assert_int_equal(bench->cpus[31].nmis, 1);
	assert_int_equal(bench->cpus[32].nmis, 0);
	assert_int_equal(
		apic_deliver_many(&bench->map, UINT64_MAX, UINT64_MAX, 64, UINT32_MAX, VECTOR), 0);
}

static void the_hypercall_knows_no_shorthands_or_logical_ids(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(apic_deliver_many(&bench->map, 1, 0, 64, 0, ICR_LOGICAL | VECTOR), -1);
	assert_int_equal(apic_deliver_many(&bench->map, 1, 0, 64, 0, ICR_SELF | VECTOR), -1);
	assert_int_equal(receivers(bench), 0);
}

/* ---- the map ---- */

static void an_id_has_one_apic_and_a_slot(void **state)
{
	struct bench *bench = *state;
	static struct bench_cpu cpu;

	lapic_create(&cpu.lapic, &bench->map, 3, &bench_ops, &cpu);
	assert_int_equal(apic_map_add(&bench->map, &cpu.lapic), -EEXIST);
	lapic_create(&cpu.lapic, &bench->map, BENCH_CPUS, &bench_ops, &cpu);
	assert_int_equal(apic_map_add(&bench->map, &cpu.lapic), -EINVAL);
}

static void ids_may_have_gaps(void **state)
{
	struct bench *bench = *state;
	static struct bench_cpu cpu;

	lapic_create(&cpu.lapic, &bench->map, 30, &bench_ops, &cpu);
	assert_int_equal(apic_map_add(&bench->map, &cpu.lapic), 0);
	assert_int_equal(msi(bench, 0xfee1e000, ICR_NMI), 1);
	assert_int_equal(msi(bench, 0xfee1d000, ICR_NMI), -1);
	assert_int_equal(msi(bench, 0xfeeff000, ICR_NMI), 9);
	assert_int_equal(cpu.nmis, 2);
}

#define xapic_test(test)  cmocka_unit_test_setup_teardown(test, start, stop)
#define x2apic_test(test) cmocka_unit_test_setup_teardown(test, start_40_in_x2apic, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		xapic_test(a_physical_destination_is_one_apic),
		xapic_test(destination_255_is_every_apic),
		xapic_test(flat_logical_ids_are_bits),
		xapic_test(apics_without_logical_id_get_nothing_logical),
		xapic_test(cluster_logical_ids_are_a_number_and_four_bits),
		xapic_test(an_apic_that_was_renamed_listens_to_its_new_id),
		x2apic_test(a_physical_x2apic_id_is_one_apic),
		x2apic_test(x2apic_logical_ids_are_clusters_of_16),
		x2apic_test(destination_255_is_a_cluster_in_x2apic_mode),
		x2apic_test(an_msi_to_255_is_for_all_unless_the_quirk_is_off),
		x2apic_test(an_msi_reaches_clusters_by_32_bit_ids),
		cmocka_unit_test(an_ap_beyond_255_in_xapic_mode_listens_to_its_full_id),
		xapic_test(apics_in_both_modes_hear_what_is_addressed_to_their_mode),
		cmocka_unit_test(a_cluster_of_x2apic_is_not_for_those_in_xapic_mode),
		xapic_test(shorthands_need_no_destination),
		xapic_test(every_mode_arrives_by_every_destination),
		xapic_test(a_sipi_brings_its_vector),
		xapic_test(the_deassertion_of_init_is_ignored),
		xapic_test(only_others_are_notified),
		xapic_test(lowest_priority_takes_turns_by_vector),
		xapic_test(lowest_priority_chooses_among_those_switched_on),
		xapic_test(what_deliver_returns_is_how_many_took_it),
		xapic_test(a_switched_off_apic_takes_but_what_starts_it),
		xapic_test(a_disabled_apic_takes_nothing),
		x2apic_test(a_self_ipi_register_sends_to_itself),
		x2apic_test(the_hypercall_sends_to_a_bitmap),
		x2apic_test(the_hypercall_knows_no_shorthands_or_logical_ids),
		xapic_test(an_id_has_one_apic_and_a_slot),
		xapic_test(ids_may_have_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
