/*
 * The formats of ICR and MSI: see apic_message.h.
 */
#include <linux/errno.h>
#include <linux/kvm.h>

#include "kernel/kvm/apic_message.h"

enum { /* ICR, bits 31-0 */
       ICR_MODE_SHIFT = 8,
       ICR_LOGICAL = 1 << 11,
       ICR_ASSERT = 1 << 14,
       ICR_LEVEL = 1 << 15,
       ICR_SHORTHAND_SHIFT = 18,
};

enum { /* MSI */
       ADDRESS_LOGICAL = 1 << 2,
       ADDRESS_REDIRECTABLE = 1 << 3,
       ADDRESS_DESTINATION_SHIFT = 12,
       DATA_MODE_SHIFT = 8,
       DATA_LEVEL = 1 << 15,
};

#define ADDRESS_HIGH_RESERVED (UINT64_C(0xff) << 32)

enum { MODE_FIELD = 7, SHORTHAND_FIELD = 3 };

struct apic_message apic_message_from_icr(uint64_t icr, bool is_x2apic)
{
	struct apic_message message = {
		.destination = (uint32_t)(icr >> (is_x2apic ? 32 : 56)),
		.vector = (uint8_t)icr,
		.mode = icr >> ICR_MODE_SHIFT & MODE_FIELD,
		.shorthand = icr >> ICR_SHORTHAND_SHIFT & SHORTHAND_FIELD,
		.is_logical = icr & ICR_LOGICAL,
	};

	/* Only INIT's level means anything: all other IPIs are edges. */
	message.is_deassert = message.mode == APIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT);
	if (message.shorthand != APIC_TO_DESTINATION)
		message.destination = APIC_BROADCAST;
	return message;
}

int apic_message_from_msi(uint64_t address, uint32_t data, uint32_t api_flags,
			  struct apic_message *message)
{
	uint32_t destination = address >> ADDRESS_DESTINATION_SHIFT & 0xff;

	if (api_flags & KVM_X2APIC_API_USE_32BIT_IDS) {
		if (address & ADDRESS_HIGH_RESERVED)
			return -EINVAL;
		destination |= (uint32_t)(address >> 32);
	}
	if (destination == APIC_XAPIC_BROADCAST &&
	    !(api_flags & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK))
		destination = APIC_BROADCAST;

	*message = (struct apic_message){
		.destination = destination,
		.vector = (uint8_t)data,
		.mode = data >> DATA_MODE_SHIFT & MODE_FIELD,
		.is_logical = address & ADDRESS_LOGICAL,
		.is_level = data & DATA_LEVEL,
	};
	if (message->mode == APIC_FIXED && message->is_logical && address & ADDRESS_REDIRECTABLE)
		message->mode = APIC_LOWEST_PRIORITY;
	return 0;
}
