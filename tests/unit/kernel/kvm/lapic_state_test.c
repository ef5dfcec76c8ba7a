/*
 * KVM_GET_LAPIC and KVM_SET_LAPIC: what is saved comes back, and pages that nobody saved do no harm.
 */
#include <errno.h>

#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

enum { PERIODIC = 0x20000, TSC = 0x40000, MASKED = 0x10000 };

/* Two of them: one to save from, one to load into, whose ids are the same. */
struct pair {
	struct bench from, to;
};

static int start(void **state)
{
	struct pair *pair = malloc(sizeof(*pair));

	bench_start(&pair->from, 3);
	bench_start(&pair->to, 3);
	bench_enable_all(&pair->from);
	*state = pair;
	return 0;
}

static int stop(void **state)
{
	free(*state);
	return 0;
}

static uint32_t field(const struct kvm_lapic_state *page, uint32_t reg)
{
	uint32_t value;

	memcpy(&value, page->regs + reg * 16, sizeof(value));
	return value;
}

static void set_field(struct kvm_lapic_state *page, uint32_t reg, uint32_t value)
{
	memcpy(page->regs + reg * 16, &value, sizeof(value));
}

static struct kvm_lapic_state get(struct bench *bench, uint32_t id)
{
	struct kvm_lapic_state page;

	memset(&page, 0xcc, sizeof(page));
	lapic_get_state(bench_lapic(bench, id), bench->now_ns, &page);
	return page;
}

static int set(struct bench *bench, uint32_t id, const struct kvm_lapic_state *page)
{
	return lapic_set_state(bench_lapic(bench, id), page, bench->now_ns);
}

/* The page of @id goes from one to the other, which then gives the same. */
static void move(struct pair *pair, uint32_t id)
{
	struct kvm_lapic_state page = get(&pair->from, id);
	struct kvm_lapic_state again;

	assert_int_equal(lapic_set_base(bench_lapic(&pair->to, id),
					bench_lapic(&pair->from, id)->base,
					true) == LAPIC_BASE_REFUSED,
			 false);
	assert_int_equal(set(&pair->to, id, &page), 0);
	again = get(&pair->to, id);
	assert_memory_equal(&page, &again, sizeof(page));
}

static void program(struct bench *bench, uint32_t id)
{
	struct lapic *lapic = bench_lapic(bench, id);

	bench_write(bench, id, LAPIC_LVT_LINT0, 0x8700);
	bench_write(bench, id, LAPIC_LVT_LINT1, 0x400);
	bench_write(bench, id, LAPIC_LVT_ERROR, 0xfe);
	bench_write(bench, id, LAPIC_TPR, 0x23);
	bench_write(bench, id, LAPIC_DIVIDE, 0xa);
	bench_ipi(bench, id, 0x00440, 0x2);
	lapic_post(lapic, 0x45, true);
	lapic_acknowledge(lapic);
	lapic_post(lapic, 0x91, false);
	lapic_acknowledge(lapic);
	lapic_post(lapic, 0x30, true);
	lapic_post(lapic, 0xef, false);
	bench_write(bench, id, LAPIC_ESR, 0);
}

static void an_xapic_comes_back_as_it_was(void **state)
{
	struct pair *pair = *state;

	bench_write(&pair->from, 2, LAPIC_LDR, 0x04000000);
	bench_write(&pair->from, 2, LAPIC_DFR, 0);
	bench_write(&pair->from, 2, LAPIC_ID, 0x55000000);
	program(&pair->from, 2);
	move(pair, 2);
	assert_int_equal(pair->to.cpus[2].lapic.address, pair->from.cpus[2].lapic.address);
	assert_int_equal(lapic_acknowledge(bench_lapic(&pair->to, 2)), 0xef);
}

static void an_x2apic_comes_back_as_it_was(void **state)
{
	struct pair *pair = *state;

	bench_enter_x2apic(&pair->from, 2);
	program(&pair->from, 2);
	bench_ipi(&pair->from, 2, 0x00440, 0x12345678);
	move(pair, 2);
	assert_int_equal(bench_read(&pair->to, 2, LAPIC_ID), 2);
	assert_int_equal(pair->to.cpus[2].lapic.regs[LAPIC_ICR2], 0x12345678);
}

static void posted_interrupts_are_saved_as_requested(void **state)
{
	struct pair *pair = *state;
	struct kvm_lapic_state page;

	lapic_post(bench_lapic(&pair->from, 0), 0x82, true);
	page = get(&pair->from, 0);
	assert_int_equal(field(&page, LAPIC_IRR + 4), 4);
	assert_int_equal(field(&page, LAPIC_TMR + 4), 4);
}

