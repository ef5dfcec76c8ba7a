/*
 * Configuration space by address, before there is a struct pci_device. Inside kernel/dev/ only.
 */
#pragma once

#include <stdint.h>

#include "kernel/acpi/tables.h"

/* The MCFG's segments; without one, a single segment by ports. Returns how many; each has its first and last bus. */
uint32_t pci_config_init(void);
const struct mcfg_segment *pci_config_segment(uint32_t index);

/* All ones where nobody answers, or beyond what this way reaches. */
uint32_t pci_config_read(uint16_t segment, uint8_t bus, uint8_t slot, uint8_t function,
			 uint32_t offset, uint32_t size_bytes);
void pci_config_write(uint16_t segment, uint8_t bus, uint8_t slot, uint8_t function,
		      uint32_t offset, uint32_t size_bytes, uint32_t value);
