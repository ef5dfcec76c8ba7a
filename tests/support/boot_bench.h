/*
 * A guest's memory and a kernel to start in it.
 */
#pragma once

#include "tests/support/kernel_image.h"
#include "vmm/boot/boot.h"
#include "vmm/memory.h"

enum { BOOT_BENCH_MIB = 64 };

struct boot_bench {
	struct guest_memory memory;
	struct image_file kernel, initrd;
	bool has_initrd;
	const char *cmdline;
	struct boot_entry entry; /* after it was started */
	struct errmsg why;
};

/* 64 MiB filled with ones, no kernel, no initrd, a command line of two words. */
void boot_bench_start(struct boot_bench *bench);
void boot_bench_stop(struct boot_bench *bench);

void boot_bench_set_kernel(struct boot_bench *bench, const void *image, size_t size);
void boot_bench_set_initrd(struct boot_bench *bench, size_t size);

/* What boot_load() returns, or boot_open() where that fails. */
int boot_bench_load(struct boot_bench *bench);
