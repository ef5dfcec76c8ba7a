/*
 * The APICs of one VM, and the delivery of messages to them: the VM's interrupt bus.
 *
 *   - Any CPU may deliver at any time, in any context: no lock is taken. An APIC that was added stays until
 *     the VM is gone, so what a deliverer finds it may use.
 *   - There are no tables of destinations to rebuild: a message to one APIC's physical id looks into one slot;
 *     others ask the APICs in question for their address, a word each: 16 for a cluster of x2APIC,
 *     all of them for a broadcast or for the logical ids of xAPIC.
 *   - Of those that a lowest-priority message may go to, the vector chooses: nth = vector % number, in the order of
 *     their ids, as chipsets do it. The same vector goes to the same vCPU, whose caches are warm.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernel/kvm/apic_message.h"
#include "kernel/kvm/lapic.h"
#include "lib/compiler.h"

/* Fields: [I] immutable after apic_map_create()  [a] atomic */
struct apic_map {
	struct lapic **slots; /* [I] by id; borrowed. Each: [a], NULL until added */
	uint32_t nr_slots;    /* [I] */
	uint32_t end_id;      /* [a] one past the highest id */
	uint32_t api_flags;   /* [a] KVM_X2APIC_API_... */
	bool has_renamed;     /* [a] a guest once gave an APIC another xAPIC id than its own */
};

/* @slots: room for @nr_slots APICs, ids from 0 on; borrowed until the VM is gone. */
void apic_map_create(struct apic_map *map, struct lapic **slots, uint32_t nr_slots);

/* KVM_CAP_X2APIC_API's flags; those that are valid. */
void apic_map_set_api_flags(struct apic_map *map, uint32_t flags);
uint32_t apic_map_api_flags(const struct apic_map *map);

/*
 * Lets messages reach @lapic, for as long as the VM is. One caller at a time.
 * Returns 0; -EINVAL: its id is beyond the slots; -EEXIST: there is one of that id.
 */
MUST_CHECK int apic_map_add(struct apic_map *map, struct lapic *lapic);

/**
 * apic_deliver() - send a message on its way
 *
 * Returns how many APICs took it; 0: there was one but it doesn't (switched off by software, or a
 * mode that isn't delivered so); -1: there is none.
 */
int apic_deliver(struct apic_map *map, const struct apic_message *message);

/**
 * apic_deliver_many() - KVM_HC_SEND_IPI
 * @low, @high: whom: bit n of @low is the APIC with id @first_id + n, and @high goes on from there
 * @word_bits: how many bits of each count: 64, or 32 for a guest in 32-bit mode
 * @icr: vector and mode; no shorthand, no logical destination
 *
 * Returns how many took it; -1: an @icr that can't be.
 */
int apic_deliver_many(struct apic_map *map, uint64_t low, uint64_t high, uint32_t word_bits,
		      uint32_t first_id, uint64_t icr);
