/*
 * IA32_APIC_BASE: the modes, who may change them how, and where the window is.
 */
#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

enum mode { DISABLED, INVALID, XAPIC, X2APIC }; /* EXTD and EN */

static const uint64_t mode_bits[] = { 0, LAPIC_BASE_X2APIC, LAPIC_BASE_ENABLED,
				      LAPIC_BASE_X2APIC | LAPIC_BASE_ENABLED };

static enum lapic_base_change set_base(struct bench *bench, uint64_t value)
{
	return lapic_set_base(bench_lapic(bench, 0), value, false);
}

static void enter(struct bench *bench, enum mode mode)
{
	assert_int_not_equal(lapic_set_base(bench_lapic(bench, 0),
					    LAPIC_BASE_DEFAULT | mode_bits[mode], true),
			     LAPIC_BASE_REFUSED);
}

static void reset_enables_xapic_at_its_usual_place(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench, 2);
	assert_int_equal(bench_lapic(&bench, 0)->base, 0xfee00900);
	assert_int_equal(bench_lapic(&bench, 1)->base, 0xfee00800);
	assert_true(lapic_has_window(bench_lapic(&bench, 0)));
	assert_int_equal(lapic_window(bench_lapic(&bench, 0)), 0xfee00000);
}

static void a_guest_changes_modes_only_as_the_manual_draws_it(void **state UNUSED)
{
	static const bool allowed[4][4] = {
		/*              DISABLED, INVALID, XAPIC, X2APIC */
		[DISABLED] = { true, false, true, false },
		[XAPIC] = { true, false, true, true },
		[X2APIC] = { true, false, false, true },
	};
	struct bench bench;

	for (enum mode from = DISABLED; from <= X2APIC; from++) {
		for (enum mode to = DISABLED; from != INVALID && to <= X2APIC; to++) {
			uint64_t before;

			bench_start(&bench, 1);
			enter(&bench, from);
			before = bench_lapic(&bench, 0)->base;
			if (allowed[from][to]) {
				assert_int_not_equal(set_base(&bench, 0xfee00000 | mode_bits[to]),
						     LAPIC_BASE_REFUSED);
				continue;
			}
			assert_int_equal(set_base(&bench, 0xfee00000 | mode_bits[to]),
					 LAPIC_BASE_REFUSED);
			assert_int_equal(bench_lapic(&bench, 0)->base, before);
		}
	}
}

static void the_host_changes_to_any_mode_that_is_one(void **state UNUSED)
{
	struct bench bench;

	for (enum mode from = DISABLED; from <= X2APIC; from++) {
		for (enum mode to = DISABLED; from != INVALID && to <= X2APIC; to++) {
			bench_start(&bench, 1);
			enter(&bench, from);
			assert_true((lapic_set_base(bench_lapic(&bench, 0), mode_bits[to], true) ==
				     LAPIC_BASE_REFUSED) == (to == INVALID));
		}
	}
}

static void reserved_bits_are_refused(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench, 1);
	for (uint32_t bit = 0; bit < 64; bit++) {
		bool reserved = bit < 8 || bit == 9 || bit >= BENCH_PHYS_BITS;
		uint64_t value = 0xfee00800 ^ UINT64_C(1) << bit;

		assert_true((set_base(&bench, value) == LAPIC_BASE_REFUSED) == reserved);
		bench_start(&bench, 1);
	}
}

static void x2apic_needs_its_feature(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench, 1);
	lapic_set_features(bench_lapic(&bench, 0), 0, BENCH_PHYS_BITS);
	assert_int_equal(set_base(&bench, 0xfee00c00), LAPIC_BASE_REFUSED);
	assert_int_equal(set_base(&bench, 0xfee00801), LAPIC_BASE_REFUSED);
}

