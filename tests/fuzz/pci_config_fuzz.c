/*
 * Configuration space of three functions, by ECAM and by ports, with BARs wherever the guest puts them. What
 * must hold: regions on the buses never overlap, identities stay, and a reset brings every BAR back.
 */
#include "tests/support/echo.h"
#include "tests/support/fuzz_script.h"
#include "tests/support/pci_bench.h"
#include "tests/support/pci_probe.h"
#include "vmm/boot/layout.h"

enum { PROBES = 2, ECHO_SLOT = 3, MIB = 1 << 20, STEPS_MAX = 300, PORT_DATA = PORT_PCI_CONFIG + 4 };

struct bench {
	struct pci_bench pci;
	struct pci_probe probes[PROBES];
	struct virtio_pci *device;
	uint32_t nr_io, nr_mmio; /* regions after power-on */
};

static void start(struct bench *bench)
{
	static const char *const names[PROBES] = { "first", "second" };
	struct virtio_pci_host host;
	struct errmsg why = { 0 };

	pci_bench_start(&bench->pci, MIB);
	host = pci_bench_host(&bench->pci);
	for (uint32_t i = 0; i < PROBES; i++) {
		pci_probe_init(&bench->probes[i], names[i]);
		fuzz_claim(!pci_add(&bench->pci.pci, i, &bench->probes[i].function, &why));
	}
	fuzz_claim(!virtio_pci_create(&echo_create("echo", &bench->pci.memory)->dev, &host,
				      ECHO_SLOT, &bench->device, &why));
	bench->nr_io = bench->pci.io.nr_regions;
	bench->nr_mmio = bench->pci.mmio.nr_regions;
}

static void reset(struct bench *bench)
{
	for (uint32_t i = 0; i < PROBES; i++)
		pci_function_reset(&bench->probes[i].function);
	virtio_pci_reset(bench->device);
	bench->pci.pci.address = 0;
	fuzz_claim(bench->pci.io.nr_regions == bench->nr_io);
	fuzz_claim(bench->pci.mmio.nr_regions == bench->nr_mmio);
}

static void check_bus(const struct bus *bus)
{
	for (uint32_t i = 1; i < bus->nr_regions; i++) {
		const struct bus_region *before = &bus->regions[i - 1];

		fuzz_claim(before->base + (before->size - 1) < bus->regions[i].base);
	}
}

static void check(struct bench *bench)
{
	check_bus(&bench->pci.io);
	check_bus(&bench->pci.mmio);
	for (uint32_t i = 0; i < PROBES; i++)
		fuzz_claim(bench_config_read(&bench->pci, i, PCI_VENDOR_ID, 4) ==
			   (PROBE_DEVICE << 16 | PROBE_VENDOR));
}

/* One of the registers that place BARs, where a bug would be; or any. */
static uint32_t take_register(struct fuzz_script *script)
{
	uint8_t which = (uint8_t)fuzz_take(script, 1);

	if (which < 0x60)
		return PCI_BASE_ADDRESS_0 + which % 8;
	if (which < 0x80)
		return PCI_COMMAND;
	return (uint32_t)fuzz_take(script, 2) & 0xfff;
}

/* A place that somebody may have already, or any. */
static uint32_t take_value(struct fuzz_script *script, uint32_t size)
{
	static const uint32_t places[] = { PORT_PCI_START,
					   PORT_PCI_START + 0x10,
					   PORT_PCI_CONFIG,
					   PCI_MEM32_START,
					   PCI_MEM32_START + 0x1000,
					   PCI_MEM32_START + 0x4000,
					   PCI_ECAM_AT,
					   UINT32_MAX };
	uint8_t which = (uint8_t)fuzz_take(script, 1);

	return which < 0xc0 ? places[which % ARRAY_SIZE(places)]
			    : (uint32_t)fuzz_take(script, size);
}

static void step(struct bench *bench, struct fuzz_script *script)
{
	uint8_t how = (uint8_t)fuzz_take(script, 1);
	uint32_t size = 1u << (how >> 6) % 3;
	uint32_t slot = how >> 3 & 7;
	uint32_t reg;

	switch (how & 7) {
	case 0:
	case 1:
	case 2:
		reg = take_register(script);
		bench_config_write(&bench->pci, slot, reg, take_value(script, size), size);
		break;
	case 3:
		(void)bench_config_read(&bench->pci, slot, take_register(script), size);
		break;
	case 4:
		bench_out(&bench->pci, PORT_PCI_CONFIG, fuzz_take(script, 4), 4);
		break;
	case 5:
		reg = (uint32_t)fuzz_take(script, 1) & 3;
		bench_out(&bench->pci, PORT_DATA + reg, take_value(script, size), size);
		(void)bench_in(&bench->pci, PORT_DATA + reg, size);
		break;
	case 6:
		bench_store(&bench->pci, PCI_MEM32_START + fuzz_take(script, 2),
			    fuzz_take(script, 8), 8);
		break;
	default:
		(void)bench_load(&bench->pci, PCI_ECAM_AT + fuzz_take(script, 3), 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct bench bench;
	struct fuzz_script script = { bytes, n };

	if (!bench.device)
		start(&bench);
	for (unsigned i = 0; i < STEPS_MAX && fuzz_has_more(&script); i++) {
		step(&bench, &script);
		check(&bench);
	}
	reset(&bench);
	return 0;
}
