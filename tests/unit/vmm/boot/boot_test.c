/*
 * Starting a guest without firmware: kernel, initrd, command line, and what is said when they don't fit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/boot_bench.h"
#include "tests/support/cmocka.h"
#include "vmm/boot/layout.h"
#include "vmm/boot/loader.h"

enum { MIB = 1 << 20 };

static void start_with_kernel(struct boot_bench *bench)
{
	uint8_t image[BZIMAGE_BYTES];
	struct bzimage kernel;

	boot_bench_start(bench);
	bzimage_init(&kernel);
	bzimage_lay_out(&kernel, image);
	boot_bench_set_kernel(bench, image, sizeof(image));
}

/* Loading fails with "PATH: @message". */
static void assert_fails(struct boot_bench *bench, const char *path, const char *message)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "%s: %s", path, message);
	assert_int_equal(boot_bench_load(bench), -EINVAL);
	assert_string_equal(bench->why.text, expected);
	assert_int_equal(bench->why.blame, BLAME_USER);
	boot_bench_stop(bench);
}

static void the_command_line_is_where_the_entry_looks_for_it(void **state UNUSED)
{
	struct boot_bench bench;

	start_with_kernel(&bench);
	assert_int_equal(boot_bench_load(&bench), 0);
	assert_string_equal(memory_at(&bench.memory, gpa(BOOT_CMDLINE_AT), 32),
			    "console=ttyS0 quiet");
	boot_bench_stop(&bench);
}

static void a_command_line_of_full_length_fits(void **state UNUSED)
{
	char cmdline[BOOT_CMDLINE_BYTES];
	struct boot_bench bench;

	memset(cmdline, 'x', sizeof(cmdline));
	cmdline[sizeof(cmdline) - 1] = '\0';
	start_with_kernel(&bench);
	bench.cmdline = cmdline;
	assert_int_equal(boot_bench_load(&bench), 0);
	boot_bench_stop(&bench);
}

static void a_longer_command_line_is_refused(void **state UNUSED)
{
	char cmdline[BOOT_CMDLINE_BYTES + 1];
	struct boot_bench bench;

	memset(cmdline, 'x', sizeof(cmdline));
	cmdline[sizeof(cmdline) - 1] = '\0';
	start_with_kernel(&bench);
	bench.cmdline = cmdline;
	assert_fails(&bench, "boot.cmdline", "expected at most 4095 bytes, found 4096");
}

static void the_initrd_lies_as_high_as_it_goes(void **state UNUSED)
{
	const uint8_t *initrd;
	struct boot_params *params;
	struct boot_bench bench;

	start_with_kernel(&bench);
	boot_bench_set_initrd(&bench, 5000);
	assert_int_equal(boot_bench_load(&bench), 0);
	params = memory_at(&bench.memory, gpa(BOOT_LINUX_PARAMS_AT), sizeof(*params));
	assert_int_equal(params->hdr.ramdisk_image, BOOT_BENCH_MIB * MIB - 8192);
	assert_int_equal(params->hdr.ramdisk_size, 5000);
	initrd = memory_at(&bench.memory, gpa(params->hdr.ramdisk_image), 5001);
	assert_int_equal(initrd[0], 0x77);
	assert_int_equal(initrd[4999], 0x77);
	assert_int_equal(initrd[5000], 0);
	boot_bench_stop(&bench);
}

static void an_initrd_of_the_last_byte_fits(void **state UNUSED)
{
	struct boot_bench bench;
	uint64_t floor = BZIMAGE_PREFERRED_AT + BZIMAGE_INIT_BYTES;

	start_with_kernel(&bench);
	boot_bench_set_initrd(&bench, BOOT_BENCH_MIB * MIB - floor);
	assert_int_equal(boot_bench_load(&bench), 0);
	boot_bench_stop(&bench);
}

static void an_initrd_that_does_not_fit_is_refused(void **state UNUSED)
{
	struct boot_bench bench;
	uint64_t floor = BZIMAGE_PREFERRED_AT + BZIMAGE_INIT_BYTES;

	start_with_kernel(&bench);
	boot_bench_set_initrd(&bench, BOOT_BENCH_MIB * MIB - floor + 1);
	assert_fails(
		&bench, bench.initrd.path,
		"the initrd of 62 MiB doesn't fit beside the kernel into 64 MiB of memory; give the "
		"VM more memory");
	start_with_kernel(&bench);
	boot_bench_set_initrd(&bench, 65 * MIB);
	assert_fails(
		&bench, bench.initrd.path,
		"the initrd of 65 MiB doesn't fit beside the kernel into 64 MiB of memory; give the "
		"VM more memory");
}

static void an_empty_initrd_is_refused(void **state UNUSED)
{
	struct boot_bench bench;

	start_with_kernel(&bench);
	boot_bench_set_initrd(&bench, 0);
	assert_fails(&bench, bench.initrd.path, "expected an initrd, found an empty file");
}

