/*
 * The local APIC's modes and resets: see lapic.h.
 */
#include <string.h>

#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/lapic_regs.h"

enum { VERSION_XAPIC = 0x14, VERSION_MAX_LVT_SHIFT = 16, VERSION_EOI_SUPPRESSION = 1 << 24 };

#define BASE_RESERVED UINT64_C(0x2ff)
#define NO_WINDOW     UINT64_MAX

static const uint8_t lvts[] = { LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PERFORMANCE,
				LAPIC_LVT_LINT0, LAPIC_LVT_LINT1,   LAPIC_LVT_ERROR,
				LAPIC_LVT_CMCI };

void lapic_publish(struct lapic *lapic)
{
	bool is_x2apic = lapic_is_x2apic(lapic);
	uint32_t xapic_id = lapic->regs[LAPIC_ID] >> LAPIC_XAPIC_ID_SHIFT;
	uint32_t physical = is_x2apic || lapic->id > LAPIC_MAX_XAPIC_ID ? lapic->id : xapic_id;
	uint64_t logical = lapic->regs[LAPIC_LDR] >> LAPIC_XAPIC_ID_SHIFT;
	uint64_t address = logical << LAPIC_ADDRESS_LOGICAL_SHIFT | physical;

	if (lapic_is_enabled(lapic))
		address |= LAPIC_ADDRESS_ENABLED;
	if (lapic_is_software_enabled(lapic))
		address |= LAPIC_ADDRESS_SOFTWARE_ENABLED;
	if (is_x2apic)
		address |= LAPIC_ADDRESS_X2APIC;
	if (!(lapic->regs[LAPIC_DFR] >> DFR_MODEL_SHIFT))
		address |= LAPIC_ADDRESS_CLUSTERED;

	if (physical != lapic->id)
		__atomic_store_n(&lapic->map->has_renamed, true, __ATOMIC_RELAXED);
	__atomic_store_n(&lapic->address, address, __ATOMIC_RELEASE);
}

void lapic_set_initial_id(struct lapic *lapic)
{
	if (lapic_is_x2apic(lapic)) {
		lapic->regs[LAPIC_ID] = lapic->id;
		lapic->regs[LAPIC_LDR] = lapic->id >> 4 << 16 | 1u << (lapic->id & 15);
	} else {
		lapic->regs[LAPIC_ID] = lapic->id << LAPIC_XAPIC_ID_SHIFT;
		lapic->regs[LAPIC_LDR] = 0;
	}
}

static void set_version(struct lapic *lapic)
{
	uint32_t max_lvt = lapic_has_feature(lapic, LAPIC_HAS_CMCI) ? 6 : 5;

	lapic->regs[LAPIC_VERSION] = VERSION_XAPIC | max_lvt << VERSION_MAX_LVT_SHIFT;
	if (lapic_has_feature(lapic, LAPIC_OFFERS_EOI_SUPPRESSION))
		lapic->regs[LAPIC_VERSION] |= VERSION_EOI_SUPPRESSION;
}

void lapic_mask_lvts(struct lapic *lapic)
{
	for (size_t i = 0; i < ARRAY_SIZE(lvts); i++)
		lapic->regs[lvts[i]] |= LVT_MASKED;
}

/* All but the base, and but an id that the guest has given. */
static void reset_registers(struct lapic *lapic)
{
	uint32_t id = lapic->regs[LAPIC_ID];

	memset(lapic->regs, 0, sizeof(lapic->regs));
	lapic_set_initial_id(lapic);
	if (!lapic_is_x2apic(lapic))
		lapic->regs[LAPIC_ID] = id;
	set_version(lapic);
	lapic->regs[LAPIC_DFR] = UINT32_MAX;
	lapic->regs[LAPIC_SVR] = 0xff;
	lapic_mask_lvts(lapic);
	if (lapic_has_feature(lapic, LAPIC_OPENS_LINT0) && lapic->base & LAPIC_BASE_BSP)
		lapic->regs[LAPIC_LVT_LINT0] = APIC_EXTINT << LVT_MODE_SHIFT;
	lapic_timer_stop(lapic);

	lapic_publish(lapic);
	lapic_drop_interrupts(lapic);
}

void lapic_reset(struct lapic *lapic, bool is_init)
{
	if (!is_init) {
		lapic->base = LAPIC_BASE_DEFAULT | LAPIC_BASE_ENABLED;
		if (lapic_has_feature(lapic, LAPIC_IS_BSP))
			lapic->base |= LAPIC_BASE_BSP;
		lapic_set_initial_id(lapic);
	}
	reset_registers(lapic);
}

void lapic_create(struct lapic *lapic, struct apic_map *map, uint32_t id,
		  const struct lapic_ops *ops, void *context)
{
	memset(lapic, 0, sizeof(*lapic));
	lapic->id = id;
	lapic->map = map;
	lapic->ops = ops;
	lapic->context = context;
	lapic_set_features(lapic, 0, 36);
	lapic_reset(lapic, false);
}

void lapic_set_features(struct lapic *lapic, uint32_t features, uint32_t phys_bits)
{
	lapic->features = features;
	lapic->base_reserved = BASE_RESERVED | UINT64_MAX << phys_bits;
	if (!(features & LAPIC_HAS_X2APIC))
		lapic->base_reserved |= LAPIC_BASE_X2APIC;
	set_version(lapic);
}

static bool is_legal_change(uint64_t from, uint64_t to)
{
	bool was_enabled = from & LAPIC_BASE_ENABLED;

	if (from & LAPIC_BASE_X2APIC)
		return to & LAPIC_BASE_X2APIC || !(to & LAPIC_BASE_ENABLED);
	return was_enabled || !(to & LAPIC_BASE_X2APIC);
}

/* Where the registers are; NO_WINDOW: nowhere. */
static uint64_t window(const struct lapic *lapic)
{
	return lapic_has_window(lapic) ? lapic_window(lapic) : NO_WINDOW;
}

enum lapic_base_change lapic_set_base(struct lapic *lapic, uint64_t value, bool is_host)
{
	uint64_t old_window = window(lapic);
	uint64_t changed = lapic->base ^ value;

	if (value & lapic->base_reserved)
		return LAPIC_BASE_REFUSED;
	if (value & LAPIC_BASE_X2APIC && !(value & LAPIC_BASE_ENABLED))
		return LAPIC_BASE_REFUSED;
	if (!is_host && !is_legal_change(lapic->base, value))
		return LAPIC_BASE_REFUSED;

	lapic->base = value;
	if (changed & (LAPIC_BASE_ENABLED | LAPIC_BASE_X2APIC))
		lapic_set_initial_id(lapic);
	if (changed & LAPIC_BASE_ENABLED)
		reset_registers(lapic);
	else
		lapic_publish(lapic);
	return window(lapic) == old_window ? LAPIC_BASE_SAME : LAPIC_BASE_MOVED;
}
