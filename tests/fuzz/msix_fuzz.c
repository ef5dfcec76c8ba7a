/*
 * MSI-X tables pointing anywhere. What must hold: exactly the live vectors have a route, to what their
 * entry says, and what is masked and fired is pending.
 */
#include "tests/support/fuzz_script.h"
#include "tests/support/message_probe.h"
#include "vmm/pci/msix.h"

enum { VECTORS = 5, TABLE = 0x3000, PENDING = 0x3800, WINDOW_BYTES = 0x800 };

struct bench {
	struct pci_function function;
	struct message_probe messages;
	struct msi_router router;
	struct msix msix;
};

static const struct pci_function_ops no_ops = { 0 };

static void start(struct bench *bench)
{
	static const struct pci_id id = { 0 };

	bench->messages = (struct message_probe){ 0 };
	bench->router = message_probe_router(&bench->messages);
	pci_function_init(&bench->function, "probe", &id, &no_ops, bench);
	fuzz_claim(!msix_create(&bench->msix, &bench->function, &bench->router, VECTORS, 1, TABLE,
				PENDING));
}

static uint16_t flags(const struct bench *bench)
{
	return pci_config_get16(&bench->function, bench->msix.capability + PCI_MSIX_FLAGS);
}

static bool is_live(const struct bench *bench, uint32_t vector)
{
	return (flags(bench) & PCI_MSIX_FLAGS_ENABLE) && !(flags(bench) & PCI_MSIX_FLAGS_MASKALL) &&
	       !(bench->msix.state.entries[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static void check(struct bench *bench)
{
	uint32_t live = 0;

	for (uint32_t vector = 0; vector < VECTORS; vector++) {
		const struct msix_entry *entry = &bench->msix.state.entries[vector];

		if (!is_live(bench, vector))
			continue;
		live++;
		fuzz_claim(message_find(&bench->messages,
					entry->address_low | (uint64_t)entry->address_high << 32,
					entry->data));
	}
	fuzz_claim(message_count_routes(&bench->messages) == live);
}

static void set_flags(struct bench *bench, struct fuzz_script *script)
{
	uint32_t at = bench->msix.capability + PCI_MSIX_FLAGS;
	uint16_t wanted = (uint16_t)(fuzz_take(script, 1) << 8) &
			  (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);

	pci_config_set16(&bench->function, at,
			 (uint16_t)((flags(bench) & PCI_MSIX_FLAGS_QSIZE) | wanted));
	msix_config_written(&bench->msix, at, 2);
}

static void fire(struct bench *bench, struct fuzz_script *script)
{
	uint32_t vector = (uint32_t)fuzz_take(script, 1);

	msix_fire(&bench->msix, vector);
	if (vector < VECTORS && !is_live(bench, vector))
		fuzz_claim(msix_pending_read(&bench->msix, 0, 8) >> vector & 1);
}

static void step(struct bench *bench, struct fuzz_script *script)
{
	uint8_t how = (uint8_t)fuzz_take(script, 1);
	uint32_t size = 1u << (how >> 3 & 3);
	uint64_t offset;

	switch (how & 7) {
	case 0:
		set_flags(bench, script);
		break;
	case 1:
		fire(bench, script);
		break;
	case 2:
		msix_reset(&bench->msix);
		pci_config_set16(&bench->function, bench->msix.capability + PCI_MSIX_FLAGS,
				 VECTORS - 1);
		break;
	case 3:
		offset = fuzz_take(script, 2) % (WINDOW_BYTES - size + 1);
		(void)msix_table_read(&bench->msix, offset, size);
		(void)msix_pending_read(&bench->msix, offset, size);
		break;
	default:
		offset = fuzz_take(script, how & 0x40 ? 2 : 1) %
			 (how & 0x40 ? WINDOW_BYTES - size + 1 : 80);
		msix_table_write(&bench->msix, offset, fuzz_take(script, size), size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fuzz_script script = { bytes, n };
	struct bench bench;

	start(&bench);
	while (fuzz_has_more(&script)) {
		step(&bench, &script);
		check(&bench);
	}
	msix_destroy(&bench.msix);
	fuzz_claim(message_count_routes(&bench.messages) == 0);
	return 0;
}
