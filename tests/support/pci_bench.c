/*
 * A machine of buses and memory: see pci_bench.h.
 */
#include "tests/support/pci_bench.h"
#include "vmm/boot/layout.h"

enum {
	PCI_PORTS = 8,
	INTX_GSI = 17,
};

void pci_bench_start(struct pci_bench *bench, uint64_t memory_bytes)
{
	static const struct pci_windows windows = {
		.io_start = PORT_PCI_START,
		.io_end = PORT_PCI_END,
		.mem32_start = PCI_MEM32_START,
		.mem32_end = PCI_MEM32_END,
	};
	const struct bus_region ports = { .base = PORT_PCI_CONFIG,
					  .size = PCI_PORTS,
					  .name = "pci",
					  .ops = &pci_ports_ops,
					  .device = &bench->pci };
	const struct bus_region ecam = { .base = PCI_ECAM_AT,
					 .size = PCI_ECAM_BYTES,
					 .name = "ecam",
					 .ops = &pci_ecam_ops,
					 .device = &bench->pci };
	struct errmsg why = { 0 };
	int err;

	*bench = (struct pci_bench){ .lock = PTHREAD_MUTEX_INITIALIZER, .io.limit = 0x10000 };
	bench->message_router = message_probe_router(&bench->messages);
	bench->kick_router = kick_probe_router(&bench->kicks);
	pci_bus_init(&bench->pci, &bench->io, &bench->mmio, &windows);
	err = loop_create(&bench->loop);
	assert(!err);
	err = memory_create(memory_bytes, &bench->memory, &why);
	assert(!err);
	err = bus_add(&bench->io, &ports);
	assert(!err);
	err = bus_add(&bench->mmio, &ecam);
	assert(!err);
}

void pci_bench_stop(struct pci_bench *bench)
{
	memory_destroy(&bench->memory);
	loop_destroy(&bench->loop);
	pthread_mutex_destroy(&bench->lock);
}

struct virtio_pci_host pci_bench_host(struct pci_bench *bench)
{
	return (struct virtio_pci_host){
		.bus = &bench->pci,
		.loop = &bench->loop,
		.lock = &bench->lock,
		.msis = &bench->message_router,
		.kicks = &bench->kick_router,
		.intx = irq_probe_line(&bench->intx, INTX_GSI),
	};
}

uint64_t bench_in(struct pci_bench *bench, uint64_t port, uint32_t size)
{
	uint64_t value;

	pthread_mutex_lock(&bench->lock);
	value = bus_read(&bench->io, port, size);
	pthread_mutex_unlock(&bench->lock);
	return value;
}

/* The kernel catches words, which is how drivers notify: the bus doesn't see them. */
void bench_out(struct pci_bench *bench, uint64_t port, uint64_t value, uint32_t size)
{
	if (size == 2 && kick_probe_write(&bench->kicks, (uint16_t)port))
		return;
	pthread_mutex_lock(&bench->lock);
	bus_write(&bench->io, port, value, size);
	pthread_mutex_unlock(&bench->lock);
}

uint64_t bench_load(struct pci_bench *bench, uint64_t address, uint32_t size)
{
	uint64_t value;

	pthread_mutex_lock(&bench->lock);
	value = bus_read(&bench->mmio, address, size);
	pthread_mutex_unlock(&bench->lock);
	return value;
}

void bench_store(struct pci_bench *bench, uint64_t address, uint64_t value, uint32_t size)
{
	pthread_mutex_lock(&bench->lock);
	bus_write(&bench->mmio, address, value, size);
	pthread_mutex_unlock(&bench->lock);
}

static uint64_t ecam_address(uint32_t slot, uint32_t offset)
{
	return PCI_ECAM_AT + (uint64_t)slot * 8 * PCI_ECAM_FUNCTION_BYTES + offset;
}

uint32_t bench_config_read(struct pci_bench *bench, uint32_t slot, uint32_t offset, uint32_t size)
{
	return (uint32_t)bench_load(bench, ecam_address(slot, offset), size);
}

void bench_config_write(struct pci_bench *bench, uint32_t slot, uint32_t offset, uint32_t value,
			uint32_t size)
{
	bench_store(bench, ecam_address(slot, offset), value, size);
}
