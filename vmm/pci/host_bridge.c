/*
 * The PCI host bridge: see host_bridge.h. Its identity is that of the Q35's, which firmware knows.
 */
#include "vmm/pci/host_bridge.h"

static const struct pci_function_ops host_bridge_ops = { 0 };

void host_bridge_init(struct pci_function *function)
{
	static const struct pci_id id = {
		.vendor = 0x8086,
		.device = 0x29c0,
		.class_code = 0x060000,
	};

	pci_function_init(function, "host-bridge", &id, &host_bridge_ops, NULL);
}
