/*
 * A guest with four vCPUs does anything to its APICs, devices send anything, ring 3 loads any page, and the
 * host's timers are as late as they like. What must hold: what is in service nests by class, nothing
 * illegal is ever taken, timers never go off more often than their floor, and they are armed for what they count.
 */
#include "tests/support/fuzz_script.h"
#include "tests/support/lapic_bench.h"

enum { CPUS = 4, PAGE_BYTES = sizeof(struct kvm_lapic_state) };

/* Far from both ends of time: a test that runs for centuries starts over. */
#define TIME_END (UINT64_C(1) << 62)

struct world {
	struct bench bench;
	bool is_nesting[CPUS]; /* no page was loaded that says what is in service */
};

static void check_result(enum lapic_result result)
{
	fuzz_claim(result == LAPIC_DONE || result == LAPIC_FAULT ||
		   (result >= (LAPIC_EOI_BROADCAST | 16) && result < 2 * LAPIC_EOI_BROADCAST));
}

static void access_register(struct fuzz_script *script, struct world *world, uint32_t id)
{
	struct lapic *lapic = bench_lapic(&world->bench, id);
	uint64_t now_ns = world->bench.now_ns;
	uint32_t reg = (uint32_t)fuzz_take(script, 1) & 0x3f;
	uint64_t value;

	switch (fuzz_take(script, 1) % 4) {
	case 0:
		if (lapic_has_window(lapic))
			(void)lapic_mmio_read(lapic, reg * 16, 4, now_ns);
		check_result(lapic_msr_read(lapic, LAPIC_MSR_BASE + reg, now_ns, &value));
		break;
	case 1: /* any size at any place */
		if (lapic_has_window(lapic)) {
			uint32_t offset = (uint32_t)fuzz_take(script, 2) % (LAPIC_WINDOW_BYTES - 8);

			(void)lapic_mmio_read(lapic, offset, 1 + reg % 8, now_ns);
			check_result(lapic_mmio_write(lapic, offset, 1 + reg % 8,
						      fuzz_take(script, 8), now_ns));
		}
		break;
	default:
		value = fuzz_take(script, reg == LAPIC_ICR ? 8 : 4);
		check_result(bench_write64(&world->bench, id, reg, value));
	}
}

static void send_msi(struct fuzz_script *script, struct world *world)
{
	struct apic_message message;
	uint64_t address = fuzz_take(script, 8);
	uint32_t data = (uint32_t)fuzz_take(script, 2);
	int accepted;

	apic_map_set_api_flags(&world->bench.map, data & 3);
	if (apic_message_from_msi(address, data >> 2, data & 3, &message))
		return;
	accepted = apic_deliver(&world->bench.map, &message);
	fuzz_claim(accepted >= -1 && accepted <= CPUS);
}

static void advance(struct fuzz_script *script, struct world *world)
{
	uint64_t step = fuzz_take(script, 3);
	uint64_t start_ns = world->bench.now_ns;

	for (uint32_t id = 0; id < CPUS; id++) {
		world->bench.now_ns = start_ns;
		fuzz_claim(bench_advance(&world->bench, id, step) <=
			   step / LAPIC_MIN_PERIOD_NS + 2);
	}
}

/* The host comes late, by up to years. */
static void come_late(struct fuzz_script *script, struct world *world)
{
	world->bench.now_ns += fuzz_take(script, 8) >> 8;
	if (world->bench.now_ns > TIME_END)
		world->bench.now_ns = TIME_END;
	for (uint32_t id = 0; id < CPUS; id++)
		(void)bench_advance(&world->bench, id, 0);
}

static void load_page(struct fuzz_script *script, struct world *world, uint32_t id)
{
	struct lapic *lapic = bench_lapic(&world->bench, id);
	struct kvm_lapic_state page, again;

	lapic_get_state(lapic, world->bench.now_ns, &page);
	for (uint32_t n = (uint32_t)fuzz_take(script, 1) % 32; n; n--) {
		uint32_t word = (uint32_t)fuzz_take(script, 1) * 4;
		uint32_t value = (uint32_t)fuzz_take(script, 4);

		memcpy(page.regs + word % PAGE_BYTES, &value, sizeof(value));
		memcpy(page.regs + word * 4 % PAGE_BYTES, &value, sizeof(value));
	}
	if (lapic_set_state(lapic, &page, world->bench.now_ns))
		return;
	world->is_nesting[id] = false;
	lapic_get_state(lapic, world->bench.now_ns, &page);
	fuzz_claim(!lapic_set_state(lapic, &page, world->bench.now_ns));
	lapic_get_state(lapic, world->bench.now_ns, &again);
	fuzz_claim(!memcmp(&page, &again, sizeof(page)));
}

