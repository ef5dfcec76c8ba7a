/*
 * The local APIC's registers, through the MMIO window and as MSRs.
 */
#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

static int start_xapic(void **state)
{
	struct bench *bench = malloc(sizeof(*bench));

	bench_start(bench, 2);
	bench_enable(bench, 0);
	*state = bench;
	return 0;
}

static int start_x2apic(void **state)
{
	struct bench *bench;

	start_xapic(state);
	bench = *state;
	bench_enter_x2apic_all(bench);
	return 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

static uint64_t mmio(struct bench *bench, uint32_t offset, uint32_t size_bytes)
{
	return lapic_mmio_read(bench_lapic(bench, 0), offset, size_bytes, bench->now_ns);
}

static void mmio_write(struct bench *bench, uint32_t offset, uint32_t size_bytes, uint64_t value)
{
	assert_int_equal(lapic_mmio_write(bench_lapic(bench, 0), offset, size_bytes, value,
					  bench->now_ns),
			 LAPIC_DONE);
}

static enum lapic_result rdmsr(struct bench *bench, uint32_t reg)
{
	uint64_t value;

	return lapic_msr_read(bench_lapic(bench, 0), LAPIC_MSR_BASE + reg, bench->now_ns, &value);
}

static enum lapic_result wrmsr(struct bench *bench, uint32_t reg, uint64_t value)
{
	return bench_write64(bench, 0, reg, value);
}

/* ---- reset ---- */

static void reset_leaves_what_the_manual_says(void **state)
{
	static const struct {
		uint32_t reg, value;
	} expected[] = {
		{ LAPIC_ID, 1u << 24 },
		{ LAPIC_VERSION, 0x50014 },
		{ LAPIC_TPR, 0 },
		{ LAPIC_APR, 0 },
		{ LAPIC_PPR, 0 },
		{ LAPIC_LDR, 0 },
		{ LAPIC_DFR, 0xffffffff },
		{ LAPIC_SVR, 0xff },
		{ LAPIC_ESR, 0 },
		{ LAPIC_ICR, 0 },
		{ LAPIC_ICR2, 0 },
		{ LAPIC_LVT_TIMER, 0x10000 },
		{ LAPIC_LVT_THERMAL, 0x10000 },
		{ LAPIC_LVT_PERFORMANCE, 0x10000 },
		{ LAPIC_LVT_LINT0, 0x10000 },
		{ LAPIC_LVT_LINT1, 0x10000 },
		{ LAPIC_LVT_ERROR, 0x10000 },
		{ LAPIC_INITIAL_COUNT, 0 },
		{ LAPIC_CURRENT_COUNT, 0 },
		{ LAPIC_DIVIDE, 0 },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(bench_read(bench, 1, expected[i].reg), expected[i].value);
	for (uint32_t reg = LAPIC_ISR; reg < LAPIC_ESR; reg++)
		assert_int_equal(bench_read(bench, 1, reg), 0);
}

static void init_resets_all_but_the_id(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	bench_write(bench, 0, LAPIC_ID, 0x07000000);
	bench_write(bench, 0, LAPIC_LDR, 0x01000000);
	bench_write(bench, 0, LAPIC_DFR, 0);
	bench_write(bench, 0, LAPIC_TPR, 0x20);
	bench_write(bench, 0, LAPIC_LVT_ERROR, 0x44);
	lapic_accept(lapic, 0x80, true);
	lapic_post(lapic, 0x81, false);
	lapic_acknowledge(lapic);
	lapic_post(lapic, 0x82, false);
	lapic_reset(lapic, true);
	assert_int_equal(bench_read(bench, 0, LAPIC_ID), 0x07000000);
	assert_int_equal(bench_read(bench, 0, LAPIC_LDR), 0);
	assert_int_equal(bench_read(bench, 0, LAPIC_DFR), 0xffffffff);
	assert_int_equal(bench_read(bench, 0, LAPIC_SVR), 0xff);
	assert_int_equal(bench_read(bench, 0, LAPIC_TPR), 0);
	assert_int_equal(bench_read(bench, 0, LAPIC_LVT_ERROR), 0x10000);
	for (uint32_t reg = LAPIC_ISR; reg < LAPIC_ESR; reg++)
		assert_int_equal(bench_read(bench, 0, reg), 0);
	assert_int_equal(lapic_pending(lapic), -1);
	lapic_reset(lapic, false);
	assert_int_equal(bench_read(bench, 0, LAPIC_ID), 0);
}

static void init_stays_in_x2apic_mode_and_reset_leaves_it(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 1);

	lapic_reset(lapic, true);
	assert_true(lapic_is_x2apic(lapic));
	assert_int_equal(bench_read(bench, 1, LAPIC_ID), 1);
	assert_int_equal(bench_read(bench, 1, LAPIC_LDR), 2);
	lapic_reset(lapic, false);
	assert_true(lapic_has_window(lapic));
	assert_int_equal(bench_read(bench, 1, LAPIC_ID), 1u << 24);
}

static void reset_opens_lint0_of_the_bsp_if_asked_to(void **state)
{
	struct bench *bench = *state;
	uint32_t quirk = LAPIC_OPENS_LINT0;

	for (uint32_t id = 0; id < 2; id++) {
		lapic_set_features(bench_lapic(bench, id), quirk | (id ? 0 : LAPIC_IS_BSP), 40);
		lapic_reset(bench_lapic(bench, id), false);
	}
	assert_int_equal(bench_read(bench, 0, LAPIC_LVT_LINT0), 0x700);
	assert_int_equal(bench_read(bench, 1, LAPIC_LVT_LINT0), 0x10000);
	assert_true(lapic_accepts_extint(bench_lapic(bench, 0)));
	assert_false(lapic_accepts_extint(bench_lapic(bench, 1)));
}

/* ---- the window ---- */

static void registers_keep_their_writable_bits(void **state)
{
	static const struct {
		uint32_t reg, ones, zeros;
	} rows[] = {
		{ LAPIC_ID, 0xff000000, 0 },
		{ LAPIC_VERSION, 0x50014, 0x50014 },
		{ LAPIC_TPR, 0xff, 0 },
		{ LAPIC_APR, 0, 0 },
		{ LAPIC_PPR, 0, 0 },
		{ LAPIC_RRD, 0, 0 },
		{ LAPIC_LDR, 0xff000000, 0 },
		{ LAPIC_DFR, 0xffffffff, 0x0fffffff },
		{ LAPIC_ICR2, 0xff000000, 0 },
		{ LAPIC_LVT_TIMER, 0x700ff, 0 },
		{ LAPIC_LVT_THERMAL, 0x107ff, 0 },
		{ LAPIC_LVT_PERFORMANCE, 0x107ff, 0 },
		{ LAPIC_LVT_LINT0, 0x1a7ff, 0 },
		{ LAPIC_LVT_LINT1, 0x1a7ff, 0 },
		{ LAPIC_LVT_ERROR, 0x100ff, 0 },
		{ LAPIC_CURRENT_COUNT, 0, 0 },
		{ LAPIC_DIVIDE, 0xb, 0 },
		{ LAPIC_EOI, 0, 0 },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* What PPR reads follows from TPR. */
		bench_write(bench, 0, LAPIC_TPR, 0);
		bench_write(bench, 0, rows[i].reg, UINT32_MAX);
		assert_int_equal(bench_read(bench, 0, rows[i].reg), rows[i].ones);
		bench_write(bench, 0, rows[i].reg, 0);
		assert_int_equal(bench_read(bench, 0, rows[i].reg), rows[i].zeros);
	}
	bench_write(bench, 0, LAPIC_SVR, UINT32_MAX);
	assert_int_equal(bench_read(bench, 0, LAPIC_SVR), 0x3ff);
}

static void icr_keeps_its_bits_and_is_never_busy(void **state)
{
	struct bench *bench = *state;

	/* reserved mode, to self: goes nowhere */
	bench_write(bench, 0, LAPIC_ICR, 0xfff7f3ff);
	assert_int_equal(bench_read(bench, 0, LAPIC_ICR), 0x4c3ff);
}

static void reads_of_any_size_and_place_are_defined(void **state)
{
	struct bench *bench = *state;

	bench_write(bench, 0, LAPIC_INITIAL_COUNT, 0x12345678);
	assert_int_equal(mmio(bench, 0x380, 1), 0x78);
	assert_int_equal(mmio(bench, 0x381, 1), 0x56);
	assert_int_equal(mmio(bench, 0x383, 1), 0x12);
	assert_int_equal(mmio(bench, 0x380, 2), 0x5678);
	assert_int_equal(mmio(bench, 0x381, 2), 0x3456);
	assert_int_equal(mmio(bench, 0x383, 2), 0x12);
	assert_int_equal(mmio(bench, 0x382, 4), 0x1234);
	assert_int_equal(mmio(bench, 0x380, 8), 0x12345678);
	assert_int_equal(mmio(bench, 0x384, 4), 0);
	assert_int_equal(mmio(bench, 0x38f, 8), 0);
}

static void writes_of_other_sizes_and_places_are_dropped(void **state)
{
	struct bench *bench = *state;

	mmio_write(bench, 0x80, 4, 0x30);
	mmio_write(bench, 0x80, 1, 0x40);
	mmio_write(bench, 0x80, 2, 0x40);
	mmio_write(bench, 0x80, 8, 0x40);
	mmio_write(bench, 0x81, 4, 0x40);
	mmio_write(bench, 0x84, 4, 0x40);
	mmio_write(bench, 0x8c, 4, 0x40);
	assert_int_equal(mmio(bench, 0x80, 4), 0x30);
}

static uint32_t errors(struct bench *bench, uint32_t id)
{
	bench_write(bench, id, LAPIC_ESR, 0);
	return bench_read(bench, id, LAPIC_ESR);
}

static void reserved_registers_are_noted_as_errors(void **state)
{
	static const uint32_t reserved[] = { 0x00,  0x10,  0x40,  0x70,	 0x290, 0x2e0, 0x2f0,
					     0x3a0, 0x3d0, 0x3f0, 0x400, 0x500, 0xff0 };
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		assert_int_equal(mmio(bench, reserved[i], 4), 0);
		assert_int_equal(errors(bench, 0), 0x80);
		mmio_write(bench, reserved[i], 4, 0);
		assert_int_equal(errors(bench, 0), 0x80);
	}
}

