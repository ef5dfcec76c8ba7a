/*
 * The local APIC's registers.
 *
 * What is just memory lives in regs[]; a table says who may touch which register, and one switch each does
 * what reading and writing it means.
 */
#include "kernel/kvm/apic_map.h"
#include "kernel/kvm/lapic_regs.h"

enum { READ = 1, WRITE = 2, READ_X2APIC = 4, WRITE_X2APIC = 8 };

enum {
	XAPIC_ONLY = READ | WRITE,
	READ_ONLY = READ | READ_X2APIC,
	WRITE_ONLY = WRITE | WRITE_X2APIC,
	ALWAYS = READ_ONLY | WRITE_ONLY,
};

enum { /* bits that a guest may set, and those that it may only try to, in x2APIC mode */
       SVR_BITS = 0x3ff,
       LVT_VECTOR = 0xff | LVT_MASKED,
       LVT_MODE = LVT_VECTOR | LVT_MODE_FIELD << LVT_MODE_SHIFT,
       LVT_PIN = LVT_MODE | 1 << 13 | 1 << 15,
       LVT_DELIVERY_STATUS = 1 << 12,
       LVT_REMOTE_IRR = 1 << 14,
       LVT_PIN_STATUS = LVT_DELIVERY_STATUS | LVT_REMOTE_IRR,
};

#define ICR_BITS	  UINT32_C(0x000ccfff)
#define ICR_WHERE_AND_HOW UINT32_C(0x000c0700)
#define ICR_FIXED_TO_SELF UINT32_C(0x00040000)
#define ICR_PENDING	  UINT32_C(0x00001000) /* delivery is never pending here */
#define XAPIC_ID_BITS	  UINT32_C(0xff000000)

struct register_row {
	uint32_t writable, ignored;
	uint8_t access;
};

static const struct register_row rows[LAPIC_REGISTERS] = {
	[LAPIC_ID] = { XAPIC_ID_BITS, 0, READ_ONLY | WRITE },
	[LAPIC_VERSION] = { 0, 0, READ_ONLY },
	[LAPIC_TPR] = { 0xff, 0, ALWAYS },
	[LAPIC_APR] = { 0, 0, READ }, /* 0: it arbitrated on the P6's bus */
	[LAPIC_PPR] = { 0, 0, READ_ONLY },
	[LAPIC_EOI] = { 0, 0, WRITE_ONLY },
	[LAPIC_RRD] = { 0, 0, READ },
	[LAPIC_LDR] = { XAPIC_ID_BITS, 0, READ_ONLY | WRITE },
	[LAPIC_DFR] = { ~DFR_RESERVED_ONES, 0, XAPIC_ONLY },
	[LAPIC_SVR] = { SVR_BITS | SVR_SUPPRESSES_EOI, 0, ALWAYS },
	[LAPIC_ISR... LAPIC_IRR + 7] = { 0, 0, READ_ONLY }, /* with TMR between */
	[LAPIC_ESR] = { 0, 0, ALWAYS },
	[LAPIC_LVT_CMCI] = { LVT_MODE, LVT_DELIVERY_STATUS, ALWAYS },
	[LAPIC_ICR] = { ICR_BITS, ICR_PENDING, ALWAYS },
	[LAPIC_ICR2] = { XAPIC_ID_BITS, 0, XAPIC_ONLY },
	[LAPIC_LVT_TIMER] = { LVT_VECTOR | LVT_TIMER_MODE, LVT_DELIVERY_STATUS, ALWAYS },
	[LAPIC_LVT_THERMAL] = { LVT_MODE, LVT_DELIVERY_STATUS, ALWAYS },
	[LAPIC_LVT_PERFORMANCE] = { LVT_MODE, LVT_DELIVERY_STATUS, ALWAYS },
	[LAPIC_LVT_LINT0] = { LVT_PIN, LVT_PIN_STATUS, ALWAYS },
	[LAPIC_LVT_LINT1] = { LVT_PIN, LVT_PIN_STATUS, ALWAYS },
	[LAPIC_LVT_ERROR] = { LVT_VECTOR, LVT_DELIVERY_STATUS, ALWAYS },
	[LAPIC_INITIAL_COUNT] = { UINT32_MAX, 0, ALWAYS },
	[LAPIC_CURRENT_COUNT] = { 0, 0, READ_ONLY },
	[LAPIC_DIVIDE] = { 0xb, 0, ALWAYS },
	[LAPIC_SELF_IPI] = { 0xff, 0, WRITE_X2APIC },
};