static void what_is_no_kernel_is_refused(void **state UNUSED)
{
	static const char message[] =
		"expected a kernel (a Linux bzImage, or an ELF with a PVH entry), found neither";
	uint8_t zeroes[4096] = { 0 };
	struct boot_bench bench;

	boot_bench_start(&bench);
	boot_bench_set_kernel(&bench, zeroes, sizeof(zeroes));
	assert_fails(&bench, bench.kernel.path, message);
	boot_bench_start(&bench);
	boot_bench_set_kernel(&bench, "MZ", 2);
	assert_fails(&bench, bench.kernel.path, message);
	boot_bench_start(&bench);
	boot_bench_set_kernel(&bench, "", 0);
	assert_fails(&bench, bench.kernel.path, message);
	boot_bench_start(&bench);
	boot_bench_set_kernel(&bench, "\177ELF", 4);
	assert_fails(&bench, bench.kernel.path, message);
}

static void too_little_memory_for_any_kernel_is_said(void **state UNUSED)
{
	struct boot_bench bench;

	start_with_kernel(&bench);
	memory_destroy(&bench.memory);
	assert_int_equal(memory_create(MIB, &bench.memory, &bench.why), 0);
	assert_fails(&bench, "memory", "expected more than 1 MiB to start a kernel");
}

/* --- files --- */

static void assert_not_opened(const char *kernel, const char *initrd, int err, const char *expected)
{
	struct errmsg why = { 0 };
	struct boot_source source;

	assert_int_equal(boot_open(kernel, initrd, "", &source, &why), err);
	assert_string_equal(why.text, expected);
	assert_int_equal(why.blame, BLAME_USER);
}

static void files_that_are_not_there_are_named(void **state UNUSED)
{
	assert_not_opened(
		"/nonexistent/vmlinuz", NULL, -ENOENT,
		"/nonexistent/vmlinuz: cannot open the kernel: No such file or directory");
	assert_not_opened("/proc/self/exe", "/nonexistent/initrd", -ENOENT,
			  "/nonexistent/initrd: cannot open the initrd: No such file or directory");
}

static void what_is_no_regular_file_is_refused(void **state UNUSED)
{
	assert_not_opened("/tmp", NULL, -EINVAL,
			  "/tmp: expected the kernel as a regular file, found another kind");
	assert_not_opened("/proc/self/exe", "/dev/null", -EINVAL,
			  "/dev/null: expected the initrd as a regular file, found another kind");
}

static void a_fifo_is_refused_at_once(void **state UNUSED)
{
	char folder[] = "/var/tmp/bulkhead-test-XXXXXX";
	char path[64], expected[128];

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	snprintf(expected, sizeof(expected),
		 "%s: expected the kernel as a regular file, found another kind", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_opened(path, NULL, -EINVAL, expected);
	unlink(path);
	rmdir(folder);
}

static void a_file_that_shrinks_while_it_is_read_is_said(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct image_file file;
	struct image image;
	char buffer[100];

	image_file_create(&file, "0123456789", 10);
	assert_int_equal(image_open("/proc/self/exe", "kernel", &image, &why), 0);
	image_close(&image);
	assert_int_equal(image_open(file.path, "kernel", &image, &why), 0);
	image.path = "vmlinuz";
	assert_int_equal(ftruncate(file.fd, 5), 0);
	assert_int_equal(image_read(&image, 0, buffer, 10, &why), -EINVAL);
	assert_string_equal(why.text, "vmlinuz: the kernel has shrunk while it was read");
	image_close(&image);
	image_file_close(&file);
}

static void reading_beyond_the_end_says_what_was_expected(void **state UNUSED)
{
	struct errmsg why = { 0 };
	struct image_file file;
	struct image image;
	char buffer[100];

	image_file_create(&file, "0123456789", 10);
	assert_int_equal(image_open(file.path, "kernel", &image, &why), 0);
	image.path = "vmlinuz";
	assert_int_equal(image_read(&image, 4, buffer, 6, &why), 0);
	assert_memory_equal(buffer, "456789", 6);
	assert_int_equal(image_read(&image, 4, buffer, 7, &why), -EINVAL);
	assert_string_equal(
		why.text,
		"vmlinuz: the kernel is truncated: expected 7 bytes at 4, found a file of 10");
	why = (struct errmsg){ 0 };
	assert_int_equal(image_read(&image, UINT64_MAX, buffer, 2, &why), -EINVAL);
	assert_string_equal(why.text, "vmlinuz: the kernel is truncated: expected 2 bytes at "
				      "18446744073709551615, found a file of 10");
	image_close(&image);
	image_file_close(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_command_line_is_where_the_entry_looks_for_it),
		cmocka_unit_test(a_command_line_of_full_length_fits),
		cmocka_unit_test(a_longer_command_line_is_refused),
		cmocka_unit_test(the_initrd_lies_as_high_as_it_goes),
		cmocka_unit_test(an_initrd_of_the_last_byte_fits),
		cmocka_unit_test(an_initrd_that_does_not_fit_is_refused),
		cmocka_unit_test(an_empty_initrd_is_refused),
		cmocka_unit_test(what_is_no_kernel_is_refused),
		cmocka_unit_test(too_little_memory_for_any_kernel_is_said),
		cmocka_unit_test(files_that_are_not_there_are_named),
		cmocka_unit_test(what_is_no_regular_file_is_refused),
		cmocka_unit_test(a_fifo_is_refused_at_once),
		cmocka_unit_test(a_file_that_shrinks_while_it_is_read_is_said),
		cmocka_unit_test(reading_beyond_the_end_says_what_was_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