static void read_only_and_write_only_registers_are_no_errors(void **state)
{
	struct bench *bench = *state;

	mmio_write(bench, 0x20 * 16, 4, 1);
	mmio_write(bench, LAPIC_VERSION * 16, 4, 1);
	mmio_write(bench, LAPIC_CURRENT_COUNT * 16, 4, 1);
	assert_int_equal(mmio(bench, LAPIC_EOI * 16, 4), 0);
	assert_int_equal(errors(bench, 0), 0);
}

static void cmci_is_there_with_the_feature_only(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(mmio(bench, 0x2f0, 4), 0);
	lapic_set_features(bench_lapic(bench, 0), BENCH_FEATURES | LAPIC_HAS_CMCI, 40);
	assert_int_equal(mmio(bench, 0x2f0, 4), 0x10000);
	assert_int_equal(bench_read(bench, 0, LAPIC_VERSION), 0x60014);
}

static void the_x2apic_registers_are_no_msrs_in_xapic_mode(void **state)
{
	struct bench *bench = *state;
	uint64_t value;

	assert_int_equal(lapic_msr_read(bench_lapic(bench, 0), 0x802, 0, &value), LAPIC_FAULT);
	assert_int_equal(lapic_msr_write(bench_lapic(bench, 0), 0x808, 0, 0), LAPIC_FAULT);
}

