/*
 * Linux bzImage, started at its 64-bit entry.
 *
 * Source: the Linux/x86 Boot Protocol (Documentation/x86/boot.rst), "The Real-Mode Kernel Header" and
 * "64-bit Boot Protocol".
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "vmm/boot/layout.h"
#include "vmm/boot/loader.h"

enum {
	HEADER_AT = 0x1f1,	   /* offset of struct setup_header in the file */
	HEADER_MAGIC = 0x53726448, /* "HdrS" */
	BOOT_FLAG = 0xaa55,
	PROTOCOL_MIN = 0x020c, /* 2.12: xloadflags, the 64-bit entry */
	SECTOR_BYTES = 512,
	SETUP_SECTORS_DEFAULT = 4, /* what a header that says 0 means */
	ENTRY64_OFFSET = 0x200,
	LOADER_UNDEFINED = 0xff,
};

static_assert(offsetof(struct boot_params, hdr) == HEADER_AT, "the zero page starts like the file");
static_assert(sizeof(struct boot_params) == 4096, "one page");

static bool read_header(const uint8_t *head, size_t bytes, struct setup_header *header)
{
	if (bytes < HEADER_AT + sizeof(*header))
		return false;
	memcpy(header, head + HEADER_AT, sizeof(*header));
	return header->boot_flag == BOOT_FLAG && header->header == HEADER_MAGIC;
}

bool bzimage_probe(const uint8_t *head, size_t bytes)
{
	struct setup_header header;

	return read_header(head, bytes, &header);
}

static int check_header(const struct image *kernel, const struct setup_header *header,
			struct errmsg *why)
{
	if (header->version < PROTOCOL_MIN)
		return errmsg_user(
			why, -EINVAL,
			"%s: expected a kernel with boot protocol 2.12 or newer, found %u.%u",
			kernel->path, header->version >> 8, header->version & 0xff);
	if (!(header->xloadflags & XLF_KERNEL_64))
		return errmsg_user(why, -EINVAL,
				   "%s: expected a 64-bit Linux kernel, found a 32-bit one",
				   kernel->path);
	if (!(header->loadflags & LOADED_HIGH))
		return errmsg_user(why, -EINVAL, "%s: expected a bzImage, found a zImage",
				   kernel->path);
	return 0;
}

/* Where the kernel wants to lie, and how much it needs there until it knows the memory map. */
static uint64_t choose_start(const struct setup_header *header)
{
	return header->pref_address >= HIGH_RAM_START ? header->pref_address : HIGH_RAM_START;
}

static void fill_e820(struct boot_params *params, const struct memmap *map)
{
	for (uint32_t i = 0; i < map->count; i++)
		params->e820_table[i] = (struct boot_e820_entry){
			.addr = map->entries[i].start,
			.size = map->entries[i].size_bytes,
			.type = map->entries[i].type,
		};
	params->e820_entries = (uint8_t)map->count;
}

static void fill_params(struct boot_params *params, const struct boot_request *request,
			const struct setup_header *header, const struct boot_initrd *initrd)
{
	*params = (struct boot_params){ .hdr = *header };
	params->hdr.type_of_loader = LOADER_UNDEFINED;
	params->hdr.cmd_line_ptr = BOOT_CMDLINE_AT;
	params->hdr.ramdisk_image = (uint32_t)initrd->at;
	params->hdr.ramdisk_size = (uint32_t)initrd->size_bytes;
	params->acpi_rsdp_addr = request->rsdp;
	fill_e820(params, request->map);
}

int bzimage_load(const struct boot_request *request, struct boot_entry *out, struct errmsg *why)
{
	const struct image *kernel = &request->source->kernel;
	uint8_t head[HEADER_AT + sizeof(struct setup_header)];
	struct setup_header header;
	struct boot_params params;
	struct boot_initrd initrd;
	uint64_t start, setup_bytes, payload_bytes, end;
	int err;

	err = image_read(kernel, 0, head, sizeof(head), why);
	if (err)
		return err;
	if (!read_header(head, sizeof(head), &header))
		return errmsg_user(why, -EINVAL, "%s: not a bzImage any more", kernel->path);
	err = check_header(kernel, &header, why);
	if (err)
		return err;

	setup_bytes = ((header.setup_sects ?: SETUP_SECTORS_DEFAULT) + 1u) * (uint64_t)SECTOR_BYTES;
	if (kernel->size_bytes <= setup_bytes ||
	    kernel->size_bytes - setup_bytes < header.syssize * UINT64_C(16))
		return errmsg_user(
			why, -EINVAL,
			"%s: the kernel is truncated: expected %llu bytes, found %llu",
			kernel->path,
			(unsigned long long)(setup_bytes + header.syssize * UINT64_C(16)),
			(unsigned long long)kernel->size_bytes);

	start = choose_start(&header);
	if (range_wraps(start, header.init_size) ||
	    !memory_at(request->memory, gpa(start), header.init_size))
		return errmsg_user(
			why, -EINVAL,
			"%s: the kernel needs %llu MiB of memory to start, the VM has %llu",
			kernel->path,
			(unsigned long long)(align_up(start + header.init_size, 1u << 20) >> 20),
			(unsigned long long)(request->memory->size_bytes >> 20));
	payload_bytes = kernel->size_bytes - setup_bytes;
	err = image_load(kernel, setup_bytes, payload_bytes, request->memory, gpa(start), why);
	if (err)
		return err;
	end = start + (payload_bytes > header.init_size ? payload_bytes : header.init_size);
	err = initrd_load(request, end, (uint64_t)header.initrd_addr_max + 1, &initrd, why);
	if (err)
		return err;

	fill_params(&params, request, &header, &initrd);
	err = memory_write(request->memory, gpa(BOOT_LINUX_PARAMS_AT), &params, sizeof(params));
	if (err)
		return err;
	*out = (struct boot_entry){ .protocol = BOOT_LINUX64,
				    .address = start + ENTRY64_OFFSET,
				    .argument = BOOT_LINUX_PARAMS_AT };
	return 0;
}
