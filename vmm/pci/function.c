/*
 * One PCI function: its configuration space and where its BARs are mapped. See pci.h.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "vmm/pci/pci.h"
#include "vmm/pci/private.h"

enum {
	FIRST_CAPABILITY = 0x40,
	INTERRUPT_PIN_A = 1,
};

void pci_function_init(struct pci_function *function, const char *name, const struct pci_id *id,
		       const struct pci_function_ops *ops, void *device)
{
	*function = (struct pci_function){
		.name = name,
		.ops = ops,
		.device = device,
		.next_capability = FIRST_CAPABILITY,
	};
	pci_config_set16(function, PCI_VENDOR_ID, id->vendor);
	pci_config_set16(function, PCI_DEVICE_ID, id->device);
	pci_config_set32(function, PCI_CLASS_REVISION, id->class_code << 8 | id->revision);
	pci_config_set16(function, PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	pci_config_set16(function, PCI_SUBSYSTEM_ID, id->subsystem);

	pci_function_allow(function, PCI_COMMAND, 2,
			   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				   PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
				   PCI_COMMAND_INTX_DISABLE);
	pci_function_allow(function, PCI_CACHE_LINE_SIZE, 1, 0xff);
	pci_function_allow(function, PCI_INTERRUPT_LINE, 1, 0xff);
}

void pci_function_allow(struct pci_function *function, uint32_t offset, uint32_t size,
			uint32_t mask)
{
	for (uint32_t i = 0; i < size; i++)
		function->writable[offset + i] |= (uint8_t)(mask >> (8 * i));
}

static uint32_t bar_register(uint32_t bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

void pci_function_set_bar(struct pci_function *function, uint32_t bar,
			  const struct pci_bar *description)
{
	uint32_t offset = bar_register(bar);
	uint32_t type = PCI_BASE_ADDRESS_SPACE_MEMORY;

	function->bars[bar] = *description;
	pci_function_allow(function, offset, 4, (uint32_t)-description->size);
	if (description->is_io) {
		type = PCI_BASE_ADDRESS_SPACE_IO;
	} else if (description->is_64bit) {
		type = PCI_BASE_ADDRESS_MEM_TYPE_64;
		pci_function_allow(function, offset + 4, 4, (uint32_t)(-description->size >> 32));
	}
	pci_config_set32(function, offset, type);
}

uint32_t pci_function_add_capability(struct pci_function *function, uint8_t id, uint32_t size)
{
	uint32_t at = function->next_capability;
	uint32_t link = function->last_capability ? function->last_capability + PCI_CAP_LIST_NEXT
						  : PCI_CAPABILITY_LIST;

	assert(at + size <= PCI_CONFIG_BYTES);
	function->state.config[link] = (uint8_t)at;
	function->state.config[at] = id;
	function->state.config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	function->last_capability = at;
	function->next_capability = (uint32_t)align_up(at + size, 4);
	return at;
}

/* The address that the guest has programmed. */
static uint64_t bar_address(const struct pci_function *function, uint32_t bar)
{
	const struct pci_bar *b = &function->bars[bar];
	uint64_t address = pci_config_get32(function, bar_register(bar));

	if (b->is_64bit)
		address |= (uint64_t)pci_config_get32(function, bar_register(bar) + 4) << 32;
	return address & -b->size;
}

static struct bus *bar_bus(const struct pci_function *function, const struct pci_bar *bar)
{
	return bar->is_io ? function->bus->io : function->bus->mmio;
}

static void bar_unmap(struct pci_function *function, uint32_t bar)
{
	struct pci_bar *b = &function->bars[bar];

	if (!b->is_mapped)
		return;
	bus_remove(bar_bus(function, b), b->base, function->device);
	b->is_mapped = false;
	if (function->ops->bar_changed)
		function->ops->bar_changed(function, bar);
}

static void bar_map(struct pci_function *function, uint32_t bar, uint64_t base)
{
	static struct log_limit limit;
	struct pci_bar *b = &function->bars[bar];
	struct bus_region region = {
		.base = base,
		.size = b->size,
		.name = function->name,
		.ops = b->ops,
		.device = function->device,
	};

	/* Address 0 is what an unprogrammed BAR holds; an address on top of something else stays unmapped. */
	if (!base || bus_add(bar_bus(function, b), &region)) {
		log_limited(&limit, "%s: BAR %u cannot be mapped at %#llx", function->name, bar,
			    (unsigned long long)base);
		return;
	}
	b->base = base;
	b->is_mapped = true;
	if (function->ops->bar_changed)
		function->ops->bar_changed(function, bar);
}