/* ---- MSRs ---- */

static void only_the_registers_of_x2apic_can_be_read(void **state)
{
	static const uint8_t readable[] = { 0x02, 0x03, 0x08, 0x0a, 0x0d, 0x0f, 0x10, 0x11, 0x12,
					    0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
					    0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24,
					    0x25, 0x26, 0x27, 0x28, 0x30, 0x32, 0x33, 0x34, 0x35,
					    0x36, 0x37, 0x38, 0x39, 0x3e };
	struct bench *bench = *state;

	for (uint32_t reg = 0; reg < LAPIC_MSR_END - LAPIC_MSR_BASE; reg++) {
		bool expected = reg && memchr(readable, (int)reg, sizeof(readable));

		assert_int_equal(rdmsr(bench, reg), expected ? LAPIC_DONE : LAPIC_FAULT);
	}
}

static void only_the_registers_of_x2apic_can_be_written(void **state)
{
	static const uint8_t writable[] = { 0x08, 0x0b, 0x0f, 0x28, 0x30, 0x32, 0x33,
					    0x34, 0x35, 0x36, 0x37, 0x38, 0x3e, 0x3f };
	struct bench *bench = *state;

	for (uint32_t reg = 0; reg < LAPIC_MSR_END - LAPIC_MSR_BASE; reg++) {
		bool expected = reg && memchr(writable, (int)reg, sizeof(writable));

		assert_int_equal(wrmsr(bench, reg, 0), expected ? LAPIC_DONE : LAPIC_FAULT);
	}
}

