/*
 * The far end of the MSI-X vectors: what a kernel does with an irqfd, by hand.
 *
 * A vector's eventfd that was written to while it is attached is a message delivered; one that was
 * written to before is delivered at once when it is attached, and stays readable, as with KVM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/pci/msix.h"

enum { MESSAGE_ROUTES_MAX = 64 };

struct message_route {
	bool is_attached;
	bool was_pending; /* when it was attached, and not yet taken */
	int fd;
	uint64_t address;
	uint32_t data;
};

struct message_probe {
	struct message_route routes[MESSAGE_ROUTES_MAX]; /* by GSI */
	unsigned long attached;				 /* how often, ever */
	int refusal; /* what attaching fails with; 0: it works */
};

struct msi_router message_probe_router(struct message_probe *probe);

/* The live route with this message; NULL if there is none. */
struct message_route *message_find(struct message_probe *probe, uint64_t address, uint32_t data);
uint32_t message_count_routes(const struct message_probe *probe);

/* Waits up to @timeout_ms for a message and consumes it. */
bool message_take(struct message_probe *probe, uint64_t address, uint32_t data, int timeout_ms);
