/*
 * The local APIC, in whichever of its two modes it is.
 *
 * Source: Intel SDM vol. 3, "Advanced Programmable Interrupt Controller"; AMD APM vol. 2, 16.
 */
#pragma once

#include "tests/guest/suite/case.h"

#define APIC_AT UINT64_C(0xfee00000)

enum {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_APR = 0x90,
	APIC_PPR = 0xa0,
	APIC_EOI = 0xb0,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100,
	APIC_TMR = 0x180,
	APIC_IRR = 0x200,
	APIC_ESR = 0x280,
	APIC_LVT_CMCI = 0x2f0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_THERMAL = 0x330,
	APIC_LVT_PERFORMANCE = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
	X2APIC_SELF_IPI = 0x3f0,

	SVR_ENABLED = 1 << 8,
	LVT_MASKED = 1 << 16,
	LVT_ONE_SHOT = 0 << 17,
	LVT_PERIODIC = 1 << 17,
	LVT_DEADLINE = 2 << 17,
	DIVIDE_BY_1 = 0xb,

	ICR_FIXED = 0 << 8,
	ICR_LOWEST = 1 << 8,
	ICR_NMI = 4 << 8,
	ICR_INIT = 5 << 8,
	ICR_STARTUP = 6 << 8,
	ICR_LOGICAL = 1 << 11,
	ICR_BUSY = 1 << 12,
	ICR_ASSERT = 1 << 14,
	ICR_LEVEL = 1 << 15,
	ICR_SELF = 1 << 18,
	ICR_ALL = 2 << 18,
	ICR_OTHERS = 3 << 18,
};

bool apic_is_x2(void);
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t value);

/* @destination as it is in xAPIC mode: 8 bits. */
void apic_send(uint32_t destination, uint32_t icr);
void apic_eoi(void);

/* Is @vector's bit set in the register of 256 that begins at @reg? */
bool apic_bit(uint32_t reg, uint32_t vector);

/* Sets the mode bits of MSR_APIC_BASE, by way of the modes in between. */
void apic_set_mode(uint64_t bits);

/* Enabled, in xAPIC mode, everything masked, nothing in service. */
void apic_restore(void);
