/*
 * A guest's memory and a kernel to start in it: see boot_bench.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/boot_bench.h"

enum { MIB = 1 << 20, INITRD_BYTE = 0x77, CPUS = 2 };

void boot_bench_start(struct boot_bench *bench)
{
	int err;

	*bench = (struct boot_bench){ .cmdline = "console=ttyS0 quiet",
				      .kernel.fd = -1,
				      .initrd.fd = -1 };
	err = memory_create((uint64_t)BOOT_BENCH_MIB * MIB, &bench->memory, &bench->why);
	assert(!err);
	/* Where loaders write, there shall be no zeroes before: after a reset there are none either. */
	memset(bench->memory.regions[0].hva, 0xff, 4 * MIB);
}

void boot_bench_stop(struct boot_bench *bench)
{
	if (bench->kernel.fd >= 0)
		image_file_close(&bench->kernel);
	if (bench->initrd.fd >= 0)
		image_file_close(&bench->initrd);
	memory_destroy(&bench->memory);
}

void boot_bench_set_kernel(struct boot_bench *bench, const void *image, size_t size)
{
	image_file_create(&bench->kernel, image, size);
}

void boot_bench_set_initrd(struct boot_bench *bench, size_t size)
{
	char *bytes = malloc(size + 1);

	assert(bytes);
	memset(bytes, INITRD_BYTE, size + 1);
	image_file_create(&bench->initrd, bytes, size);
	bench->has_initrd = true;
	free(bytes);
}

int boot_bench_load(struct boot_bench *bench)
{
	struct boot_source source;
	int err;

	err = boot_open(bench->kernel.path, bench->has_initrd ? bench->initrd.path : NULL,
			bench->cmdline, &source, &bench->why);
	if (err)
		return err;
	err = boot_load(&source, &bench->memory, CPUS, &bench->entry, &bench->why);
	boot_close(&source);
	return err;
}