static void run_vcpu(struct fuzz_script *script, struct world *world, uint32_t id)
{
	struct lapic *lapic = bench_lapic(&world->bench, id);
	int pending = lapic_pending(lapic);
	uint8_t threshold = lapic_tpr_threshold(lapic);
	uint8_t ppr = lapic_priority(lapic);

	fuzz_claim(pending == -1 || (pending >= 16 && pending >> 4 > ppr >> 4));
	fuzz_claim(threshold <= lapic_cr8(lapic));
	(void)lapic_eoi_may_be_skipped(lapic);
	(void)lapic_accepts_extint(lapic);
	switch (fuzz_take(script, 1) % 4) {
	case 0:
		lapic_set_cr8(lapic, (uint8_t)fuzz_take(script, 1));
		break;
	case 1:
		check_result(lapic_eoi(lapic));
		break;
	default:
		fuzz_claim(lapic_acknowledge(lapic) == pending);
		fuzz_claim(pending < 0 || vectors_highest(&lapic->isr) == pending);
	}
}

static void change_mode(struct fuzz_script *script, struct world *world, uint32_t id)
{
	struct lapic *lapic = bench_lapic(&world->bench, id);
	uint64_t how = fuzz_take(script, 1);

	switch (how % 4) {
	case 0:
		lapic_reset(lapic, how & 4);
		break;
	case 1:
		(void)!lapic_set_base(lapic, fuzz_take(script, 5), how & 4);
		break;
	case 2:
		(void)!lapic_set_base(lapic, LAPIC_BASE_DEFAULT | (how & 0xc) << 8, how & 0x10);
		break;
	default:
		lapic_set_features(lapic, (uint32_t)(how >> 2), 40);
		break;
	}
}

static void check_nesting(const struct world *world, uint32_t id)
{
	struct apic_vectors isr = bench_lapic((struct bench *)&world->bench, id)->isr;
	int last_class = 16;

	for (int vector = vectors_highest(&isr); vector >= 0; vector = vectors_highest(&isr)) {
		fuzz_claim(vector >= 16);
		fuzz_claim(!world->is_nesting[id] || vector >> 4 < last_class);
		last_class = vector >> 4;
		vectors_remove(&isr, (uint8_t)vector);
	}
}

static void check_timer(struct bench *bench, uint32_t id)
{
	const struct bench_cpu *cpu = &bench->cpus[id];
	const struct lapic *lapic = &cpu->lapic;
	uint32_t lvt = lapic->regs[LAPIC_LVT_TIMER];
	bool counts = lapic->timer_deadline_ns && !(lvt & LVT_MASKED);
	/* What was served before the host reported it may stay armed: it is over. */
	bool is_over = !cpu->is_tsc && cpu->deadline <= bench->now_ns;

	if (lapic->tsc_deadline)
		fuzz_claim(cpu->is_armed && cpu->is_tsc && cpu->deadline == lapic->tsc_deadline);
	else if (counts)
		fuzz_claim(cpu->is_armed && !cpu->is_tsc &&
			   cpu->deadline == lapic->timer_deadline_ns);
	else
		fuzz_claim(!cpu->is_armed || is_over);
	fuzz_claim(lapic_timer_count(lapic, bench->now_ns) <= lapic->regs[LAPIC_INITIAL_COUNT]);
}

static void step(struct fuzz_script *script, struct world *world)
{
	uint32_t id = (uint32_t)fuzz_take(script, 1) % CPUS;
	struct lapic *lapic = bench_lapic(&world->bench, id);
	uint64_t low, high;

	switch (fuzz_take(script, 1) % 11) {
	case 0:
		send_msi(script, world);
		break;
	case 1:
		advance(script, world);
		break;
	case 2:
		come_late(script, world);
		break;
	case 3:
		load_page(script, world, id);
		break;
	case 4:
		change_mode(script, world, id);
		break;
	case 5:
		lapic_set_tsc_deadline(lapic, fuzz_take(script, 8));
		break;
	case 6:
		low = fuzz_take(script, 8);
		high = fuzz_take(script, 8);
		fuzz_claim(apic_deliver_many(&world->bench.map, low, high, high & 1 ? 32 : 64, id,
					     fuzz_take(script, 4)) <= CPUS);
		break;
	case 7: /* the guest's TSC gets to its deadline */
		if (!world->bench.cpus[id].is_tsc)
			break;
		bench_cancel(&world->bench.cpus[id]);
		lapic_timer_expired(lapic, world->bench.now_ns);
		break;
	case 8:
		run_vcpu(script, world, id);
		break;
	default:
		access_register(script, world, id);
	}
	check_nesting(world, id);
	check_timer(&world->bench, id);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct world world;
	struct fuzz_script script = { bytes, n };

	bench_start(&world.bench, CPUS);
	for (uint32_t id = 0; id < CPUS; id++)
		world.is_nesting[id] = true;
	while (fuzz_has_more(&script))
		step(&script, &world);
	return 0;
}
