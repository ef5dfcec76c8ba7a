/*
 * What the loader told us: see bootinfo.h.
 *
 * Source: Multiboot2 Specification 2.0, 3.6 "Boot information format"; Xen's public start_info.h for PVH.
 */
#include <string.h>

#include "kernel/arch/paging.h"
#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "lib/compiler.h"

struct bootinfo bootinfo;

static const void *at(uint64_t physical)
{
	return (const void *)physical;
}

static void add_range(uint64_t start, uint64_t size, bool is_ram)
{
	if (!size || range_wraps(start, size))
		return;
	if (bootinfo.nr_ranges == BOOTINFO_RANGES_MAX) {
		print_warn("more than %d memory ranges: the rest is left unused",
			   BOOTINFO_RANGES_MAX);
		return;
	}
	bootinfo.ranges[bootinfo.nr_ranges++] =
		(struct bootinfo_range){ .start = start, .end = start + size, .is_ram = is_ram };
}

static void copy_cmdline(const char *text)
{
	size_t length = strnlen(text, sizeof(bootinfo.cmdline) - 1);

	memcpy(bootinfo.cmdline, text, length);
	bootinfo.cmdline[length] = '\0';
}

enum { MEMORY_RAM = 1 }; /* the type, in both protocols */

/* --- PVH --- */

#define PVH_MAGIC 0x336ec578u

struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct pvh_module {
	uint64_t start, size, cmdline, reserved;
};

struct pvh_range {
	uint64_t start, size;
	uint32_t type, reserved;
};

static void read_pvh(uint32_t information)
{
	const struct pvh_start_info *info = at(information);
	const struct pvh_range *ranges = at(info->memmap);
	const struct pvh_module *modules = at(info->modlist);

	bootinfo.loader = "PVH";
	if (info->version < 1)
		cannot_go_on(
			"expected PVH start info version 1 or newer (with a memory map), found %u; use a newer loader",
			info->version);
	for (uint32_t i = 0; i < info->memmap_entries; i++)
		add_range(ranges[i].start, ranges[i].size, ranges[i].type == MEMORY_RAM);
	if (info->nr_modules) {
		bootinfo.module_start = modules[0].start;
		bootinfo.module_end = modules[0].start + modules[0].size;
	}
	if (info->cmdline)
		copy_cmdline(at(info->cmdline));
	bootinfo.rsdp = info->rsdp;
	bootinfo.is_screen_unknown = true;
}

/* --- Multiboot2 --- */

#define MULTIBOOT2_MAGIC 0x36d76289u

enum multiboot2_tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
	TAG_EFI_MEMORY_MAP = 17,
};

struct multiboot2_tag {
	uint32_t type, size;
	uint8_t data[];
};

struct multiboot2_module {
	uint32_t start, end;
};

struct multiboot2_map {
	uint32_t entry_size, entry_version;
};

struct multiboot2_range {
	uint64_t start, size;
	uint32_t type, reserved;
};

/* UEFI Specification 2.10, 7.2.3 "EFI_BOOT_SERVICES.GetMemoryMap()" */
struct efi_range {
	uint32_t type, padding;
	uint64_t start, virtual_start, nr_pages, attributes;
};

struct multiboot2_framebuffer {
	uint64_t address;
	uint32_t pitch, width, height;
	uint8_t bits_per_pixel, type;
};

enum { FRAMEBUFFER_RGB = 1, FRAMEBUFFER_TEXT = 2 };

static void read_module(const struct multiboot2_tag *tag)
{
	const struct multiboot2_module *module = (const void *)tag->data;

	if (bootinfo.module_end != bootinfo.module_start)
		return; /* the first is the boot image */
	bootinfo.module_start = module->start;
	bootinfo.module_end = module->end;
}

/* Entry @index of a map, of which @size bytes are known; NULL: no more. Where they can't be as small as is said, the first one counts. */
static const void *entry_of(const struct multiboot2_tag *tag, uint32_t index, size_t size)
{
	const struct multiboot2_map *map = (const void *)tag->data;
	uint64_t at = sizeof(*map) + (uint64_t)index * map->entry_size;

	if ((index && map->entry_size < size) || at + size > tag->size - sizeof(*tag))
		return NULL;
	return tag->data + at;
}

