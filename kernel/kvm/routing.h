/*
 * Interrupt routes of a VM: what message a GSI stands for.
 *
 * The table is replaced as a whole; who looks something up copies it while holding the lock, for a moment.
 * Only MSI routes: PIC and I/O APIC are ring 3's (split irqchip), which uses MSI routes of the I/O APIC's pins
 * to say which vectors' ends it wants to hear of.
 *
 * Fields: [R] lock  [a] atomic
 * Source: KVM API, "KVM_SET_GSI_ROUTING", "KVM_CAP_SPLIT_IRQCHIP".
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/arch/spinlock.h"
#include "kernel/kvm/apic_vectors.h"
#include "lib/compiler.h"

enum { ROUTES_MAX = 4096 };

struct route {
	uint32_t gsi;
	uint32_t data;
	uint64_t address;
};

struct routes {
	uint32_t count;
	struct route routes[]; /* ascending by gsi */
};

struct routing {
	struct spinlock lock;
	struct routes *routes;	    /* [R] NULL: none */
	struct apic_vectors wanted; /* [a] vectors of level-triggered routes of I/O APIC pins */
};

/**
 * routes_create() - a table of routes from ring 3's
 * @entries: the caller's copy; any bytes
 * @api_flags: KVM_X2APIC_API_*
 *
 * Returns 0; -EINVAL: a type, flag or GSI that can't be, or a GSI twice; -ENOMEM.
 */
MUST_CHECK int routes_create(const struct kvm_irq_routing_entry *entries, uint32_t count,
			     uint32_t api_flags, struct routes **out);

/* Puts @routes, which it takes over, in place. @nr_pins: GSIs below are the I/O APIC's. */
void routing_replace(struct routing *routing, struct routes *routes, uint32_t nr_pins);
void routing_destroy(struct routing *routing);

/* The route of @gsi. Any context. */
bool routing_find(struct routing *routing, uint32_t gsi, struct route *out);

/* Does ring 3 want KVM_EXIT_IOAPIC_EOI when a level-triggered interrupt of this vector ends? Any context. */
static inline bool routing_wants_eoi(const struct routing *routing, uint8_t vector)
{
	return vectors_have_shared(&routing->wanted, vector);
}
