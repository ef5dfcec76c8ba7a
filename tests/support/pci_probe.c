/*
 * A PCI function that remembers what was done to it: see pci_probe.h.
 */
#include "tests/support/pci_probe.h"

static uint64_t bar_read(void *device, uint64_t offset, uint32_t size UNUSED)
{
	struct pci_probe *probe = device;

	probe->reads++;
	probe->offset = offset;
	return 0x5a;
}

static void bar_write(void *device, uint64_t offset, uint64_t value, uint32_t size UNUSED)
{
	struct pci_probe *probe = device;

	probe->writes++;
	probe->offset = offset;
	probe->value = value;
}

static const struct bus_ops bar_ops = { .read = bar_read, .write = bar_write };

static struct pci_probe *to_probe(struct pci_function *function)
{
	return container_of(function, struct pci_probe, function);
}

static void config_written(struct pci_function *function, uint32_t offset UNUSED,
			   uint32_t size UNUSED)
{
	to_probe(function)->config_writes++;
}

static void config_reading(struct pci_function *function, uint32_t offset UNUSED,
			   uint32_t size UNUSED)
{
	to_probe(function)->config_reads++;
}

static void bar_changed(struct pci_function *function, uint32_t bar UNUSED)
{
	to_probe(function)->bar_changes++;
}

static const struct pci_function_ops probe_ops = {
	.config_written = config_written,
	.config_reading = config_reading,
	.bar_changed = bar_changed,
};

void pci_probe_init(struct pci_probe *probe, const char *name)
{
	static const struct pci_id id = { .vendor = PROBE_VENDOR,
					  .device = PROBE_DEVICE,
					  .subsystem_vendor = 0x9abc,
					  .subsystem = 0xdef0,
					  .class_code = 0x020304,
					  .revision = 7 };
	static const struct pci_bar io = { .size = PROBE_IO_BYTES, .is_io = true, .ops = &bar_ops };
	static const struct pci_bar memory = { .size = PROBE_MEMORY_BYTES, .ops = &bar_ops };

	*probe = (struct pci_probe){ 0 };
	pci_function_init(&probe->function, name, &id, &probe_ops, probe);
	pci_function_set_bar(&probe->function, PROBE_BAR_IO, &io);
	pci_function_set_bar(&probe->function, PROBE_BAR_MEMORY, &memory);
}

void pci_probe_add_64bit_bar(struct pci_probe *probe)
{
	static const struct pci_bar memory64 = { .size = PROBE_MEMORY64_BYTES,
						 .is_64bit = true,
						 .ops = &bar_ops };

	pci_function_set_bar(&probe->function, PROBE_BAR_MEMORY64, &memory64);
}
