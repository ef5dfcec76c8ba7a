/*
 * The fixed part of the machine: the devices that every PC has, at their usual ports.
 *
 * Context: the holder of vm->lock, unless said otherwise.
 */
#pragma once

#include "vmm/console.h"
#include "vmm/interrupts.h"
#include "vmm/pci/host_bridge.h"
#include "vmm/platform/pit.h"
#include "vmm/platform/pm.h"
#include "vmm/platform/reset.h"
#include "vmm/platform/rtc.h"
#include "vmm/platform/uart.h"

struct platform {
	struct uart com1;
	struct rtc rtc;
	struct pit pit;
	struct pm pm;
	struct reset reset;
	struct pci_bus pci;
	struct pci_function host_bridge;
};

/* What the platform is built from. All borrowed. */
struct platform_host {
	struct bus *io, *mmio;
	struct loop *loop;
	const struct vmclock *clock;
	pthread_mutex_t *lock;
	struct interrupts *interrupts;
	const struct guest_memory *memory;
	struct power_sink power;
	struct uart_console console;
};

MUST_CHECK int platform_create(struct platform *platform, const struct platform_host *host,
			       struct errmsg *why);
void platform_destroy(struct platform *platform);

void platform_reset(struct platform *platform);

/* After the VM's clock was thawed. */
void platform_resume(struct platform *platform);
