/*
 * Delivery of messages: see apic_map.h.
 *
 * A message's targets are those within a range of ids whose address matches. The range is what keeps this
 * short: one id for most messages.
 */
#include <linux/errno.h>

#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/lapic_regs.h"

enum { CLUSTER_IDS = 16 };

struct targets {
	const struct apic_message *message;
	uint64_t required; /* address bits that a target must have */
	uint32_t next_id, end_id;
};

void apic_map_create(struct apic_map *map, struct lapic **slots, uint32_t nr_slots)
{
	*map = (struct apic_map){ .slots = slots, .nr_slots = nr_slots };
	for (uint32_t id = 0; id < nr_slots; id++)
		slots[id] = NULL;
}

void apic_map_set_api_flags(struct apic_map *map, uint32_t flags)
{
	__atomic_store_n(&map->api_flags, flags, __ATOMIC_RELAXED);
}

uint32_t apic_map_api_flags(const struct apic_map *map)
{
	return __atomic_load_n(&map->api_flags, __ATOMIC_RELAXED);
}

int apic_map_add(struct apic_map *map, struct lapic *lapic)
{
	if (lapic->id >= map->nr_slots)
		return -EINVAL;
	if (map->slots[lapic->id])
		return -EEXIST;

	__atomic_store_n(&map->slots[lapic->id], lapic, __ATOMIC_RELEASE);
	if (map->end_id <= lapic->id)
		__atomic_store_n(&map->end_id, lapic->id + 1, __ATOMIC_RELEASE);
	return 0;
}

/* The logical id of x2APIC is made of the id: its cluster above, one bit of 16 below. */
static bool matches_x2apic_logical(uint32_t id, uint32_t destination)
{
	return id / CLUSTER_IDS == destination >> 16 && destination >> id % CLUSTER_IDS & 1;
}

static bool matches_xapic_logical(uint64_t address, uint32_t destination)
{
	uint8_t logical = (uint8_t)(address >> LAPIC_ADDRESS_LOGICAL_SHIFT);

	if (destination > LAPIC_MAX_XAPIC_ID)
		return false;
	if (address & LAPIC_ADDRESS_CLUSTERED)
		return logical >> 4 == destination >> 4 && logical & destination & 0xf;
	return logical & destination;
}

static bool is_target(const struct targets *targets, const struct lapic *lapic)
{
	const struct apic_message *message = targets->message;
	uint64_t address = __atomic_load_n(&lapic->address, __ATOMIC_ACQUIRE);

	if ((address & targets->required) != targets->required)
		return false;
	if (message->destination == APIC_BROADCAST)
		return lapic != message->source || message->shorthand != APIC_TO_OTHERS;
	if (!(address & LAPIC_ADDRESS_X2APIC) && message->destination == APIC_XAPIC_BROADCAST)
		return true;
	if (!message->is_logical)
		return (uint32_t)address == message->destination;
	if (address & LAPIC_ADDRESS_X2APIC)
		return matches_x2apic_logical(lapic->id, message->destination);
	return matches_xapic_logical(address, message->destination);
}

/* Narrows the ids down to those that @message can be for. */
static struct targets targets_of(const struct apic_map *map, const struct apic_message *message)
{
	struct targets targets = {
		.message = message,
		.required = LAPIC_ADDRESS_ENABLED,
		.end_id = __atomic_load_n(&map->end_id, __ATOMIC_ACQUIRE),
	};
	uint32_t destination = message->destination;
	uint32_t nr_ids;

	if (message->mode == APIC_LOWEST_PRIORITY)
		targets.required |= LAPIC_ADDRESS_SOFTWARE_ENABLED;
	if (destination == APIC_BROADCAST || destination == APIC_XAPIC_BROADCAST)
		return targets;

	if (message->is_logical && destination > LAPIC_MAX_XAPIC_ID) {
		targets.next_id = (destination >> 16) * CLUSTER_IDS;
		nr_ids = CLUSTER_IDS;
	} else if (!message->is_logical && !__atomic_load_n(&map->has_renamed, __ATOMIC_RELAXED)) {
		targets.next_id = destination;
		nr_ids = 1;
	} else {
		return targets;
	}
	if (targets.next_id < targets.end_id && targets.end_id - targets.next_id > nr_ids)
		targets.end_id = targets.next_id + nr_ids;
	return targets;
}

