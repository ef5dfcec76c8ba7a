/*
 * Random operations on an APIC and on a model of its priorities that is slow and simple: an array of 256
 * requests and a stack of what is in service.
 */
#include "tests/support/cmocka.h"
#include "tests/support/lapic_bench.h"

enum { STEPS = 300000 };

struct model {
	bool is_requested[256], is_level[256];
	uint8_t in_service[16]; /* the last is the latest, and of the highest class */
	uint32_t nr_in_service;
	uint32_t tpr;
};

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(random_state >> 33) % limit;
}

static uint32_t model_ppr(const struct model *model)
{
	uint32_t serving = 0;

	if (model->nr_in_service)
		serving = model->in_service[model->nr_in_service - 1];
	return model->tpr / 16 >= serving / 16 ? model->tpr : serving / 16 * 16;
}

static int model_pending(const struct model *model)
{
	for (int vector = 255; vector >= 16; vector--)
		if (model->is_requested[vector])
			return (uint32_t)vector / 16 > model_ppr(model) / 16 ? vector : -1;
	return -1;
}

static int model_acknowledge(struct model *model)
{
	int vector = model_pending(model);

	if (vector >= 0) {
		model->is_requested[vector] = false;
		model->in_service[model->nr_in_service++] = (uint8_t)vector;
	}
	return vector;
}

static int model_eoi(struct model *model)
{
	uint8_t vector;

	if (!model->nr_in_service)
		return LAPIC_DONE;
	vector = model->in_service[--model->nr_in_service];
	return model->is_level[vector] ? LAPIC_EOI_BROADCAST | vector : LAPIC_DONE;
}

static void request(struct model *model, uint8_t vector, bool is_level)
{
	if (vector < 16)
		return;
	model->is_requested[vector] = true;
	model->is_level[vector] = is_level;
}

static uint32_t model_register(const struct model *model, uint32_t reg)
{
	uint32_t first = (reg & 7) * 32;
	uint32_t value = 0;

	for (uint32_t i = 0; i < 32; i++) {
		bool is_set = reg < LAPIC_IRR ? model->is_level[first + i]
					      : model->is_requested[first + i];

		if (reg < LAPIC_TMR) {
			is_set = false;
			for (uint32_t n = 0; n < model->nr_in_service; n++)
				is_set |= model->in_service[n] == first + i;
		}
		value |= (uint32_t)is_set << i;
	}
	return value;
}

static void step(struct bench *bench, struct model *model)
{
	struct lapic *lapic = bench_lapic(bench, 0);
	uint8_t vector = (uint8_t)random_below(256);
	bool is_level = random_below(2);

	switch (random_below(9)) {
	case 0:
		if (vector < 16)
			break;
		lapic_post(lapic, vector, is_level);
		request(model, vector, is_level);
		break;
	case 1: /* to itself by shorthand: always an edge */
		bench_ipi(bench, 0, 0x40000u | (is_level ? 0x8000 : 0) | vector, 0);
		request(model, vector, false);
		break;
	case 2:
		bench_ipi(bench, 1, vector, 0);
		request(model, vector, false);
		break;
	case 3:
		model->tpr = random_below(2) ? vector : 0;
		bench_write(bench, 0, LAPIC_TPR, model->tpr);
		break;
	case 4:
	case 5:
		assert_int_equal(lapic_acknowledge(lapic), model_acknowledge(model));
		break;
	case 6:
	case 7:
		assert_int_equal(bench_write(bench, 0, LAPIC_EOI, 0), model_eoi(model));
		break;
	default:
		break;
	}
}

static void compare(struct bench *bench, const struct model *model)
{
	uint32_t reg = LAPIC_ISR + random_below(24);

	assert_int_equal(bench_read(bench, 0, LAPIC_PPR), model_ppr(model));
	assert_int_equal(lapic_pending(bench_lapic(bench, 0)), model_pending(model));
	assert_int_equal(bench_read(bench, 0, reg), model_register(model, reg));
}

static void run(bool is_x2apic)
{
	struct model model = { 0 };
	struct bench bench;

	bench_start(&bench, 2);
	bench_enable_all(&bench);
	if (is_x2apic)
		bench_enter_x2apic_all(&bench);
	for (uint32_t i = 0; i < STEPS; i++) {
		step(&bench, &model);
		compare(&bench, &model);
	}
}

static void xapic_behaves_like_the_model(void **state UNUSED)
{
	run(false);
}

static void x2apic_behaves_like_the_model(void **state UNUSED)
{
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xapic_behaves_like_the_model),
		cmocka_unit_test(x2apic_behaves_like_the_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