/* Which accesses there are to register @index; 0 if it is reserved. */
static uint8_t access_to(const struct lapic *lapic, uint32_t index)
{
	if (index >= LAPIC_REGISTERS ||
	    (index == LAPIC_LVT_CMCI && !lapic_has_feature(lapic, LAPIC_HAS_CMCI)))
		return 0;
	return rows[index].access;
}

uint32_t lapic_writable_bits(const struct lapic *lapic, uint32_t index)
{
	uint32_t bits = rows[index].writable;

	if (index == LAPIC_LVT_TIMER && !lapic_has_feature(lapic, LAPIC_HAS_TSC_DEADLINE))
		bits &= ~(uint32_t)LVT_TIMER_TSC;
	if (index == LAPIC_SVR && !lapic_has_feature(lapic, LAPIC_OFFERS_EOI_SUPPRESSION))
		bits &= ~(uint32_t)SVR_SUPPRESSES_EOI;
	return bits;
}

static void send_to_self(struct lapic *lapic, uint8_t vector)
{
	if (vector < LAPIC_FIRST_VECTOR)
		lapic_note_errors(lapic, ESR_SEND_ILLEGAL_VECTOR);
	else if (lapic_is_software_enabled(lapic))
		lapic_accept(lapic, vector, false);
}

/* Sends what ICR says. */
static void send(struct lapic *lapic)
{
	uint64_t icr = (uint64_t)lapic->regs[LAPIC_ICR2] << 32 | lapic->regs[LAPIC_ICR];
	struct apic_message message = apic_message_from_icr(icr, lapic_is_x2apic(lapic));

	message.source = lapic;
	if (message.mode <= APIC_LOWEST_PRIORITY && message.vector < LAPIC_FIRST_VECTOR)
		lapic_note_errors(lapic, ESR_SEND_ILLEGAL_VECTOR);
	else
		(void)apic_deliver(lapic->map, &message);
}

uint32_t lapic_read(struct lapic *lapic, uint32_t index, uint64_t now_ns)
{
	switch (index) {
	case LAPIC_PPR:
		return lapic_priority(lapic);
	case LAPIC_ISR ... LAPIC_ISR + 7:
		return vectors_register_shared(&lapic->isr, index - LAPIC_ISR);
	case LAPIC_TMR ... LAPIC_TMR + 7:
		return vectors_register_shared(&lapic->tmr, index - LAPIC_TMR);
	case LAPIC_IRR ... LAPIC_IRR + 7:
		lapic_merge(lapic);
		return vectors_register_shared(&lapic->irr, index - LAPIC_IRR);
	case LAPIC_CURRENT_COUNT:
		return lapic_timer_count(lapic, now_ns);
	default:
		return lapic->regs[index];
	}
}

static void write_svr(struct lapic *lapic, uint32_t value, uint64_t now_ns)
{
	lapic->regs[LAPIC_SVR] = value;
	lapic_publish(lapic);
	if (value & SVR_ENABLED)
		return;
	lapic_timer_set_lvt(lapic, lapic->regs[LAPIC_LVT_TIMER] | LVT_MASKED, now_ns);
	lapic_mask_lvts(lapic);
}

/* @value has writable bits only. */
static enum lapic_result write(struct lapic *lapic, uint32_t index, uint32_t value, uint64_t now_ns)
{
	switch (index) {
	case LAPIC_EOI:
		return lapic_eoi(lapic);
	case LAPIC_ICR:
		lapic->regs[LAPIC_ICR] = value;
		if ((value & ICR_WHERE_AND_HOW) == ICR_FIXED_TO_SELF)
			send_to_self(lapic, (uint8_t)value);
		else
			send(lapic);
		break;
	case LAPIC_SELF_IPI:
		send_to_self(lapic, (uint8_t)value);
		break;
	case LAPIC_INITIAL_COUNT:
		lapic_timer_set_initial(lapic, value, now_ns);
		break;
	case LAPIC_DIVIDE:
		lapic_timer_set_divide(lapic, value, now_ns);
		break;
	case LAPIC_LVT_TIMER:
		value |= lapic_is_software_enabled(lapic) ? 0 : LVT_MASKED;
		lapic_timer_set_lvt(lapic, value, now_ns);
		break;
	case LAPIC_LVT_THERMAL ... LAPIC_LVT_ERROR:
	case LAPIC_LVT_CMCI:
		value |= lapic_is_software_enabled(lapic) ? 0 : LVT_MASKED;
		lapic->regs[index] = value;
		break;
	case LAPIC_ID:
	case LAPIC_LDR:
	case LAPIC_DFR:
		lapic->regs[index] = value | (index == LAPIC_DFR ? DFR_RESERVED_ONES : 0);
		lapic_publish(lapic);
		break;
	case LAPIC_SVR:
		write_svr(lapic, value, now_ns);
		break;
	case LAPIC_ESR:
		lapic_merge(lapic);
		lapic->regs[LAPIC_ESR] = lapic->errors;
		lapic->errors = 0;
		break;
	default: /* TPR, ICR2 */
		lapic->regs[index] = value;
		break;
	}
	return LAPIC_DONE;
}

