/*
 * A guest's virtio driver: finds its device by walking configuration space, negotiates, sets queues up, kicks.
 *
 *	driver_attach -> driver_begin { ring_add, ring_offer, driver_kick, ring_wait, driver_take_interrupt }
 *		-> driver_detach
 *
 * driver_begin() does all of a good driver's steps; the steps are there one by one too, to be done badly.
 * Vector 0 is for configuration changes, vector 1 + q for queue q; driver_message() is what each sends.
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "tests/support/barrier.h"
#include "tests/support/pci_bench.h"
#include "tests/support/ring.h"

enum {
	DRIVER_RING_SIZE = 64,
	DRIVER_MEMORY_BYTES = 4 << 20, /* what a bench for it needs */
	DRIVER_PATIENCE_MS = 20000,    /* for what must come */
	DRIVER_MESSAGE_AT = 0xfee00000,

	VECTOR_CONFIG = 0,
	VECTOR_QUEUE = 1,
};

#define VIRTIO_BIT(feature) (UINT64_C(1) << (feature))

struct driver {
	struct pci_bench *bench;   /* borrowed */
	struct virtio_pci *device; /* borrowed */
	uint32_t slot;
	uint64_t common_at, isr_at, config_at; /* addresses */
	uint64_t notify_port;
	uint32_t notify_multiplier;
	uint32_t access_capability, msix_capability; /* offsets in configuration space */
	uint64_t msix_table_at, msix_pending_at;
	uint64_t next_free; /* guest memory for buffers */
	struct ring rings[VIRTIO_QUEUE_MAX];
	struct barrier barrier;
};

void driver_attach(struct driver *driver, struct pci_bench *bench, struct virtio_pci *device,
		   uint32_t slot);
void driver_detach(struct driver *driver);

/* @feature_bits besides VERSION_1. Queues of DRIVER_RING_SIZE, MSI-X on, DRIVER_OK. */
void driver_begin(struct driver *driver, uint64_t feature_bits);
bool driver_try_to_begin(struct driver *driver,
			 uint64_t feature_bits); /* the device may disagree */

/* The common configuration; @reg is a VIRTIO_PCI_COMMON_*. */
uint64_t driver_read(struct driver *driver, uint32_t reg, uint32_t size);
void driver_write(struct driver *driver, uint32_t reg, uint64_t value, uint32_t size);

uint8_t driver_status(struct driver *driver);
void driver_set_status(struct driver *driver, uint8_t bits); /* adds them */
void driver_reset(struct driver *driver);
uint64_t driver_offered(struct driver *driver);

/* Reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK: returns whether the device agreed. */
bool driver_negotiate(struct driver *driver, uint64_t features);

/* Lays the rings of @queue out and tells the device; then enables it. */
void driver_place_queue(struct driver *driver, uint16_t queue, uint16_t size);
void driver_enable_queue(struct driver *driver, uint16_t queue);

void driver_enable_msix(struct driver *driver);
void driver_mask_vector(struct driver *driver, uint32_t vector, bool is_masked);
uint32_t driver_message(const struct driver *driver, uint32_t vector);
/* The queue's own where there are vectors enough, else the last one, which is shared. */
uint32_t driver_vector(const struct driver *driver, uint16_t queue);
bool driver_take_interrupt(struct driver *driver, uint32_t vector); /* waits for it */
bool driver_has_interrupt(struct driver *driver, uint32_t vector);

void driver_kick(struct driver *driver, uint16_t queue);

/* Returns when all kicks so far have been dealt with. The device must be live. */
void driver_settle(struct driver *driver);

/* Guest memory for a buffer, zeroed. */
uint64_t driver_allocate(struct driver *driver, uint32_t bytes);
void *driver_at(struct driver *driver, uint64_t at);

/* Does the device want a reset, now that all kicks so far have been dealt with? */
bool driver_sees_failure(struct driver *driver);