static void reserved_bits_of_msrs_fault_one_by_one(void **state)
{
	static const struct {
		uint32_t reg;
		uint64_t accepted;
	} rows[] = {
		{ LAPIC_TPR, 0xff },
		{ LAPIC_EOI, 0 },
		{ LAPIC_SVR, 0x3ff },
		{ LAPIC_ESR, 0 },
		{ LAPIC_ICR, 0xffffffff000cdfff },
		{ LAPIC_LVT_TIMER, 0x710ff },
		{ LAPIC_LVT_THERMAL, 0x117ff },
		{ LAPIC_LVT_PERFORMANCE, 0x117ff },
		{ LAPIC_LVT_LINT0, 0x1f7ff },
		{ LAPIC_LVT_LINT1, 0x1f7ff },
		{ LAPIC_LVT_ERROR, 0x110ff },
		{ LAPIC_INITIAL_COUNT, 0xffffffff },
		{ LAPIC_DIVIDE, 0xb },
		{ LAPIC_SELF_IPI, 0xff },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (uint32_t bit = 0; bit < 64; bit++)
			assert_int_equal(wrmsr(bench, rows[i].reg, UINT64_C(1) << bit),
					 rows[i].accepted >> bit & 1 ? LAPIC_DONE : LAPIC_FAULT);
}

static void icr_is_one_register_of_64_bits(void **state)
{
	struct bench *bench = *state;
	uint64_t value = 0;

	assert_int_equal(wrmsr(bench, LAPIC_ICR, 0x1234567800000440), LAPIC_DONE);
	assert_int_equal(lapic_msr_read(bench_lapic(bench, 0), 0x830, 0, &value), LAPIC_DONE);
	assert_int_equal(value, 0x1234567800000440);
}

static void ids_of_x2apic_are_the_vcpus(void **state UNUSED)
{
	struct bench bench;

	bench_start(&bench, 40);
	bench_enter_x2apic_all(&bench);
	for (uint32_t id = 0; id < 40; id++) {
		assert_int_equal(bench_read(&bench, id, LAPIC_ID), id);
		assert_int_equal(bench_read(&bench, id, LAPIC_LDR), id / 16 << 16 | 1u << id % 16);
	}
}

/* ---- EOI suppression, SVR ---- */

static void eoi_suppression_is_offered_and_heeded_apart(void **state)
{
	static const struct {
		uint32_t features, svr;
		enum lapic_result result;
	} rows[] = {
		{ 0, 0x1ff, LAPIC_EOI_BROADCAST | 0x50 },
		{ LAPIC_OFFERS_EOI_SUPPRESSION, 0x11ff, LAPIC_EOI_BROADCAST | 0x50 },
		{ LAPIC_OFFERS_EOI_SUPPRESSION | LAPIC_HEEDS_EOI_SUPPRESSION, 0x11ff, LAPIC_DONE },
	};
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		lapic_set_features(lapic, rows[i].features, 40);
		assert_int_equal(bench_read(bench, 0, LAPIC_VERSION),
				 rows[i].features ? 0x1050014 : 0x50014);
		bench_write(bench, 0, LAPIC_SVR, 0x11ff);
		assert_int_equal(bench_read(bench, 0, LAPIC_SVR), rows[i].svr);
		lapic_accept(lapic, 0x50, true);
		assert_int_equal(lapic_acknowledge(lapic), 0x50);
		assert_int_equal(bench_write(bench, 0, LAPIC_EOI, 0), rows[i].result);
	}
}