static struct lapic *next_target(const struct apic_map *map, struct targets *targets)
{
	while (targets->next_id < targets->end_id) {
		struct lapic *lapic =
			__atomic_load_n(&map->slots[targets->next_id++], __ATOMIC_ACQUIRE);

		if (lapic && is_target(targets, lapic))
			return lapic;
	}
	return NULL;
}

static bool accept_vector(struct lapic *lapic, const struct apic_message *message)
{
	if (!(__atomic_load_n(&lapic->address, __ATOMIC_RELAXED) & LAPIC_ADDRESS_SOFTWARE_ENABLED))
		return false;
	if (message->vector < LAPIC_FIRST_VECTOR)
		lapic_post_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
	else if (lapic == message->source)
		lapic_accept(lapic, message->vector, message->is_level);
	else
		lapic_post(lapic, message->vector, message->is_level);
	return true;
}

static bool accept(struct lapic *lapic, const struct apic_message *message)
{
	switch (message->mode) {
	case APIC_FIXED:
	case APIC_LOWEST_PRIORITY:
		return accept_vector(lapic, message);
	case APIC_NMI:
		lapic->ops->nmi(lapic->context);
		return true;
	case APIC_INIT:
		if (message->is_deassert)
			return false;
		lapic->ops->init(lapic->context);
		return true;
	case APIC_SIPI:
		lapic->ops->sipi(lapic->context, message->vector);
		return true;
	default: /* SMI is dropped; ExtINT and remote reads don't travel */
		return false;
	}
}

static int deliver_to_one(const struct apic_map *map, const struct apic_message *message)
{
	struct targets targets = targets_of(map, message);
	struct targets again = targets;
	struct lapic *chosen = NULL;
	struct lapic *lapic;
	uint32_t nr = 0;

	while (next_target(map, &targets))
		nr++;
	if (!nr)
		return -1;

	/* If somebody left between the two looks it is the last that there is. */
	for (uint32_t n = 0; n <= message->vector % nr; n++) {
		lapic = next_target(map, &again);
		if (!lapic)
			break;
		chosen = lapic;
	}
	return chosen ? accept(chosen, message) : -1;
}

int apic_deliver(struct apic_map *map, const struct apic_message *message)
{
	struct targets targets;
	struct lapic *lapic;
	int nr_found = 0;
	int nr_accepted = 0;

	if (message->shorthand == APIC_TO_SELF)
		return accept(message->source, message);
	if (message->mode == APIC_LOWEST_PRIORITY)
		return deliver_to_one(map, message);

	targets = targets_of(map, message);
	while ((lapic = next_target(map, &targets)) != NULL) {
		nr_found++;
		nr_accepted += accept(lapic, message);
	}
	return nr_found ? nr_accepted : -1;
}

static int deliver_to_bits(struct apic_map *map, uint64_t bits, uint64_t first_id,
			   struct apic_message *message)
{
	int nr_accepted = 0;

	for (; bits; bits &= bits - 1) {
		uint64_t id = first_id + (uint32_t)__builtin_ctzll(bits);
		struct lapic *lapic;

		if (id >= map->nr_slots)
			break;
		lapic = __atomic_load_n(&map->slots[id], __ATOMIC_ACQUIRE);
		if (lapic &&
		    __atomic_load_n(&lapic->address, __ATOMIC_ACQUIRE) & LAPIC_ADDRESS_ENABLED)
			nr_accepted += accept(lapic, message);
	}
	return nr_accepted;
}

int apic_deliver_many(struct apic_map *map, uint64_t low, uint64_t high, uint32_t word_bits,
		      uint32_t first_id, uint64_t icr)
{
	struct apic_message message = apic_message_from_icr(icr, true);
	uint64_t mask = UINT64_MAX >> (64 - word_bits);

	if (message.is_logical || message.shorthand != APIC_TO_DESTINATION)
		return -1;
	return deliver_to_bits(map, low & mask, first_id, &message) +
	       deliver_to_bits(map, high & mask, (uint64_t)first_id + word_bits, &message);
}
