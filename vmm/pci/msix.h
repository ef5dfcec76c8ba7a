/*
 * MSI-X: the table of messages that a PCI function sends instead of pulling its interrupt line.
 *
 * Each vector is an eventfd. While the vector is live (MSI-X enabled, function and vector unmasked) the
 * router delivers a message for each write to it; while masked the writes stay in the eventfd, which is
 * the pending bit, and are delivered once the vector is unmasked. So msix_fire() is one write, from any thread.
 *
 * Context: the holder of vm->lock, but for msix_fire(). Source: PCI Local Bus Specification 3.0, 6.8.2 "MSI-X
 * Capability and Table Structure".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/pci/pci.h"

enum {
	MSIX_ENTRY_BYTES = 16,
	MSIX_VECTOR_MAX = 64,
};

/* Who turns a write to an eventfd into a message to a local APIC. */
struct msi_router {
	/* From now on a write to @fd sends @data to @address; what is pending in @fd is sent now. */
	int (*attach)(void *context, int fd, uint64_t address, uint32_t data, uint32_t *gsi);
	void (*detach)(void *context, int fd, uint32_t gsi);
	void *context;
};

struct msix_entry {
	uint32_t address_low, address_high, data, control;
};

/* What the guest can see or set; saved with the VM, with the pending bits. */
struct msix_state {
	struct msix_entry entries[MSIX_VECTOR_MAX];
};

struct msix_vector {
	int fd;
	bool is_attached;
	uint32_t gsi; /* the router's, while attached */
};

struct msix {
	struct msix_state state;
	uint32_t nr_vectors;
	uint32_t capability;		 /* offset in configuration space */
	struct pci_function *function;	 /* borrowed */
	const struct msi_router *router; /* borrowed */
	struct msix_vector vectors[MSIX_VECTOR_MAX];
};

/**
 * msix_create() - give @function the capability, and each vector an eventfd
 * @bar, @table, @pending: where the device will map msix_table_*() and msix_pending_read()
 */
MUST_CHECK int msix_create(struct msix *msix, struct pci_function *function,
			   const struct msi_router *router, uint32_t nr_vectors, uint32_t bar,
			   uint32_t table, uint32_t pending);
void msix_destroy(struct msix *msix);
void msix_reset(struct msix *msix);
void msix_forget_pending(struct msix *msix);

bool msix_is_enabled(const struct msix *msix);
/* Any thread. @vector below nr_vectors; anything else is ignored: that is how drivers say "none". */
void msix_fire(struct msix *msix, uint32_t vector);

/* The device calls this from its config_written. */
void msix_config_written(struct msix *msix, uint32_t offset, uint32_t size);

uint64_t msix_table_read(const struct msix *msix, uint64_t offset, uint32_t size);
void msix_table_write(struct msix *msix, uint64_t offset, uint64_t value, uint32_t size);
uint64_t msix_pending_read(const struct msix *msix, uint64_t offset, uint32_t size);