static void switching_off_masks_the_lvts_and_keeps_them_so(void **state)
{
	struct bench *bench = *state;

	for (uint32_t reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg++)
		bench_write(bench, 0, reg, 0x40);
	bench_write(bench, 0, LAPIC_SVR, 0xff);
	for (uint32_t reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg++) {
		assert_int_equal(bench_read(bench, 0, reg), 0x10040);
		bench_write(bench, 0, reg, 0x41);
		assert_int_equal(bench_read(bench, 0, reg), 0x10041);
	}
	bench_write(bench, 0, LAPIC_SVR, 0x1ff);
	assert_int_equal(bench_read(bench, 0, LAPIC_LVT_TIMER), 0x10041);
	bench_write(bench, 0, LAPIC_LVT_TIMER, 0x41);
	assert_int_equal(bench_read(bench, 0, LAPIC_LVT_TIMER), 0x41);
}

static void switched_off_what_is_pending_still_arrives(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	lapic_accept(lapic, 0x50, false);
	bench_write(bench, 0, LAPIC_SVR, 0xff);
	assert_int_equal(lapic_acknowledge(lapic), 0x50);
}

/* ---- ESR ---- */

static void esr_shows_errors_once_written(void **state)
{
	struct bench *bench = *state;

	mmio(bench, 0x00, 4);
	assert_int_equal(bench_read(bench, 0, LAPIC_ESR), 0);
	bench_write(bench, 0, LAPIC_ESR, 0);
	assert_int_equal(bench_read(bench, 0, LAPIC_ESR), 0x80);
	assert_int_equal(bench_read(bench, 0, LAPIC_ESR), 0x80);
	bench_write(bench, 0, LAPIC_ESR, 0);
	assert_int_equal(bench_read(bench, 0, LAPIC_ESR), 0);
}

static void an_error_interrupts_once_until_esr_is_written(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	bench_write(bench, 0, LAPIC_LVT_ERROR, 0xfe);
	mmio(bench, 0x00, 4);
	assert_int_equal(lapic_acknowledge(lapic), 0xfe);
	lapic_eoi(lapic);
	mmio(bench, 0x00, 4);
	assert_int_equal(lapic_pending(lapic), -1);
	bench_write(bench, 0, LAPIC_ESR, 0);
	mmio(bench, 0x00, 4);
	assert_int_equal(lapic_acknowledge(lapic), 0xfe);
}

static void sending_an_illegal_vector_is_an_error(void **state)
{
	struct bench *bench = *state;

	bench_ipi(bench, 0, 0x0000f, 1);
	assert_int_equal(errors(bench, 0), 0x20);
	bench_ipi(bench, 0, 0x4010f, 0);
	assert_int_equal(errors(bench, 0), 0x20);
	assert_int_equal(errors(bench, 1), 0);
	bench_ipi(bench, 0, 0x00400, 1); /* NMI has no vector */
	assert_int_equal(errors(bench, 0), 0);
}