static void read_map(const struct multiboot2_tag *tag)
{
	const struct multiboot2_range *range;

	for (uint32_t i = 0; (range = entry_of(tag, i, sizeof(*range))); i++)
		add_range(range->start, range->size, range->type == MEMORY_RAM);
}

/* What is free once the firmware's boot services have ended, which they have. */
static bool is_efi_ram(uint32_t type)
{
	enum { LOADER_CODE = 1, LOADER_DATA, BOOT_CODE, BOOT_DATA, CONVENTIONAL = 7 };

	return (type >= LOADER_CODE && type <= BOOT_DATA) || type == CONVENTIONAL;
}

/* The firmware's own map, for want of the other. */
static void read_efi_map(const struct multiboot2_tag *tag)
{
	const struct efi_range *range;

	for (uint32_t i = 0; (range = entry_of(tag, i, sizeof(*range))); i++)
		if (range->nr_pages <= UINT64_MAX / PAGE_BYTES)
			add_range(range->start, range->nr_pages * PAGE_BYTES,
				  is_efi_ram(range->type));
}

static void read_framebuffer(const struct multiboot2_tag *tag)
{
	const struct multiboot2_framebuffer *framebuffer = (const void *)tag->data;

	if (framebuffer->type != FRAMEBUFFER_RGB && framebuffer->type != FRAMEBUFFER_TEXT)
		return;
	bootinfo.screen = (struct bootinfo_screen){
		.address = framebuffer->address,
		.pitch_bytes = framebuffer->pitch,
		.width = framebuffer->width,
		.height = framebuffer->height,
		.bits_per_pixel = framebuffer->bits_per_pixel,
		.is_text = framebuffer->type == FRAMEBUFFER_TEXT,
	};
}

/* GRUB passes a copy of the root pointer; the newer kind wins. */
static void read_rsdp(const struct multiboot2_tag *tag)
{
	size_t size = tag->size - sizeof(*tag);

	if (bootinfo.has_rsdp_copy && tag->type == TAG_RSDP_OLD)
		return;
	if (size > sizeof(bootinfo.rsdp_copy))
		size = sizeof(bootinfo.rsdp_copy);
	memcpy(bootinfo.rsdp_copy, tag->data, size);
	bootinfo.has_rsdp_copy = true;
}

static void read_tag(const struct multiboot2_tag *tag)
{
	switch (tag->type) {
	case TAG_CMDLINE:
		copy_cmdline((const char *)tag->data);
		break;
	case TAG_MODULE:
		read_module(tag);
		break;
	case TAG_MEMORY_MAP:
		read_map(tag);
		break;
	case TAG_FRAMEBUFFER:
		read_framebuffer(tag);
		break;
	case TAG_RSDP_OLD:
	case TAG_RSDP_NEW:
		read_rsdp(tag);
		break;
	}
}

static void read_multiboot2(uint32_t information)
{
	uint32_t total = *(const uint32_t *)at(information);
	const struct multiboot2_tag *efi_map = NULL;
	uint32_t offset = 8;

	bootinfo.loader = "Multiboot2";
	while (offset + sizeof(struct multiboot2_tag) <= total) {
		const struct multiboot2_tag *tag = at(information + (uint64_t)offset);

		if (tag->type == TAG_END || tag->size < sizeof(*tag) || tag->size > total - offset)
			break;
		if (tag->type == TAG_EFI_MEMORY_MAP)
			efi_map = tag;
		else
			read_tag(tag);
		offset += (uint32_t)align_up(tag->size, 8);
	}
	if (!bootinfo.nr_ranges && efi_map)
		read_efi_map(efi_map);
}

void bootinfo_read(uint32_t magic, uint32_t information)
{
	if (magic == MULTIBOOT2_MAGIC)
		read_multiboot2(information);
	else if (*(const uint32_t *)at(information) == PVH_MAGIC)
		read_pvh(information);
	else
		cannot_go_on(
			"expected to be started by Multiboot2 or PVH, found neither (EAX %#x); with GRUB, use multiboot2",
			magic);
}
