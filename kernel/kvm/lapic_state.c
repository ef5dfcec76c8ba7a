/*
 * The local APIC as KVM_GET_LAPIC and KVM_SET_LAPIC show it: see lapic.h.
 */
#include <linux/errno.h>
#include <string.h>

#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/lapic_regs.h"

enum { REGISTER_STRIDE_BYTES = 16 };

static_assert(sizeof(struct kvm_lapic_state) == LAPIC_REGISTERS * REGISTER_STRIDE_BYTES,
	      "the state is the registers");

static uint32_t load(const struct kvm_lapic_state *state, uint32_t index)
{
	uint32_t value;

	memcpy(&value, state->regs + index * REGISTER_STRIDE_BYTES, sizeof(value));
	return value;
}

static void store(struct kvm_lapic_state *state, uint32_t index, uint32_t value)
{
	memcpy(state->regs + index * REGISTER_STRIDE_BYTES, &value, sizeof(value));
}

/* Is the id where x2APIC has it, rather than in the upper byte? */
static bool has_32bit_id(const struct lapic *lapic)
{
	return lapic_is_x2apic(lapic) &&
	       apic_map_api_flags(lapic->map) & KVM_X2APIC_API_USE_32BIT_IDS;
}

void lapic_get_state(struct lapic *lapic, uint64_t now_ns, struct kvm_lapic_state *state)
{
	if (!lapic->tsc_deadline) /* only its timer knows whether that is over */
		lapic_timer_expired(lapic, now_ns);
	memset(state, 0, sizeof(*state));
	for (uint32_t index = 0; index < LAPIC_REGISTERS; index++)
		store(state, index, lapic_read(lapic, index, now_ns));
	if (lapic_is_x2apic(lapic) && !has_32bit_id(lapic))
		store(state, LAPIC_ID, lapic->id << LAPIC_XAPIC_ID_SHIFT);
}

static struct apic_vectors load_vectors(const struct kvm_lapic_state *state, uint32_t index)
{
	struct apic_vectors set;

	for (uint32_t i = 0; i < ARRAY_SIZE(set.words); i++)
		set.words[i] = load(state, index + 2 * i) | (uint64_t)load(state, index + 2 * i + 1)
								    << 32;
	set.words[0] &= UINT64_MAX << LAPIC_FIRST_VECTOR;
	return set;
}

/* The registers that a guest can write, with what it could have written. */
static void load_registers(struct lapic *lapic, const struct kvm_lapic_state *state)
{
	for (uint32_t index = 0; index < LAPIC_REGISTERS; index++) {
		uint32_t writable = lapic_writable_bits(lapic, index);

		if (writable && index != LAPIC_SELF_IPI)
			lapic->regs[index] = load(state, index) & writable;
	}
	lapic->regs[LAPIC_DFR] |= DFR_RESERVED_ONES;
	lapic->regs[LAPIC_ESR] = load(state, LAPIC_ESR) & ESR_BITS;
	if (lapic_is_x2apic(lapic)) {
		lapic_set_initial_id(lapic);
		lapic->regs[LAPIC_ICR2] = load(state, LAPIC_ICR2);
	}
	if (!lapic_is_software_enabled(lapic))
		lapic_mask_lvts(lapic);
}

int lapic_set_state(struct lapic *lapic, const struct kvm_lapic_state *state, uint64_t now_ns)
{
	struct apic_vectors tmr = load_vectors(state, LAPIC_TMR);

	if (has_32bit_id(lapic) && load(state, LAPIC_ID) != lapic->id)
		return -EINVAL;

	lapic_drop_interrupts(lapic);
	load_registers(lapic, state);
	lapic_publish(lapic);
	lapic->isr = load_vectors(state, LAPIC_ISR);
	lapic->irr = load_vectors(state, LAPIC_IRR);
	for (size_t i = 0; i < ARRAY_SIZE(tmr.words); i++)
		__atomic_fetch_or(&lapic->tmr.words[i], tmr.words[i], __ATOMIC_RELAXED);
	lapic_timer_resume(lapic, load(state, LAPIC_CURRENT_COUNT), now_ns);
	return 0;
}
