/*
 * The local APIC's registers by number, and what its files share among themselves. Others include lapic.h.
 */
#pragma once

#include "kernel/kvm/lapic.h"

/* The offset in the window is 16 times this; the MSR is LAPIC_MSR_BASE and this. LVTs: enum lapic_lvt. */
enum lapic_register {
	LAPIC_ID = 0x02,
	LAPIC_VERSION = 0x03,
	LAPIC_APR = 0x09,
	LAPIC_PPR = 0x0a,
	LAPIC_EOI = 0x0b,
	LAPIC_RRD = 0x0c,
	LAPIC_LDR = 0x0d,
	LAPIC_DFR = 0x0e,
	LAPIC_SVR = 0x0f,
	LAPIC_ISR = 0x10,
	LAPIC_TMR = 0x18,
	LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28,
	LAPIC_ICR = 0x30,
	LAPIC_ICR2 = 0x31,
	LAPIC_INITIAL_COUNT = 0x38,
	LAPIC_CURRENT_COUNT = 0x39,
	LAPIC_DIVIDE = 0x3e,
	LAPIC_SELF_IPI = 0x3f,
};

enum {
	LAPIC_FIRST_VECTOR = 16, /* those below are illegal */
	LAPIC_MAX_XAPIC_ID = 0xff,
	LAPIC_XAPIC_ID_SHIFT = 24, /* in ID, LDR, ICR2 */

	LVT_MODE_SHIFT = 8,
	LVT_MODE_FIELD = 7,
	LVT_MASKED = 1 << 16,
	LVT_TIMER_PERIODIC = 1 << 17,
	LVT_TIMER_TSC = 1 << 18,
	LVT_TIMER_MODE = LVT_TIMER_PERIODIC | LVT_TIMER_TSC,

	SVR_ENABLED = 1 << 8,
	SVR_SUPPRESSES_EOI = 1 << 12,

	ESR_BITS = 0xef,
	ESR_SEND_ILLEGAL_VECTOR = 1 << 5,
	ESR_RECEIVE_ILLEGAL_VECTOR = 1 << 6,
	ESR_ILLEGAL_REGISTER = 1 << 7,
};

#define DFR_MODEL_SHIFT	  28 /* 15: flat; 0: cluster */
#define DFR_RESERVED_ONES UINT32_C(0x0fffffff)

static inline bool lapic_has_feature(const struct lapic *lapic, uint32_t feature)
{
	return lapic->features & feature;
}

static inline bool lapic_is_software_enabled(const struct lapic *lapic)
{
	return lapic->regs[LAPIC_SVR] & SVR_ENABLED;
}

/* ---- lapic.c ---- */

/* Stores what other CPUs are to see of id, logical id and mode. */
void lapic_publish(struct lapic *lapic);

/* Sets ID and LDR as the mode begins with them. */
void lapic_set_initial_id(struct lapic *lapic);

void lapic_mask_lvts(struct lapic *lapic);

/* ---- lapic_regs.c ---- */

/* The bits of register @index that a guest may set, with this APIC's features. */
uint32_t lapic_writable_bits(const struct lapic *lapic, uint32_t index);

/* A register's value; 0 if it can't be read. */
uint32_t lapic_read(struct lapic *lapic, uint32_t index, uint64_t now_ns);

/* ---- lapic_interrupts.c ---- */

void lapic_take_posted(struct lapic *lapic);

static inline void lapic_merge(struct lapic *lapic)
{
	if (__atomic_load_n(&lapic->is_posted, __ATOMIC_RELAXED))
		lapic_take_posted(lapic);
}

/* The processor's priority (PPR), of which only the class, bits 7-4, holds interrupts back. */
uint8_t lapic_priority(const struct lapic *lapic);

/* Bits for ESR; the first since it was last written interrupts. */
void lapic_note_errors(struct lapic *lapic, uint8_t bits);

/* Forgets all that is posted, waiting, in service or noted for ESR. */
void lapic_drop_interrupts(struct lapic *lapic);

/* ---- lapic_timer.c ---- */
uint32_t lapic_timer_count(const struct lapic *lapic, uint64_t now_ns);
void lapic_timer_stop(struct lapic *lapic);
void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value, uint64_t now_ns);
void lapic_timer_set_initial(struct lapic *lapic, uint32_t count, uint64_t now_ns);
void lapic_timer_set_divide(struct lapic *lapic, uint32_t value, uint64_t now_ns);

/* The registers were replaced: go on from @count. */
void lapic_timer_resume(struct lapic *lapic, uint32_t count, uint64_t now_ns);