static void the_caller_hears_when_the_window_moves_comes_or_goes(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench, 1);
	assert_int_equal(set_base(&bench, 0xfee00800), LAPIC_BASE_SAME);
	assert_int_equal(set_base(&bench, 0xd0000800), LAPIC_BASE_MOVED);
	assert_int_equal(lapic_window(bench_lapic(&bench, 0)), 0xd0000000);
	assert_int_equal(set_base(&bench, 0x00000800), LAPIC_BASE_MOVED); /* a place like others */
	assert_int_equal(set_base(&bench, 0x00000000), LAPIC_BASE_MOVED);
	assert_int_equal(set_base(&bench, 0xfee00000), LAPIC_BASE_SAME);
	assert_int_equal(set_base(&bench, 0xfee00800), LAPIC_BASE_MOVED);
	assert_int_equal(set_base(&bench, 0xfee00c00), LAPIC_BASE_MOVED);
	assert_false(lapic_has_window(bench_lapic(&bench, 0)));
	assert_int_equal(set_base(&bench, 0xd0000c00), LAPIC_BASE_SAME);
}

static void a_disabled_apic_loses_its_state(void **state UNUSED)
{
	struct bench bench;
	struct lapic *lapic = bench_lapic(&bench, 0);

	bench_start(&bench, 1);
	bench_enable(&bench, 0);
	bench_write(&bench, 0, LAPIC_ID, 0x33000000);
	bench_write(&bench, 0, LAPIC_TPR, 0x10);
	bench_write(&bench, 0, LAPIC_LVT_TIMER, 0x40);
	bench_write(&bench, 0, LAPIC_INITIAL_COUNT, 1000);
	lapic_accept(lapic, 0x60, false);
	set_base(&bench, 0xfee00000);
	assert_false(bench.cpus[0].is_armed);
	assert_int_equal(lapic_pending(lapic), -1);
	lapic_post(lapic, 0x61, false); /* from a sender that still saw it enabled */
	assert_int_equal(lapic_pending(lapic), -1);
	set_base(&bench, 0xfee00800);
	assert_int_equal(lapic_pending(lapic), -1);
	assert_int_equal(bench_read(&bench, 0, LAPIC_ID), 0);
	assert_int_equal(bench_read(&bench, 0, LAPIC_SVR), 0xff);
	assert_int_equal(bench_read(&bench, 0, LAPIC_TPR), 0);
	assert_int_equal(bench_read(&bench, 0, LAPIC_LVT_TIMER), 0x10000);
}

static void x2apic_mode_keeps_what_xapic_had_but_ids(void **state UNUSED)
{
	struct bench bench;
	struct lapic *lapic = bench_lapic(&bench, 1);

	bench_start(&bench, 2);
	bench_enable(&bench, 1);
	bench_write(&bench, 1, LAPIC_ID, 0x33000000);
	bench_write(&bench, 1, LAPIC_LDR, 0x44000000);
	bench_write(&bench, 1, LAPIC_TPR, 0x10);
	bench_write(&bench, 1, LAPIC_LVT_ERROR, 0x40);
	lapic_accept(lapic, 0x60, false);
	bench_enter_x2apic(&bench, 1);
	assert_int_equal(bench_read(&bench, 1, LAPIC_ID), 1);
	assert_int_equal(bench_read(&bench, 1, LAPIC_LDR), 2);
	assert_int_equal(bench_read(&bench, 1, LAPIC_SVR), 0x1ff);
	assert_int_equal(bench_read(&bench, 1, LAPIC_TPR), 0x10);
	assert_int_equal(bench_read(&bench, 1, LAPIC_LVT_ERROR), 0x40);
	assert_int_equal(lapic_pending(lapic), 0x60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_enables_xapic_at_its_usual_place),
		cmocka_unit_test(a_guest_changes_modes_only_as_the_manual_draws_it),
		cmocka_unit_test(the_host_changes_to_any_mode_that_is_one),
		cmocka_unit_test(reserved_bits_are_refused),
		cmocka_unit_test(x2apic_needs_its_feature),
		cmocka_unit_test(the_caller_hears_when_the_window_moves_comes_or_goes),
		cmocka_unit_test(a_disabled_apic_loses_its_state),
		cmocka_unit_test(x2apic_mode_keeps_what_xapic_had_but_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