static bool bar_is_decoded(const struct pci_function *function, uint32_t bar)
{
	uint16_t command = pci_config_get16(function, PCI_COMMAND);

	return command & (function->bars[bar].is_io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
}

/* Returns whether that made room on the buses. */
static bool bars_unmap_moved(struct pci_function *function)
{
	bool has_made_room = false;

	for (uint32_t bar = 0; bar < PCI_BAR_MAX; bar++) {
		const struct pci_bar *b = &function->bars[bar];

		if (!b->is_mapped)
			continue;
		if (bar_is_decoded(function, bar) && bar_address(function, bar) == b->base)
			continue;
		bar_unmap(function, bar);
		has_made_room = true;
	}
	return has_made_room;
}

static void bars_map(struct pci_function *function)
{
	for (uint32_t bar = 0; bar < PCI_BAR_MAX; bar++) {
		const struct pci_bar *b = &function->bars[bar];

		if (b->size && !b->is_mapped && bar_is_decoded(function, bar))
			bar_map(function, bar, bar_address(function, bar));
	}
}

/*
 * Makes the mappings follow the command register and the BARs. Where BARs lie over one another, the first
 * one there has the place; the others get it when it becomes free.
 */
static void bars_update(struct pci_function *function)
{
	bool has_made_room = bars_unmap_moved(function);

	bars_map(function);
	for (uint32_t slot = 0; has_made_room && slot < PCI_SLOT_MAX; slot++)
		if (function->bus->functions[slot])
			bars_map(function->bus->functions[slot]);
}

static bool overlaps(uint32_t offset, uint32_t size, uint32_t start, uint32_t end)
{
	return offset < end && offset + size > start;
}

uint32_t pci_function_read(struct pci_function *function, uint32_t offset, uint32_t size)
{
	uint32_t value = 0;

	if (offset + size > PCI_CONFIG_BYTES)
		return 0;
	if (function->ops->config_reading)
		function->ops->config_reading(function, offset, size);
	for (uint32_t i = 0; i < size; i++)
		value |= (uint32_t)function->state.config[offset + i] << (8 * i);
	return value;
}

void pci_function_write(struct pci_function *function, uint32_t offset, uint32_t value,
			uint32_t size)
{
	if (offset + size > PCI_CONFIG_BYTES)
		return;
	for (uint32_t i = 0; i < size; i++) {
		uint8_t *byte = &function->state.config[offset + i];
		uint8_t mask = function->writable[offset + i];
		uint8_t cleared = function->clearable[offset + i];
		uint8_t written = (uint8_t)(value >> (8 * i));

		*byte = (uint8_t)((*byte & ~mask) | (written & mask));
		*byte = (uint8_t)(*byte & ~(written & cleared));
	}
	if (overlaps(offset, size, PCI_COMMAND, PCI_COMMAND + 2) ||
	    overlaps(offset, size, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_5 + 4))
		bars_update(function);
	if (function->ops->config_written)
		function->ops->config_written(function, offset, size);
}

/* Cuts an aligned piece off the front of [*start, end). */
static int window_take(uint64_t *start, uint64_t end, uint64_t size, uint64_t *out)
{
	uint64_t base = align_up(*start, size);

	if (base < *start || base >= end || size > end - base)
		return -ENOSPC;
	*start = base + size;
	*out = base;
	return 0;
}

static int bar_assign(struct pci_function *function, struct pci_windows *free, uint32_t bar)
{
	struct pci_bar *b = &function->bars[bar];
	uint32_t offset = bar_register(bar);
	uint32_t type = pci_config_get32(function, offset);
	uint64_t base;
	int err;

	if (b->is_io)
		err = window_take(&free->io_start, free->io_end, b->size, &base);
	else if (b->is_64bit)
		err = window_take(&free->mem64_start, free->mem64_end, b->size, &base);
	else
		err = window_take(&free->mem32_start, free->mem32_end, b->size, &base);
	if (err)
		return err;
	pci_config_set32(function, offset, (uint32_t)base | type);
	if (b->is_64bit)
		pci_config_set32(function, offset + 4, (uint32_t)(base >> 32));
	return 0;
}

int pci_add(struct pci_bus *bus, uint32_t slot, struct pci_function *function, struct errmsg *why)
{
	int err;

	if (slot >= PCI_SLOT_MAX || bus->functions[slot])
		return errmsg_system(why, -EBUSY, "%s: PCI slot %u is taken", function->name, slot);
	for (uint32_t bar = 0; bar < PCI_BAR_MAX; bar++) {
		if (!function->bars[bar].size)
			continue;
		err = bar_assign(function, &bus->free, bar);
		if (err)
			return errmsg_system(why, err, "%s: no room for its BAR %u", function->name,
					     bar);
	}
	if (function->intx.set)
		function->state.config[PCI_INTERRUPT_PIN] = INTERRUPT_PIN_A;
	function->state.config[PCI_INTERRUPT_LINE] = (uint8_t)function->intx.gsi;
	pci_config_set16(function, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);

	memcpy(function->initial, function->state.config, sizeof(function->initial));
	function->bus = bus;
	function->slot = slot;
	bus->functions[slot] = function;
	bars_update(function);
	return 0;
}

void pci_remove(struct pci_function *function)
{
	if (!function->bus)
		return;
	for (uint32_t bar = 0; bar < PCI_BAR_MAX; bar++)
		bar_unmap(function, bar);
	function->bus->functions[function->slot] = NULL;
	function->bus = NULL;
}

void pci_function_reset(struct pci_function *function)
{
	memcpy(function->state.config, function->initial, sizeof(function->state.config));
	bars_update(function);
	if (function->ops->config_written)
		function->ops->config_written(function, 0, PCI_CONFIG_BYTES);
}
