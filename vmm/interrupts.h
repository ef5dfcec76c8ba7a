/*
 * The VM's interrupt controllers outside its processors: PIC and I/O APIC here in ring 3, and the routes by
 * which messages reach the local APICs in the kernel ("split irqchip").
 *
 *   device --irq_line--> PIC ----output----> vCPU 0 injects the vector when it can take it
 *                   \--> I/O APIC --message--> local APIC
 *   device --eventfd--> route --message--> local APIC        (MSI-X, without ring 3)
 *
 * Context: the holder of vm->lock, unless said otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/irq_line.h"
#include "vmm/kvm.h"
#include "vmm/pci/msix.h"
#include "vmm/platform/ioapic.h"
#include "vmm/platform/pic.h"
#include "vmm/virtio/pci.h"

enum { ROUTES_MAX = 256 };

struct route {
	bool is_live;
	uint64_t address;
	uint32_t data;
};

struct interrupts {
	const struct kvm *kvm; /* borrowed */
	struct ioapic ioapic;
	struct pic pic;
	bool has_extint;		      /* [a] the PIC asks for vCPU 0 */
	void (*extint_raised)(void *context); /* has_extint became true */
	void *context;
	struct route routes[ROUTES_MAX]; /* by GSI: the I/O APIC's pins, then messages */
	struct msi_router msis;
	struct kick_router kicks;
};

void interrupts_init(struct interrupts *interrupts, const struct kvm *kvm,
		     void (*extint_raised)(void *context), void *context);
void interrupts_reset(struct interrupts *interrupts);

/* The wire of @gsi, for a device. */
struct irq_line interrupts_line(struct interrupts *interrupts, uint32_t gsi);