bool lapic_is_alone(const struct lapic *lapic, uint32_t offset, bool is_write, uint32_t value)
{
	switch (offset >> 4) {
	case LAPIC_TPR:
	case LAPIC_PPR:
	case LAPIC_IRR ... LAPIC_IRR + 7:
		return false;
	case LAPIC_EOI:
		return is_write && lapic_eoi_is_private(lapic);
	case LAPIC_ICR:
		if (is_write)
			return (value & ICR_WHERE_AND_HOW) == ICR_FIXED_TO_SELF &&
			       (uint8_t)value >= LAPIC_FIRST_VECTOR;
		return true;
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERFORMANCE:
	case LAPIC_LVT_LINT1:
	case LAPIC_LVT_ERROR:
		return true;
	default:
		return !is_write && access_to(lapic, offset >> 4) & READ;
	}
}

uint64_t lapic_mmio_read(struct lapic *lapic, uint32_t offset, uint32_t size_bytes, uint64_t now_ns)
{
	uint32_t index = offset >> 4;
	uint32_t skipped_bytes = offset & 15;
	uint8_t access = access_to(lapic, index);
	uint64_t value;

	if (!(access & READ)) {
		if (!access || access == WRITE_X2APIC)
			lapic_note_errors(lapic, ESR_ILLEGAL_REGISTER);
		return 0;
	}
	if (skipped_bytes >= sizeof(uint32_t))
		return 0;
	value = lapic_read(lapic, index, now_ns);
	value >>= skipped_bytes * 8;
	return value & UINT64_MAX >> (64 - size_bytes * 8);
}

enum lapic_result lapic_mmio_write(struct lapic *lapic, uint32_t offset, uint32_t size_bytes,
				   uint64_t value, uint64_t now_ns)
{
	uint32_t index = offset >> 4;
	uint8_t access = access_to(lapic, index);

	if (size_bytes != sizeof(uint32_t) || offset & 15)
		return LAPIC_DONE;
	if (!(access & WRITE)) {
		if (!(access & READ))
			lapic_note_errors(lapic, ESR_ILLEGAL_REGISTER);
		return LAPIC_DONE;
	}
	return write(lapic, index, (uint32_t)value & lapic_writable_bits(lapic, index), now_ns);
}

enum lapic_result lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t now_ns,
				 uint64_t *value)
{
	uint32_t index = msr - LAPIC_MSR_BASE;

	if (!lapic_is_x2apic(lapic) || !(access_to(lapic, index) & READ_X2APIC))
		return LAPIC_FAULT;
	*value = lapic_read(lapic, index, now_ns);
	if (index == LAPIC_ICR)
		*value |= (uint64_t)lapic->regs[LAPIC_ICR2] << 32;
	return LAPIC_DONE;
}

enum lapic_result lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value,
				  uint64_t now_ns)
{
	uint32_t index = msr - LAPIC_MSR_BASE;
	uint32_t writable;

	if (!lapic_is_x2apic(lapic) || !(access_to(lapic, index) & WRITE_X2APIC))
		return LAPIC_FAULT;
	writable = lapic_writable_bits(lapic, index);
	if ((uint32_t)value & ~(writable | rows[index].ignored))
		return LAPIC_FAULT;

	if (index == LAPIC_ICR)
		lapic->regs[LAPIC_ICR2] = (uint32_t)(value >> 32);
	else if (value >> 32)
		return LAPIC_FAULT;
	return write(lapic, index, (uint32_t)value & writable, now_ns);
}
