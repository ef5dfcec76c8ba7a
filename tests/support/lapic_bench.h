/*
 * A VM's local APICs without vCPUs: what they ask of their surroundings is counted, and their registers are
 * reached as a guest does it.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/lapic.h"
#include "kernel/kvm/lapic_regs.h"

enum { BENCH_CPUS = 40 };

enum { BENCH_FEATURES = LAPIC_HAS_X2APIC | LAPIC_HAS_TSC_DEADLINE, BENCH_PHYS_BITS = 40 };

struct bench_cpu {
	struct lapic lapic;
	unsigned notified, nmis, inits, sipis;
	uint8_t sipi_vector;
	bool is_armed, is_tsc;
	uint64_t deadline; /* ns or TSC */
	unsigned arms;
};

struct bench {
	struct apic_map map;
	struct lapic *slots[BENCH_CPUS];
	struct bench_cpu cpus[BENCH_CPUS];
	uint32_t nr_cpus;
	uint64_t now_ns;
};

static inline void bench_notify(void *context)
{
	((struct bench_cpu *)context)->notified++;
}

static inline void bench_nmi(void *context)
{
	((struct bench_cpu *)context)->nmis++;
}

static inline void bench_init(void *context)
{
	((struct bench_cpu *)context)->inits++;
}

static inline void bench_sipi(void *context, uint8_t vector)
{
	((struct bench_cpu *)context)->sipis++;
	((struct bench_cpu *)context)->sipi_vector = vector;
}

static inline void bench_arm_as(struct bench_cpu *cpu, bool is_armed, bool is_tsc,
				uint64_t deadline)
{
	cpu->is_armed = is_armed;
	cpu->is_tsc = is_tsc;
	cpu->deadline = deadline;
	cpu->arms += is_armed;
}

static inline void bench_arm(void *context, uint64_t deadline_ns)
{
	bench_arm_as(context, true, false, deadline_ns);
}

static inline void bench_arm_tsc(void *context, uint64_t guest_tsc)
{
	bench_arm_as(context, true, true, guest_tsc);
}

static inline void bench_cancel(void *context)
{
	bench_arm_as(context, false, false, 0);
}

static const struct lapic_ops bench_ops = {
	.notify = bench_notify,
	.nmi = bench_nmi,
	.init = bench_init,
	.sipi = bench_sipi,
	.timer_arm = bench_arm,
	.timer_arm_tsc = bench_arm_tsc,
	.timer_cancel = bench_cancel,
};

/* @nr_cpus APICs, the first the BSP's, in xAPIC mode after RESET. */
static inline void bench_start(struct bench *bench, uint32_t nr_cpus)
{
	memset(bench, 0, sizeof(*bench));
	bench->nr_cpus = nr_cpus;
	bench->now_ns = 1000000;
	apic_map_create(&bench->map, bench->slots, BENCH_CPUS);
	for (uint32_t id = 0; id < nr_cpus; id++) {
		struct bench_cpu *cpu = &bench->cpus[id];

		memset(&cpu->lapic, 0xa5, sizeof(cpu->lapic));
		lapic_create(&cpu->lapic, &bench->map, id, &bench_ops, cpu);
		lapic_set_features(&cpu->lapic, BENCH_FEATURES | (id ? 0 : LAPIC_IS_BSP),
				   BENCH_PHYS_BITS);
		lapic_reset(&cpu->lapic, false);
		if (apic_map_add(&bench->map, &cpu->lapic))
			abort();
	}
}

static inline struct lapic *bench_lapic(struct bench *bench, uint32_t id)
{
	return &bench->cpus[id].lapic;
}

/* In either mode. ICR in x2APIC mode is 64 bits: bench_write64(). */
static inline uint32_t bench_read(struct bench *bench, uint32_t id, uint32_t reg)
{
	struct lapic *lapic = bench_lapic(bench, id);
	uint64_t value = 0;

	if (!lapic_is_x2apic(lapic))
		return (uint32_t)lapic_mmio_read(lapic, reg * 16, 4, bench->now_ns);
	if (lapic_msr_read(lapic, LAPIC_MSR_BASE + reg, bench->now_ns, &value))
		abort();
	return (uint32_t)value;
}

static inline enum lapic_result bench_write64(struct bench *bench, uint32_t id, uint32_t reg,
					      uint64_t value)
{
	struct lapic *lapic = bench_lapic(bench, id);

	if (!lapic_is_x2apic(lapic))
		return lapic_mmio_write(lapic, reg * 16, 4, value, bench->now_ns);
	return lapic_msr_write(lapic, LAPIC_MSR_BASE + reg, value, bench->now_ns);
}

static inline enum lapic_result bench_write(struct bench *bench, uint32_t id, uint32_t reg,
					    uint32_t value)
{
	return bench_write64(bench, id, reg, value);
}

/* Sends an IPI in the form that the mode of @id has for it. */
static inline void bench_ipi(struct bench *bench, uint32_t id, uint32_t icr, uint32_t destination)
{
	if (lapic_is_x2apic(bench_lapic(bench, id))) {
		bench_write64(bench, id, LAPIC_ICR, (uint64_t)destination << 32 | icr);
	} else {
		bench_write(bench, id, LAPIC_ICR2, destination << 24);
		bench_write(bench, id, LAPIC_ICR, icr);
	}
}

/* Switches the APIC on in SVR. */
static inline void bench_enable(struct bench *bench, uint32_t id)
{
	bench_write(bench, id, LAPIC_SVR, 0x1ff);
}

static inline void bench_enable_all(struct bench *bench)
{
	for (uint32_t id = 0; id < bench->nr_cpus; id++)
		bench_enable(bench, id);
}

static inline void bench_enter_x2apic(struct bench *bench, uint32_t id)
{
	struct lapic *lapic = bench_lapic(bench, id);

	if (lapic_set_base(lapic, lapic->base | LAPIC_BASE_X2APIC, false) == LAPIC_BASE_REFUSED)
		abort();
}

static inline void bench_enter_x2apic_all(struct bench *bench)
{
	for (uint32_t id = 0; id < bench->nr_cpus; id++)
		bench_enter_x2apic(bench, id);
}

/* Moves the time, and reports the timer of @id whenever it is due on the way. Returns how often. */
static inline unsigned bench_advance(struct bench *bench, uint32_t id, uint64_t ns)
{
	struct bench_cpu *cpu = &bench->cpus[id];
	uint64_t end_ns = bench->now_ns + ns;
	unsigned fired = 0;

	while (cpu->is_armed && !cpu->is_tsc && cpu->deadline <= end_ns) {
		if (cpu->deadline > bench->now_ns)
			bench->now_ns = cpu->deadline;
		cpu->is_armed = false;
		fired++;
		lapic_timer_expired(&cpu->lapic, bench->now_ns);
	}
	bench->now_ns = end_ns;
	return fired;
}