static void there_is_nothing_between_the_registers(void **state)
{
	struct pair *pair = *state;
	struct kvm_lapic_state page = get(&pair->from, 0);

	for (size_t i = 0; i < sizeof(page); i++)
		assert_true(i % 16 < 4 || !page.regs[i]);
}

static void loading_drops_what_was_there(void **state)
{
	struct pair *pair = *state;
	struct kvm_lapic_state page = get(&pair->from, 0);
	struct lapic *lapic = bench_lapic(&pair->to, 0);

	lapic_accept(lapic, 0x90, true);
	lapic_acknowledge(lapic);
	lapic_post(lapic, 0x91, true);
	assert_int_equal(set(&pair->to, 0, &page), 0);
	assert_int_equal(lapic_pending(lapic), -1);
	assert_int_equal(lapic_eoi(lapic), LAPIC_DONE);
	assert_true(vectors_are_empty(&lapic->tmr));
}

static void the_id_is_where_the_vm_wants_it(void **state)
{
	struct pair *pair = *state;
	struct bench *bench = &pair->from;
	struct kvm_lapic_state page = get(bench, 2);

	assert_int_equal(field(&page, LAPIC_ID), 0x02000000);
	bench_enter_x2apic(bench, 2);
	page = get(bench, 2);
	assert_int_equal(field(&page, LAPIC_ID), 0x02000000);
	assert_int_equal(set(bench, 2, &page), 0);
	apic_map_set_api_flags(&bench->map, KVM_X2APIC_API_USE_32BIT_IDS);
	assert_int_equal(set(bench, 2, &page), -EINVAL);
	page = get(bench, 2);
	assert_int_equal(field(&page, LAPIC_ID), 2);
	assert_int_equal(set(bench, 2, &page), 0);
	page = get(bench, 1); /* still in xAPIC mode */
	assert_int_equal(field(&page, LAPIC_ID), 0x01000000);
}