static void a_self_ipi_with_an_illegal_vector_is_an_error(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(wrmsr(bench, LAPIC_SELF_IPI, 0x0f), LAPIC_DONE);
	assert_int_equal(errors(bench, 0), 0x20);
}

static void receiving_an_illegal_vector_is_an_error(void **state)
{
	struct bench *bench = *state;
	struct apic_message message;

	bench_write(bench, 0, LAPIC_LVT_ERROR, 0xfe);
	assert_int_equal(apic_message_from_msi(0xfee00000, 0x0f, 0, &message), 0);
	assert_int_equal(apic_deliver(&bench->map, &message), 1);
	assert_int_equal(bench->cpus[0].notified, 1);
	assert_int_equal(lapic_acknowledge(bench_lapic(bench, 0)), 0xfe);
	assert_int_equal(errors(bench, 0), 0x40);
}

static void an_lvt_with_an_illegal_vector_is_an_error_when_it_fires(void **state)
{
	struct bench *bench = *state;

	bench_write(bench, 0, LAPIC_LVT_THERMAL, 0x05);
	assert_int_equal(errors(bench, 0), 0);
	lapic_raise(bench_lapic(bench, 0), LAPIC_LVT_THERMAL);
	assert_int_equal(errors(bench, 0), 0x40);
	bench_write(bench, 0, LAPIC_LVT_ERROR, 0x05); /* its own vector too */
	lapic_raise(bench_lapic(bench, 0), LAPIC_LVT_THERMAL);
	assert_int_equal(errors(bench, 0), 0x40);
	assert_int_equal(lapic_pending(bench_lapic(bench, 0)), -1);
}

static void errors_add_up_until_esr_is_written(void **state)
{
	struct bench *bench = *state;

	mmio(bench, 0x00, 4);
	bench_ipi(bench, 0, 0x05, 1);
	lapic_post_error(bench_lapic(bench, 0), 0x40);
	assert_int_equal(errors(bench, 0), 0xe0);
}

static void init_forgets_errors(void **state)
{
	struct bench *bench = *state;

	mmio(bench, 0x00, 4);
	lapic_post_error(bench_lapic(bench, 0), 0x40);
	lapic_reset(bench_lapic(bench, 0), true);
	assert_int_equal(errors(bench, 0), 0);
}

/* ---- local sources ---- */

static void the_first_legal_vector_arrives_and_as_an_edge(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	for (unsigned way = 0; way < 3; way++) {
		lapic_accept(lapic, 0x10, true);
		assert_int_equal(lapic_acknowledge(lapic), 0x10);
		assert_int_equal(lapic_eoi(lapic), LAPIC_EOI_BROADCAST | 0x10);
		if (way == 0) {
			assert_int_equal(wrmsr(bench, LAPIC_SELF_IPI, 0x10), LAPIC_DONE);
		} else if (way == 1) {
			assert_int_equal(wrmsr(bench, LAPIC_ICR, 0x40010), LAPIC_DONE);
		} else {
			bench_write(bench, 0, LAPIC_LVT_THERMAL, 0x10);
			lapic_raise(lapic, LAPIC_LVT_THERMAL);
		}
		assert_int_equal(lapic_acknowledge(lapic), 0x10);
		assert_int_equal(lapic_eoi(lapic), LAPIC_DONE);
	}
	assert_int_equal(errors(bench, 0), 0);
}

