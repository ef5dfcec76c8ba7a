/*
 * Vectors for devices: see irq.h.
 */
#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/dev/irq.h"
#include "kernel/dev/print.h"
#include "kernel/sched/timer.h"

enum {
	IRQS = VECTOR_DEVICE_END - VECTOR_DEVICE_FIRST,

	STORM_COUNT = 10000,	      /* for nothing, ... */
	STORM_WINDOW_NS = 1000000000, /* ... within this: a storm */
	STORM_PAUSE_NS = 100000000,

	STRAYS_SAID_MAX = 5,
};

#define MESSAGE_ADDRESS		  UINT64_C(0xfee00000)
#define MESSAGE_DESTINATION_SHIFT 12
#define MESSAGE_IDS		  256 /* APIC ids beyond need interrupt remapping */

static struct irq {
	const char *name;   /* [I] */
	irq_handler handle; /* [I] NULL: nobody's */
	void *data;	    /* [I] */
	irq_masker mask;    /* [I] NULL: it can't be silenced */
	void *source;	    /* [I] */
	uint32_t apic_id;   /* [I] */
	uint32_t nr_idle;   /* [V] for nothing, in this window */
	uint64_t window_ns; /* [V] when it began */
	struct timer pause; /* armed while it is masked for storming */
	bool has_stormed;   /* [V] said already */
} irqs[IRQS];

static uint32_t nr_taken;  /* [a] */
static uint32_t nr_strays; /* [a] */

static void end_pause(struct timer *timer)
{
	struct irq *irq = container_of(timer, struct irq, pause);

	irq->mask(irq->source, false);
}

static void count_idle(struct irq *irq)
{
	uint64_t now = clock_ns();

	if (now - irq->window_ns > STORM_WINDOW_NS) {
		irq->window_ns = now;
		irq->nr_idle = 0;
	}
	if (++irq->nr_idle < STORM_COUNT || !irq->mask)
		return;
	irq->nr_idle = 0;
	irq->mask(irq->source, true);
	timer_arm(&irq->pause, now + STORM_PAUSE_NS);
	if (!irq->has_stormed)
		print_warn("%s interrupts again and again for nothing: slowed down", irq->name);
	irq->has_stormed = true;
}

static void count_stray(uint64_t vector)
{
	if (__atomic_fetch_add(&nr_strays, 1, __ATOMIC_RELAXED) < STRAYS_SAID_MAX)
		print_warn("interrupt at vector %lu, which no device has", vector);
}

static void dispatch(struct trap_frame *frame)
{
	struct irq *irq = &irqs[frame->vector - VECTOR_DEVICE_FIRST];
	irq_handler handle = __atomic_load_n(&irq->handle, __ATOMIC_ACQUIRE);

	if (!handle)
		count_stray(frame->vector);
	else if (!handle(irq->data))
		count_idle(irq);
	irq_end();
}

void irq_init(void)
{
	for (uint32_t vector = VECTOR_DEVICE_FIRST; vector < VECTOR_DEVICE_END; vector++)
		trap_set_handler(vector, dispatch);
}

/* The highest free one: later ones get lower priorities, which nothing here relies on. */
/* Spread over the CPUs whose APIC a message can name. */
static uint32_t choose_target(void)
{
	static uint32_t next;
	uint32_t count = __atomic_load_n(&nr_cpus, __ATOMIC_ACQUIRE);

	for (uint32_t tries = 0; tries < count; tries++) {
		const struct cpu *cpu =
			cpus[__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % count];

		if (cpu && cpu->apic_id < MESSAGE_IDS)
			return cpu->apic_id;
	}
	return cpus[0]->apic_id;
}

int irq_alloc(const char *name, irq_handler handle, void *data, uint32_t *vector)
{
	uint32_t index = __atomic_fetch_add(&nr_taken, 1, __ATOMIC_RELAXED);

	if (index >= IRQS)
		return -ENOSPC;
	irqs[index].name = name;
	irqs[index].data = data;
	irqs[index].apic_id = choose_target();
	timer_init(&irqs[index].pause, end_pause);
	__atomic_store_n(&irqs[index].handle, handle, __ATOMIC_RELEASE);
	*vector = VECTOR_DEVICE_FIRST + index;
	return 0;
}

void irq_set_mask(uint32_t vector, irq_masker mask, void *source)
{
	struct irq *irq = &irqs[vector - VECTOR_DEVICE_FIRST];

	irq->source = source;
	__atomic_store_n(&irq->mask, mask, __ATOMIC_RELEASE);
}

struct irq_message irq_message(uint32_t vector)
{
	const struct irq *irq = &irqs[vector - VECTOR_DEVICE_FIRST];

	return (struct irq_message){
		.address = MESSAGE_ADDRESS | (uint64_t)irq->apic_id << MESSAGE_DESTINATION_SHIFT,
		.data = vector, /* fixed delivery, edge */
	};
}
