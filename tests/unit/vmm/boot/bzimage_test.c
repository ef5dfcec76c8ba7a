/*
 * Linux bzImage: what a kernel's header may say, and what the kernel finds when it starts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/boot_bench.h"
#include "tests/support/cmocka.h"
#include "vmm/boot/layout.h"
#include "vmm/boot/loader.h"

enum { MIB = 1 << 20 };

struct bench {
	struct boot_bench boot;
	struct bzimage kernel;
};

static void start(struct bench *bench)
{
	boot_bench_start(&bench->boot);
	bzimage_init(&bench->kernel);
}

static int load(struct bench *bench)
{
	uint8_t image[BZIMAGE_BYTES];

	bzimage_lay_out(&bench->kernel, image);
	boot_bench_set_kernel(&bench->boot, image, sizeof(image));
	return boot_bench_load(&bench->boot);
}

static void stop(struct bench *bench)
{
	boot_bench_stop(&bench->boot);
}

static struct boot_params *params_of(struct bench *bench)
{
	return memory_at(&bench->boot.memory, gpa(BOOT_LINUX_PARAMS_AT),
			 sizeof(struct boot_params));
}

static void assert_message(struct bench *bench, const char *message)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "%s: %s", bench->boot.kernel.path, message);
	assert_string_equal(bench->boot.why.text, expected);
	assert_int_equal(bench->boot.why.blame, BLAME_USER);
	stop(bench);
}

static void assert_refused(struct bench *bench, const char *message)
{
	assert_int_equal(load(bench), -EINVAL);
	assert_message(bench, message);
}

static void it_starts_at_its_64_bit_entry(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(load(&bench), 0);
	assert_int_equal(bench.boot.entry.protocol, BOOT_LINUX64);
	assert_int_equal(bench.boot.entry.address, BZIMAGE_PREFERRED_AT + 0x200);
	assert_int_equal(bench.boot.entry.argument, BOOT_LINUX_PARAMS_AT);
	assert_memory_equal(memory_at(&bench.boot.memory, gpa(BZIMAGE_PREFERRED_AT),
				      sizeof(bench.kernel.payload)),
			    bench.kernel.payload, sizeof(bench.kernel.payload));
	stop(&bench);
}

static void the_zero_page_describes_the_machine(void **state UNUSED)
{
	const struct boot_params *params;
	struct bench bench;

	start(&bench);
	assert_int_equal(load(&bench), 0);
	params = params_of(&bench);
	assert_int_equal(params->hdr.type_of_loader, 0xff);
	assert_int_equal(params->hdr.cmd_line_ptr, BOOT_CMDLINE_AT);
	assert_int_equal(params->hdr.ramdisk_size, 0);
	assert_int_equal(params->hdr.ramdisk_image, 0);
	assert_int_equal(params->acpi_rsdp_addr, ACPI_AT);
	assert_int_equal(params->e820_entries, 4);
	assert_int_equal(params->e820_table[2].addr, HIGH_RAM_START);
	assert_int_equal(params->e820_table[2].size, (BOOT_BENCH_MIB - 1) * MIB);
	assert_int_equal(params->e820_table[2].type, 1);
	assert_int_equal(params->e820_table[1].type, 2);
	stop(&bench);
}

static void what_it_does_not_describe_is_zero(void **state UNUSED)
{
	const struct boot_params *params;
	struct bench bench;

	start(&bench);
	assert_int_equal(load(&bench), 0);
	params = params_of(&bench);
	assert_int_equal(params->sentinel, 0);
	assert_int_equal(params->ext_ramdisk_image, 0);
	assert_int_equal(params->e820_table[4].size, 0);
	assert_int_equal(params->alt_mem_k, 0);
	stop(&bench);
}

static void a_kernel_that_prefers_low_memory_goes_to_1_mib(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.pref_address = 0x10000;
	assert_int_equal(load(&bench), 0);
	assert_int_equal(bench.boot.entry.address, HIGH_RAM_START + 0x200);
	stop(&bench);
}

static void a_header_without_setup_sectors_means_four(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.setup_sects = 0;
	bench.kernel.header.syssize = 1;
	assert_int_equal(load(&bench), 0);
	assert_memory_equal(memory_at(&bench.boot.memory, gpa(BZIMAGE_PREFERRED_AT), 16),
			    bench.kernel.payload + 3 * 512, 16);
	stop(&bench);
}

static void the_initrd_stays_where_the_kernel_can_reach_it(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.initrd_addr_max = 32 * MIB - 1;
	boot_bench_set_initrd(&bench.boot, 100);
	assert_int_equal(load(&bench), 0);
	assert_int_equal(params_of(&bench)->hdr.ramdisk_image, 32 * MIB - 4096);
	stop(&bench);
}

/* A header may ask for less memory than the file has bytes. */
static void the_initrd_does_not_lie_over_the_kernel(void **state UNUSED)
{
	struct bench bench;
	char expected[256];

	start(&bench);
	bench.kernel.header.pref_address = BZIMAGE_PREFERRED_AT + 2048;
	bench.kernel.header.init_size = 16;
	bench.kernel.header.initrd_addr_max = BZIMAGE_PREFERRED_AT + 8192 - 1;
	boot_bench_set_initrd(&bench.boot, 1);
	assert_int_equal(load(&bench), -EINVAL);
	snprintf(
		expected, sizeof(expected),
		"%s: the initrd of 1 MiB doesn't fit beside the kernel into 64 MiB of memory; give the VM "
		"more memory",
		bench.boot.initrd.path);
	assert_string_equal(bench.boot.why.text, expected);
	stop(&bench);
}

