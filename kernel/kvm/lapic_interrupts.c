/*
 * The way of an interrupt through the local APIC: posted, requested (IRR), in service (ISR), ended.
 */
#include <string.h>

#include "kernel/kvm/apic_message.h"
#include "kernel/kvm/lapic_regs.h"

void lapic_note_errors(struct lapic *lapic, uint8_t bits)
{
	bool is_first = !lapic->errors;

	lapic->errors |= bits;
	if (is_first)
		lapic_raise(lapic, LAPIC_LVT_ERROR);
}

void lapic_take_posted(struct lapic *lapic)
{
	(void)__atomic_exchange_n(&lapic->is_posted, false, __ATOMIC_ACQ_REL);
	vectors_take_shared(&lapic->posted, &lapic->irr);
	if (__atomic_load_n(&lapic->posted_errors, __ATOMIC_RELAXED))
		lapic_note_errors(lapic,
				  __atomic_exchange_n(&lapic->posted_errors, 0, __ATOMIC_ACQUIRE));
}

static void announce(struct lapic *lapic)
{
	if (!__atomic_exchange_n(&lapic->is_posted, true, __ATOMIC_ACQ_REL))
		lapic->ops->notify(lapic->context);
}

void lapic_post(struct lapic *lapic, uint8_t vector, bool is_level)
{
	vectors_assign_shared(&lapic->tmr, vector, is_level);
	vectors_add_shared(&lapic->posted, vector);
	announce(lapic);
}

void lapic_post_error(struct lapic *lapic, uint8_t bits)
{
	__atomic_fetch_or(&lapic->posted_errors, bits, __ATOMIC_RELEASE);
	announce(lapic);
}

void lapic_accept(struct lapic *lapic, uint8_t vector, bool is_level)
{
	vectors_assign_shared(&lapic->tmr, vector, is_level);
	vectors_add(&lapic->irr, vector);
}

uint8_t lapic_priority(const struct lapic *lapic)
{
	int in_service = vectors_highest(&lapic->isr);
	uint8_t tpr = (uint8_t)lapic->regs[LAPIC_TPR];

	return in_service >> 4 > tpr >> 4 ? (uint8_t)(in_service & 0xf0) : tpr;
}

int lapic_pending(struct lapic *lapic)
{
	int vector;

	lapic_merge(lapic);
	vector = vectors_highest(&lapic->irr);
	if (vector >> 4 <= lapic_priority(lapic) >> 4 || !lapic_is_enabled(lapic))
		return -1;
	return vector;
}

void lapic_take(struct lapic *lapic, uint8_t vector)
{
	vectors_remove(&lapic->irr, vector);
	vectors_add(&lapic->isr, vector);
}

int lapic_acknowledge(struct lapic *lapic)
{
	int vector = lapic_pending(lapic);

	if (vector >= 0)
		lapic_take(lapic, (uint8_t)vector);
	return vector;
}

int lapic_acknowledge_only(struct lapic *lapic)
{
	int vector;

	if (__atomic_load_n(&lapic->is_posted, __ATOMIC_RELAXED))
		return -1;
	vector = lapic_pending(lapic);
	if (vector < 0)
		return -1;
	vectors_remove(&lapic->irr, (uint8_t)vector);
	if (vectors_are_empty(&lapic->irr)) {
		vectors_add(&lapic->isr, (uint8_t)vector);
		return vector;
	}
	vectors_add(&lapic->irr, (uint8_t)vector);
	return -1;
}

enum lapic_result lapic_eoi(struct lapic *lapic)
{
	int vector = vectors_highest(&lapic->isr);

	if (vector < 0)
		return LAPIC_DONE;
	vectors_remove(&lapic->isr, (uint8_t)vector);
	if (!vectors_have_shared(&lapic->tmr, (uint8_t)vector))
		return LAPIC_DONE;
	if (lapic->regs[LAPIC_SVR] & SVR_SUPPRESSES_EOI &&
	    lapic_has_feature(lapic, LAPIC_HEEDS_EOI_SUPPRESSION))
		return LAPIC_DONE;
	return LAPIC_EOI_BROADCAST | vector;
}

bool lapic_eoi_is_private(const struct lapic *lapic)
{
	int vector = vectors_highest(&lapic->isr);

	return vector < 0 || !vectors_have_shared(&lapic->tmr, (uint8_t)vector);
}

bool lapic_eoi_may_be_skipped(struct lapic *lapic)
{
	struct apic_vectors others = lapic->isr;
	int vector = vectors_highest(&others);

	lapic_merge(lapic);
	if (vector < 0 || !vectors_are_empty(&lapic->irr))
		return false;
	vectors_remove(&others, (uint8_t)vector);
	return vectors_are_empty(&others) && !vectors_have_shared(&lapic->tmr, (uint8_t)vector);
}

uint8_t lapic_tpr_threshold(struct lapic *lapic)
{
	int vector_class;

	lapic_merge(lapic);
	vector_class = vectors_highest(&lapic->irr) >> 4;
	if (vector_class <= vectors_highest(&lapic->isr) >> 4 || vector_class > lapic_cr8(lapic))
		return 0;
	return (uint8_t)vector_class;
}

void lapic_set_cr8(struct lapic *lapic, uint8_t cr8)
{
	lapic->regs[LAPIC_TPR] = (cr8 & 0xfu) << 4;
}

bool lapic_accepts_extint(const struct lapic *lapic)
{
	uint32_t lvt = lapic->regs[LAPIC_LVT_LINT0];

	return !lapic_is_enabled(lapic) ||
	       (!(lvt & LVT_MASKED) && (lvt >> LVT_MODE_SHIFT & LVT_MODE_FIELD) == APIC_EXTINT);
}

void lapic_raise(struct lapic *lapic, enum lapic_lvt source)
{
	uint32_t lvt = lapic->regs[source];
	uint8_t vector = (uint8_t)lvt;

	if (lvt & LVT_MASKED)
		return;
	switch (lvt >> LVT_MODE_SHIFT & LVT_MODE_FIELD) {
	case APIC_FIXED:
		if (vector < LAPIC_FIRST_VECTOR)
			lapic_note_errors(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
		else
			lapic_accept(lapic, vector, false);
		break;
	case APIC_NMI:
		lapic->ops->nmi(lapic->context);
		break;
	case APIC_INIT:
		lapic->ops->init(lapic->context);
		break;
	default: /* ExtINT is lapic_accepts_extint()'s */
		break;
	}
}

void lapic_drop_interrupts(struct lapic *lapic)
{
	struct apic_vectors dropped = { 0 };

	vectors_take_shared(&lapic->posted, &dropped);
	vectors_take_shared(&lapic->tmr, &dropped);
	(void)__atomic_exchange_n(&lapic->posted_errors, 0, __ATOMIC_RELAXED);
	memset(&lapic->irr, 0, sizeof(lapic->irr));
	memset(&lapic->isr, 0, sizeof(lapic->isr));
	lapic->errors = 0;
}
