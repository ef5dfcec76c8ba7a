/*
 * Starting a guest without firmware: see boot.h.
 */
#include <errno.h>
#include <string.h>

#include "vmm/boot/acpi.h"
#include "vmm/boot/layout.h"
#include "vmm/boot/loader.h"

enum {
	PROBE_BYTES = 1024, /* both kinds tell by their first kilobyte */
	PAGE_BYTES = 4096,
};

int boot_open(const char *kernel, const char *initrd, const char *cmdline, struct boot_source *out,
	      struct errmsg *why)
{
	struct boot_source source = { .cmdline = cmdline };
	int err;

	err = image_open(kernel, "kernel", &source.kernel, why);
	if (err)
		return err;
	if (initrd)
		err = image_open(initrd, "initrd", &source.initrd, why);
	if (err) {
		image_close(&source.kernel);
		return err;
	}
	*out = source;
	return 0;
}

void boot_close(struct boot_source *source)
{
	image_close(&source->kernel);
	image_close(&source->initrd);
}

int cmdline_load(const struct boot_request *request, struct errmsg *why)
{
	const char *cmdline = request->source->cmdline;
	size_t bytes = strlen(cmdline) + 1;

	if (bytes > BOOT_CMDLINE_BYTES)
		return errmsg_user(why, -EINVAL,
				   "boot.cmdline: expected at most %d bytes, found %zu",
				   BOOT_CMDLINE_BYTES - 1, bytes - 1);
	return memory_write(request->memory, gpa(BOOT_CMDLINE_AT), cmdline, bytes);
}

int initrd_load(const struct boot_request *request, uint64_t floor, uint64_t limit,
		struct boot_initrd *out, struct errmsg *why)
{
	const struct image *initrd = &request->source->initrd;
	uint64_t end = min_u64(limit, memory_low_end(request->memory));
	uint64_t start;

	*out = (struct boot_initrd){ 0 };
	if (!initrd->path)
		return 0;
	if (!initrd->size_bytes)
		return errmsg_user(why, -EINVAL, "%s: expected an initrd, found an empty file",
				   initrd->path);
	start = end > initrd->size_bytes ? end - initrd->size_bytes : 0;
	start &= ~(uint64_t)(PAGE_BYTES - 1);
	if (start < floor || end < floor)
		return errmsg_user(
			why, -EINVAL,
			"%s: the initrd of %llu MiB doesn't fit beside the kernel into %llu MiB "
			"of memory; give the VM more memory",
			initrd->path,
			(unsigned long long)(align_up(initrd->size_bytes, 1u << 20) >> 20),
			(unsigned long long)(request->memory->size_bytes >> 20));
	out->at = start;
	out->size_bytes = initrd->size_bytes;
	return image_load(initrd, 0, initrd->size_bytes, request->memory, gpa(start), why);
}

static int load_kernel(const struct boot_request *request, struct boot_entry *out,
		       struct errmsg *why)
{
	const struct image *kernel = &request->source->kernel;
	uint64_t bytes = min_u64(kernel->size_bytes, PROBE_BYTES);
	uint8_t head[PROBE_BYTES];
	int err;

	err = image_read(kernel, 0, head, bytes, why);
	if (err)
		return err;
	if (bzimage_probe(head, bytes))
		return bzimage_load(request, out, why);
	if (pvh_probe(head, bytes))
		return pvh_load(request, out, why);
	return errmsg_user(
		why, -EINVAL,
		"%s: expected a kernel (a Linux bzImage, or an ELF with a PVH entry), found "
		"neither",
		kernel->path);
}

int boot_load(const struct boot_source *source, const struct guest_memory *memory, uint32_t cpus,
	      struct boot_entry *out, struct errmsg *why)
{
	struct boot_request request = { .source = source, .memory = memory };
	struct memmap map;
	int err;

	if (memory_low_end(memory) <= HIGH_RAM_START)
		return errmsg_user(why, -EINVAL,
				   "memory: expected more than 1 MiB to start a kernel");
	memmap_build(&map, memory);
	request.map = &map;
	err = acpi_build(memory, cpus, &request.rsdp, why);
	if (err)
		return err;
	err = cmdline_load(&request, why);
	if (err)
		return err;
	return load_kernel(&request, out, why);
}