static void an_old_kernel_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.version = 0x020b;
	assert_refused(&bench, "expected a kernel with boot protocol 2.12 or newer, found 2.11");
}

static void a_32_bit_kernel_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.xloadflags = 0;
	assert_refused(&bench, "expected a 64-bit Linux kernel, found a 32-bit one");
}

static void a_zimage_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.loadflags = 0;
	assert_refused(&bench, "expected a bzImage, found a zImage");
}

static void a_file_without_its_magic_is_no_bzimage(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.header = 0;
	assert_refused(
		&bench,
		"expected a kernel (a Linux bzImage, or an ELF with a PVH entry), found neither");
	start(&bench);
	bench.kernel.header.boot_flag = 0;
	assert_refused(
		&bench,
		"expected a kernel (a Linux bzImage, or an ELF with a PVH entry), found neither");
}

static void a_truncated_kernel_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.syssize += 1;
	assert_refused(&bench, "the kernel is truncated: expected 5136 bytes, found 5120");
	start(&bench);
	bench.kernel.header.syssize = UINT32_MAX;
	assert_refused(&bench, "the kernel is truncated: expected 68719477744 bytes, found 5120");
	start(&bench);
	bench.kernel.header.setup_sects = 255;
	bench.kernel.header.syssize = 0;
	assert_refused(&bench, "the kernel is truncated: expected 131072 bytes, found 5120");
}

static void a_kernel_cut_inside_its_header_is_no_kernel(void **state UNUSED)
{
	uint8_t image[BZIMAGE_BYTES];
	struct bench bench;

	start(&bench);
	bzimage_lay_out(&bench.kernel, image);
	boot_bench_set_kernel(&bench.boot, image,
			      offsetof(struct boot_params, hdr) + sizeof(struct setup_header) - 1);
	assert_int_equal(boot_bench_load(&bench.boot), -EINVAL);
	assert_message(
		&bench,
		"expected a kernel (a Linux bzImage, or an ELF with a PVH entry), found neither");
}

static void a_kernel_that_needs_more_memory_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.init_size = 63 * MIB;
	assert_refused(&bench, "the kernel needs 65 MiB of memory to start, the VM has 64");
	start(&bench);
	bench.kernel.header.pref_address = 64 * MIB;
	assert_refused(&bench, "the kernel needs 65 MiB of memory to start, the VM has 64");
}

static void a_kernel_that_prefers_an_impossible_place_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.pref_address = UINT64_C(1) << 40;
	assert_refused(&bench, "the kernel needs 1048577 MiB of memory to start, the VM has 64");
	start(&bench);
	bench.kernel.header.pref_address = UINT64_MAX - 0xfff;
	assert_int_equal(load(&bench), -EINVAL);
	stop(&bench);
}

static void a_file_longer_than_memory_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.header.pref_address = 64 * MIB - 2048;
	bench.kernel.header.init_size = 1024;
	assert_refused(&bench,
		       "the kernel wants 4096 bytes at 0x3fff800, where the VM's 64 MiB of memory "
		       "have no room; give it more memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_starts_at_its_64_bit_entry),
		cmocka_unit_test(the_zero_page_describes_the_machine),
		cmocka_unit_test(what_it_does_not_describe_is_zero),
		cmocka_unit_test(a_kernel_that_prefers_low_memory_goes_to_1_mib),
		cmocka_unit_test(a_header_without_setup_sectors_means_four),
		cmocka_unit_test(the_initrd_stays_where_the_kernel_can_reach_it),
		cmocka_unit_test(the_initrd_does_not_lie_over_the_kernel),
		cmocka_unit_test(an_old_kernel_is_refused),
		cmocka_unit_test(a_32_bit_kernel_is_refused),
		cmocka_unit_test(a_zimage_is_refused),
		cmocka_unit_test(a_file_without_its_magic_is_no_bzimage),
		cmocka_unit_test(a_truncated_kernel_is_refused),
		cmocka_unit_test(a_kernel_cut_inside_its_header_is_no_kernel),
		cmocka_unit_test(a_kernel_that_needs_more_memory_is_refused),
		cmocka_unit_test(a_kernel_that_prefers_an_impossible_place_is_refused),
		cmocka_unit_test(a_file_longer_than_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