static void a_refused_page_changes_nothing(void **state)
{
	struct pair *pair = *state;
	struct bench *bench = &pair->from;
	struct kvm_lapic_state page, before, after;

	apic_map_set_api_flags(&bench->map, KVM_X2APIC_API_USE_32BIT_IDS);
	bench_enter_x2apic(bench, 2);
	program(bench, 2);
	before = get(bench, 2);
	memset(&page, 0xff, sizeof(page));
	assert_int_equal(set(bench, 2, &page), -EINVAL);
	after = get(bench, 2);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void a_running_count_goes_on(void **state)
{
	struct pair *pair = *state;

	bench_write(&pair->from, 0, LAPIC_LVT_TIMER, 0x40 | PERIODIC);
	bench_write(&pair->from, 0, LAPIC_DIVIDE, 0xa);
	bench_write(&pair->from, 0, LAPIC_INITIAL_COUNT, 10000);
	bench_advance(&pair->from, 0, 128 * 9000 + 17);
	pair->to.now_ns = 5000000000; /* another host */
	move(pair, 0);
	assert_int_equal(bench_read(&pair->to, 0, LAPIC_CURRENT_COUNT), 1000);
	assert_int_equal(pair->to.cpus[0].deadline, 5000000000 + 128 * 1000);
}

static void an_interrupt_that_is_due_is_saved_with_the_page(void **state)
{
	struct pair *pair = *state;
	struct kvm_lapic_state page;

	bench_write(&pair->from, 0, LAPIC_LVT_TIMER, 0x40);
	bench_write(&pair->from, 0, LAPIC_DIVIDE, 0xb);
	bench_write(&pair->from, 0, LAPIC_INITIAL_COUNT, 10000);
	pair->from.now_ns += 10000;
	page = get(&pair->from, 0);
	assert_int_equal(field(&page, LAPIC_IRR + 2), 1);
	assert_int_equal(field(&page, LAPIC_CURRENT_COUNT), 0);
}

/* What each count on a page starts, in nanoseconds; 0: nothing. */
static uint64_t started(struct bench *bench, uint32_t lvt, uint32_t initial, uint32_t current)
{
	struct kvm_lapic_state page = get(bench, 1);

	set_field(&page, LAPIC_SVR, 0x1ff);
	set_field(&page, LAPIC_LVT_TIMER, lvt);
	set_field(&page, LAPIC_DIVIDE, 0xb);
	set_field(&page, LAPIC_INITIAL_COUNT, initial);
	set_field(&page, LAPIC_CURRENT_COUNT, current);
	assert_int_equal(set(bench, 1, &page), 0);
	return bench->cpus[1].is_armed ? bench->cpus[1].deadline - bench->now_ns + 1 : 0;
}

static void a_count_starts_from_what_the_page_says(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(started(&pair->to, 0x40, 5000, 3000), 3001);
	assert_int_equal(started(&pair->to, 0x40, 5000, 9000), 5001);
	assert_int_equal(started(&pair->to, 0x40, 5000, 0), 1); /* at once */
	assert_int_equal(started(&pair->to, 0x40, 0, 3000), 0);
	assert_int_equal(started(&pair->to, 0x40 | PERIODIC, 5000, 0), 5001);
	assert_int_equal(started(&pair->to, 0x40 | PERIODIC, 5000, 3000), 3001);
	assert_int_equal(started(&pair->to, 0x40 | PERIODIC | MASKED, 5000, 3000), 0);
	assert_int_equal(started(&pair->to, 0x40 | TSC, 5000, 3000), 0);
}

static void a_one_shot_that_linux_saved_at_0_goes_off(void **state)
{
	struct pair *pair = *state;

	started(&pair->to, 0x40, 5000, 0);
	assert_int_equal(bench_advance(&pair->to, 1, 1), 1);
	assert_int_equal(lapic_acknowledge(bench_lapic(&pair->to, 1)), 0x40);
	assert_int_equal(bench_advance(&pair->to, 1, 1000000), 0);
}

static void a_tsc_deadline_survives_in_its_mode_only(void **state)
{
	struct pair *pair = *state;
	struct lapic *lapic = bench_lapic(&pair->to, 1);

	started(&pair->to, 0x40 | TSC, 0, 0);
	lapic_set_tsc_deadline(lapic, 1234);
	started(&pair->to, 0x40 | TSC, 0, 0);
	assert_int_equal(lapic_tsc_deadline(lapic), 1234);
	assert_true(pair->to.cpus[1].is_tsc);
	started(&pair->to, 0x40 | PERIODIC | TSC, 0, 0);
	assert_int_equal(lapic_tsc_deadline(lapic), 0);
	assert_false(pair->to.cpus[1].is_armed);
}

static void a_page_of_ones_loads_what_a_guest_could_have_written(void **state)
{
	static const struct {
		uint32_t reg, value;
	} expected[] = {
		{ LAPIC_ID, 0xff000000 },      { LAPIC_VERSION, 0x50014 },
		{ LAPIC_TPR, 0xff },	       { LAPIC_APR, 0 },
		{ LAPIC_PPR, 0xff },	       { LAPIC_RRD, 0 },
		{ LAPIC_LDR, 0xff000000 },     { LAPIC_DFR, 0xffffffff },
		{ LAPIC_SVR, 0x3ff },	       { LAPIC_ISR, 0xffff0000 },
		{ LAPIC_TMR, 0xffff0000 },     { LAPIC_IRR, 0xffff0000 },
		{ LAPIC_ISR + 7, 0xffffffff }, { LAPIC_ESR, 0xef },
		{ LAPIC_ICR, 0xccfff },	       { LAPIC_ICR2, 0xff000000 },
		{ LAPIC_LVT_TIMER, 0x700ff },  { LAPIC_LVT_LINT0, 0x1a7ff },
		{ LAPIC_LVT_CMCI, 0 },	       { LAPIC_DIVIDE, 0xb },
		{ LAPIC_SELF_IPI, 0 },	       { 0x00, 0 },
	};
	struct pair *pair = *state;
	struct kvm_lapic_state page;

	memset(&page, 0xff, sizeof(page));
	assert_int_equal(set(&pair->to, 1, &page), 0);
	page = get(&pair->to, 1);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		if (expected[i].reg == LAPIC_LVT_CMCI)
			continue;
		assert_int_equal(field(&page, expected[i].reg), expected[i].value);
	}
}

static void a_page_that_is_switched_off_has_its_lvts_masked(void **state)
{
	struct pair *pair = *state;
	struct kvm_lapic_state page = get(&pair->from, 1);

	set_field(&page, LAPIC_SVR, 0xff);
	for (uint32_t reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg++)
		set_field(&page, reg, 0x40);
	assert_int_equal(set(&pair->to, 1, &page), 0);
	for (uint32_t reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg++)
		assert_int_equal(bench_read(&pair->to, 1, reg), 0x10040);
}

#define state_test(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		state_test(an_xapic_comes_back_as_it_was),
		state_test(an_x2apic_comes_back_as_it_was),
		state_test(posted_interrupts_are_saved_as_requested),
		state_test(there_is_nothing_between_the_registers),
		state_test(loading_drops_what_was_there),
		state_test(the_id_is_where_the_vm_wants_it),
		state_test(a_refused_page_changes_nothing),
		state_test(a_running_count_goes_on),
		state_test(an_interrupt_that_is_due_is_saved_with_the_page),
		state_test(a_count_starts_from_what_the_page_says),
		state_test(a_one_shot_that_linux_saved_at_0_goes_off),
		state_test(a_tsc_deadline_survives_in_its_mode_only),
		state_test(a_page_of_ones_loads_what_a_guest_could_have_written),
		state_test(a_page_that_is_switched_off_has_its_lvts_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
