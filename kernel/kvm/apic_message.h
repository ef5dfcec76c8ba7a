/*
 * An interrupt message as it travels between APICs: from an ICR or an MSI. Read from their formats here; who
 * gets it is apic_map.h's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

struct lapic;

/* Delivery modes, as in ICR, MSI data and LVT. */
enum apic_mode {
	APIC_FIXED,
	APIC_LOWEST_PRIORITY,
	APIC_SMI,
	APIC_REMOTE_READ,
	APIC_NMI,
	APIC_INIT,
	APIC_SIPI,
	APIC_EXTINT,
};

/* Destination shorthands, as in ICR. */
enum apic_shorthand { APIC_TO_DESTINATION, APIC_TO_SELF, APIC_TO_ALL, APIC_TO_OTHERS };

#define APIC_BROADCAST	     UINT32_C(0xffffffff)
#define APIC_XAPIC_BROADCAST UINT32_C(0xff) /* to those in xAPIC mode */

struct apic_message {
	struct lapic *source; /* its owner calls; NULL: not from an APIC */
	uint32_t destination; /* APIC_BROADCAST: all; else by is_logical */
	uint8_t vector;
	uint8_t mode;	   /* enum apic_mode */
	uint8_t shorthand; /* enum apic_shorthand; but TO_DESTINATION only with a source */
	bool is_logical;
	bool is_level;
	bool is_deassert; /* of INIT, which nobody minds any more */
};

/*
 * @icr: in x2APIC's form if @is_x2apic, else in xAPIC's (the destination in bits 63-56).
 * The source is left for the caller to fill in.
 */
struct apic_message apic_message_from_icr(uint64_t icr, bool is_x2apic);

/**
 * apic_message_from_msi() - what a device's write of @data to @address means
 * @api_flags: the VM's KVM_X2APIC_API_... flags
 *
 * With USE_32BIT_IDS bits 63-40 of the address hold bits 31-8 of the destination; without, they are ignored.
 * Without DISABLE_BROADCAST_QUIRK destination 0xff is everybody, whatever their mode.
 * Returns 0; -EINVAL: bits 39-32 set with 32-bit ids.
 * Source: KVM API, "KVM_SIGNAL_MSI", "KVM_CAP_X2APIC_API"; Intel SDM vol. 3, "Message Signalled Interrupts".
 */
MUST_CHECK int apic_message_from_msi(uint64_t address, uint32_t data, uint32_t api_flags,
				     struct apic_message *message);
