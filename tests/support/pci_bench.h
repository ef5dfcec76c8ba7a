/*
 * A machine of buses and memory, without processors: the test plays the guest by accesses to its ports
 * and addresses. What a processor would do under vm->lock, these functions do under it.
 */
#pragma once

#include <pthread.h>

#include "tests/support/irq_probe.h"
#include "tests/support/kick_probe.h"
#include "tests/support/message_probe.h"
#include "vmm/bus.h"
#include "vmm/memory.h"
#include "vmm/pci/pci.h"
#include "vmm/virtio/pci.h"

struct pci_bench {
	pthread_mutex_t lock;
	struct loop loop;
	struct bus io, mmio;
	struct pci_bus pci;
	struct guest_memory memory;
	struct message_probe messages;
	struct msi_router message_router;
	struct kick_probe kicks;
	struct kick_router kick_router;
	struct irq_probe intx;
};

/* Stays put until pci_bench_stop(). */
void pci_bench_start(struct pci_bench *bench, uint64_t memory_bytes);
void pci_bench_stop(struct pci_bench *bench);

struct virtio_pci_host pci_bench_host(struct pci_bench *bench);

uint64_t bench_in(struct pci_bench *bench, uint64_t port, uint32_t size);
void bench_out(struct pci_bench *bench, uint64_t port, uint64_t value, uint32_t size);
uint64_t bench_load(struct pci_bench *bench, uint64_t address, uint32_t size);
void bench_store(struct pci_bench *bench, uint64_t address, uint64_t value, uint32_t size);

/* Configuration space, by ECAM. */
uint32_t bench_config_read(struct pci_bench *bench, uint32_t slot, uint32_t offset, uint32_t size);
void bench_config_write(struct pci_bench *bench, uint32_t slot, uint32_t offset, uint32_t value,
			uint32_t size);
