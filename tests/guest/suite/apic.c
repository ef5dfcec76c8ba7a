/*
 * The local APIC: see apic.h.
 */
#include "tests/guest/suite/apic.h"

enum { MODE_BITS = APIC_BASE_ENABLED | APIC_BASE_X2APIC };

bool apic_is_x2(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

uint32_t apic_read(uint32_t reg)
{
	return apic_is_x2() ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : mmio32(APIC_AT + reg);
}

void apic_write(uint32_t reg, uint32_t value)
{
	if (apic_is_x2())
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		mmio32(APIC_AT + reg) = value;
}

void apic_send(uint32_t destination, uint32_t icr)
{
	if (apic_is_x2()) {
		wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)destination << 32 | icr);
		return;
	}
	mmio32(APIC_AT + APIC_ICR_HIGH) = destination << 24;
	mmio32(APIC_AT + APIC_ICR) = icr;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

bool apic_bit(uint32_t reg, uint32_t vector)
{
	return apic_read(reg + vector / 32 * 16) & 1u << vector % 32;
}

void apic_set_mode(uint64_t bits)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if ((base & MODE_BITS) == bits)
		return;
	/* From x2APIC only "off" can be reached, from "off" only xAPIC. */
	if (base & APIC_BASE_X2APIC)
		wrmsr(MSR_APIC_BASE, base & ~(uint64_t)MODE_BITS);
	if (bits & APIC_BASE_ENABLED)
		wrmsr(MSR_APIC_BASE, (base & ~(uint64_t)MODE_BITS) | APIC_BASE_ENABLED);
	wrmsr(MSR_APIC_BASE, (base & ~(uint64_t)MODE_BITS) | bits);
}

static void end_all(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t in_service = 0;

		for (uint32_t word = 0; word < 8; word++)
			in_service |= apic_read(APIC_ISR + 16 * word);
		if (!in_service)
			return;
		apic_eoi();
	}
}

void apic_restore(void)
{
	apic_set_mode(APIC_BASE_ENABLED);
	/* Switched off and on: what was requested is forgotten nowhere, but all LVTs get masked. */
	apic_write(APIC_SVR, 0xff);
	apic_write(APIC_SVR, 0xff | SVR_ENABLED);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_DFR, UINT32_MAX);
	apic_write(APIC_LDR, 0);
	apic_write(APIC_ESR, 0);
	end_all();
	apic_write(APIC_TPR, 0);
}