static void local_sources_arrive_as_their_lvt_says(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);
	static const enum lapic_lvt sources[] = { LAPIC_LVT_THERMAL, LAPIC_LVT_PERFORMANCE,
						  LAPIC_LVT_LINT0, LAPIC_LVT_LINT1 };

	for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
		bench_write(bench, 0, sources[i], 0x10050);
		lapic_raise(lapic, sources[i]);
		assert_int_equal(lapic_pending(lapic), -1);
		bench_write(bench, 0, sources[i], 0x50);
		lapic_raise(lapic, sources[i]);
		assert_int_equal(lapic_acknowledge(lapic), 0x50);
		lapic_eoi(lapic);
		bench_write(bench, 0, sources[i], 0x450);
		lapic_raise(lapic, sources[i]);
		bench_write(bench, 0, sources[i], 0x550);
		lapic_raise(lapic, sources[i]);
		assert_int_equal(bench->cpus[0].nmis, i + 1);
		assert_int_equal(bench->cpus[0].inits, i + 1);
		bench_write(bench, 0, sources[i], 0x750); /* ExtINT */
		lapic_raise(lapic, sources[i]);
		assert_int_equal(lapic_pending(lapic), -1);
	}
}

static void the_pic_gets_through_an_open_lint0_or_no_apic(void **state)
{
	struct bench *bench = *state;
	struct lapic *lapic = bench_lapic(bench, 0);

	assert_false(lapic_accepts_extint(lapic));
	bench_write(bench, 0, LAPIC_LVT_LINT0, 0x700);
	assert_true(lapic_accepts_extint(lapic));
	bench_write(bench, 0, LAPIC_LVT_LINT0, 0x10700);
	assert_false(lapic_accepts_extint(lapic));
	bench_write(bench, 0, LAPIC_LVT_LINT0, 0x030);
	assert_false(lapic_accepts_extint(lapic));
	assert_int_equal(lapic_set_base(lapic, 0xfee00100, false), LAPIC_BASE_MOVED);
	assert_true(lapic_accepts_extint(lapic));
}

#define xapic_test(test)  cmocka_unit_test_setup_teardown(test, start_xapic, stop)
#define x2apic_test(test) cmocka_unit_test_setup_teardown(test, start_x2apic, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		xapic_test(reset_leaves_what_the_manual_says),
		xapic_test(init_resets_all_but_the_id),
		x2apic_test(init_stays_in_x2apic_mode_and_reset_leaves_it),
		xapic_test(reset_opens_lint0_of_the_bsp_if_asked_to),
		xapic_test(registers_keep_their_writable_bits),
		xapic_test(icr_keeps_its_bits_and_is_never_busy),
		xapic_test(reads_of_any_size_and_place_are_defined),
		xapic_test(writes_of_other_sizes_and_places_are_dropped),
		xapic_test(reserved_registers_are_noted_as_errors),
		xapic_test(read_only_and_write_only_registers_are_no_errors),
		xapic_test(cmci_is_there_with_the_feature_only),
		xapic_test(the_x2apic_registers_are_no_msrs_in_xapic_mode),
		x2apic_test(only_the_registers_of_x2apic_can_be_read),
		x2apic_test(only_the_registers_of_x2apic_can_be_written),
		x2apic_test(reserved_bits_of_msrs_fault_one_by_one),
		x2apic_test(icr_is_one_register_of_64_bits),
		cmocka_unit_test(ids_of_x2apic_are_the_vcpus),
		xapic_test(eoi_suppression_is_offered_and_heeded_apart),
		xapic_test(switching_off_masks_the_lvts_and_keeps_them_so),
		xapic_test(switched_off_what_is_pending_still_arrives),
		xapic_test(esr_shows_errors_once_written),
		xapic_test(an_error_interrupts_once_until_esr_is_written),
		xapic_test(sending_an_illegal_vector_is_an_error),
		x2apic_test(a_self_ipi_with_an_illegal_vector_is_an_error),
		xapic_test(receiving_an_illegal_vector_is_an_error),
		xapic_test(an_lvt_with_an_illegal_vector_is_an_error_when_it_fires),
		xapic_test(errors_add_up_until_esr_is_written),
		xapic_test(init_forgets_errors),
		x2apic_test(the_first_legal_vector_arrives_and_as_an_edge),
		xapic_test(local_sources_arrive_as_their_lvt_says),
		xapic_test(the_pic_gets_through_an_open_lint0_or_no_apic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
