/*
 * ELF kernels with a PVH entry, of both classes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/boot_bench.h"
#include "tests/support/cmocka.h"
#include "vmm/boot/layout.h"
#include "vmm/boot/loader.h"

enum { MIB = 1 << 20 };

/* As the ABI has it; what the loader uses is its own. */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	uint32_t memmap_entries, reserved;
};

struct start_module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

struct start_memmap {
	uint64_t addr, size;
	uint32_t type, reserved;
};

struct bench {
	struct boot_bench boot;
	struct pvh64 kernel;
	struct pvh32 kernel32;
};

static void start(struct bench *bench)
{
	boot_bench_start(&bench->boot);
	pvh64_init(&bench->kernel);
	pvh32_init(&bench->kernel32);
}

static int load(struct bench *bench)
{
	boot_bench_set_kernel(&bench->boot, &bench->kernel, sizeof(bench->kernel));
	return boot_bench_load(&bench->boot);
}

static int load32(struct bench *bench)
{
	boot_bench_set_kernel(&bench->boot, &bench->kernel32, sizeof(bench->kernel32));
	return boot_bench_load(&bench->boot);
}

static void stop(struct bench *bench)
{
	boot_bench_stop(&bench->boot);
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

static void assert_loaded(struct bench *bench, const uint8_t *code)
{
	static const uint8_t zeroes[PVH_MEMORY_BYTES - 512];
	const uint8_t *at = memory_at(&bench->boot.memory, gpa(PVH_LOADED_AT), PVH_MEMORY_BYTES);

	assert_int_equal(bench->boot.entry.protocol, BOOT_PVH);
	assert_int_equal(bench->boot.entry.address, PVH_ENTRY);
	assert_int_equal(bench->boot.entry.argument, BOOT_PVH_INFO_AT);
	assert_memory_equal(at, code, 512);
	assert_memory_equal(at + 512, zeroes, sizeof(zeroes));
}

/* --- what is fine --- */

static void a_64_bit_kernel_is_loaded(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(load(&bench), 0);
	assert_loaded(&bench, bench.kernel.code);
	stop(&bench);
}

static void a_32_bit_kernel_is_loaded(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	assert_int_equal(load32(&bench), 0);
	assert_loaded(&bench, bench.kernel32.code);
	stop(&bench);
}

static void the_start_info_describes_the_machine(void **state UNUSED)
{
	const struct start_info *info;
	const struct start_memmap *map;
	struct bench bench;

	start(&bench);
	assert_int_equal(load(&bench), 0);
	info = memory_at(&bench.boot.memory, gpa(BOOT_PVH_INFO_AT), sizeof(*info));
	assert_int_equal(info->magic, 0x336ec578);
	assert_int_equal(info->version, 1);
	assert_int_equal(info->flags, 0);
	assert_int_equal(info->nr_modules, 0);
	assert_int_equal(info->modlist_paddr, 0);
	assert_int_equal(info->cmdline_paddr, BOOT_CMDLINE_AT);
	assert_int_equal(info->rsdp_paddr, ACPI_AT);
	assert_int_equal(info->memmap_entries, 4);
	map = memory_at(&bench.boot.memory, gpa(info->memmap_paddr), 4 * sizeof(*map));
	assert_int_equal(map[2].addr, HIGH_RAM_START);
	assert_int_equal(map[2].size, (BOOT_BENCH_MIB - 1) * MIB);
	assert_int_equal(map[2].type, 1);
	assert_int_equal(map[2].reserved, 0);
	stop(&bench);
}

static void the_initrd_is_its_module(void **state UNUSED)
{
	const struct start_info *info;
	const struct start_module *module;
	struct bench bench;

	start(&bench);
	boot_bench_set_initrd(&bench.boot, 5000);
	assert_int_equal(load(&bench), 0);
	info = memory_at(&bench.boot.memory, gpa(BOOT_PVH_INFO_AT), sizeof(*info));
	assert_int_equal(info->nr_modules, 1);
	module = memory_at(&bench.boot.memory, gpa(info->modlist_paddr), sizeof(*module));
	assert_int_equal(module->paddr, BOOT_BENCH_MIB * MIB - 8192);
	assert_int_equal(module->size, 5000);
	assert_int_equal(module->cmdline_paddr, 0);
	stop(&bench);
}

static void the_entry_may_be_a_number_of_32_bits(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.note.header.n_descsz = 4;
	bench.kernel.note.entry |= UINT64_C(0xffffffff) << 32;
	assert_int_equal(load(&bench), 0);
	assert_int_equal(bench.boot.entry.address, PVH_ENTRY);
	stop(&bench);
}

static void the_note_may_be_one_of_several(void **state UNUSED)
{
	struct pvh_note notes[3];
	uint8_t image[sizeof(struct pvh64) + sizeof(notes)];
	struct bench bench;

	start(&bench);
	for (unsigned i = 0; i < ARRAY_SIZE(notes); i++)
		notes[i] = bench.kernel.note;
	notes[0].header.n_type = 5;
	memcpy(notes[1].owner, "GNU", 4);
	bench.kernel.note_segment.p_offset = sizeof(struct pvh64);
	bench.kernel.note_segment.p_filesz = sizeof(notes);
	memcpy(image, &bench.kernel, sizeof(bench.kernel));
	memcpy(image + sizeof(bench.kernel), notes, sizeof(notes));
	boot_bench_set_kernel(&bench.boot, image, sizeof(image));
	assert_int_equal(boot_bench_load(&bench.boot), 0);
	assert_int_equal(bench.boot.entry.address, PVH_ENTRY);
	stop(&bench);
}

static void a_segment_without_file_bytes_is_zeroed(void **state UNUSED)
{
	static const uint8_t zeroes[PVH_MEMORY_BYTES];
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_filesz = 0;
	bench.kernel.segment.p_offset = 1 << 20; /* nothing is there, and nothing is read */
	assert_int_equal(load(&bench), 0);
	assert_memory_equal(memory_at(&bench.boot.memory, gpa(PVH_LOADED_AT), PVH_MEMORY_BYTES),
			    zeroes, sizeof(zeroes));
	stop(&bench);
}

static void other_kinds_of_segments_are_passed_over(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_type = PT_GNU_STACK;
	bench.kernel.segment.p_paddr = 0;
	assert_int_equal(load(&bench), 0);
	stop(&bench);
}

/* With nothing loaded, the initrd still keeps off what the first megabyte holds. */
static void the_initrd_keeps_off_the_first_megabyte(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_memsz = bench.kernel.segment.p_filesz = 0;
	boot_bench_set_initrd(&bench.boot, 64 * MIB - 4096);
	assert_int_equal(load(&bench), -EINVAL);
	assert_int_equal(bench.boot.why.blame, BLAME_USER);
	stop(&bench);
}

/* --- what isn't --- */

static void an_elf_without_the_note_is_refused(void **state UNUSED)
{
	static const char message[] =
		"expected an ELF kernel with a PVH entry (a Xen note of type 18), found none";
	struct bench bench;

	start(&bench);
	bench.kernel.note_segment.p_type = PT_NULL;
	assert_refused(&bench, message);
	start(&bench);
	memcpy(bench.kernel.note.owner, "Xem", 4);
	assert_refused(&bench, message);
	start(&bench);
	bench.kernel.note.header.n_descsz = 2;
	assert_refused(&bench, message);
	start(&bench);
	bench.kernel.note.entry = UINT64_C(1) << 32;
	assert_refused(&bench, message);
	start(&bench);
	bench.kernel.note.entry = 0;
	assert_refused(&bench, message);
}

static void notes_that_reach_beyond_their_segment_are_not_read(void **state UNUSED)
{
	static const char message[] =
		"expected an ELF kernel with a PVH entry (a Xen note of type 18), found none";
	struct bench bench;

	start(&bench);
	bench.kernel.note_segment.p_filesz = sizeof(struct pvh_note) - 1;
	assert_refused(&bench, message);
	start(&bench);
	bench.kernel.note_segment.p_filesz = 5;
	assert_refused(&bench, message);
	start(&bench);
	bench.kernel.note_segment.p_filesz = 0;
	assert_refused(&bench, message);
	start(&bench);
	bench.kernel.note.header.n_namesz = UINT32_MAX;
	assert_refused(&bench, message);
	start(&bench);
	bench.kernel.note.header.n_descsz = UINT32_MAX;
	assert_refused(&bench, message);
}

static void a_segment_below_1_mib_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_paddr = 0xff000;
	assert_refused(&bench,
		       "expected its segments at or above 1 MiB, found one of 12288 bytes at "
		       "0xff000");
}

static void a_segment_that_wraps_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_paddr = UINT64_MAX - 0xfff;
	assert_refused(&bench, "expected its segments inside 64 bits, found one of 12288 bytes at "
			       "0xfffffffffffff000");
}

static void a_segment_of_more_file_than_memory_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_memsz = 511;
	assert_refused(&bench,
		       "expected a segment's file bytes to fit its memory, found 512 for 511");
}

static void a_segment_beyond_memory_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_paddr = 64 * MIB - 4096;
	assert_refused(&bench,
		       "the kernel reaches up to 65 MiB, where the VM's 64 MiB of memory have no "
		       "room");
	start(&bench);
	bench.kernel.segment.p_memsz = UINT64_C(1) << 40;
	assert_refused(&bench,
		       "the kernel reaches up to 1048577 MiB, where the VM's 64 MiB of memory have "
		       "no room");
}

static void a_truncated_kernel_is_refused(void **state UNUSED)
{
	char expected[128];
	struct bench bench;

	start(&bench);
	bench.kernel.segment.p_offset += 1;
	snprintf(expected, sizeof(expected),
		 "the kernel is truncated: expected 512 bytes at %zu, found a file of %zu",
		 offsetof(struct pvh64, code) + 1, sizeof(struct pvh64));
	assert_refused(&bench, expected);
	start(&bench);
	bench.kernel.elf.e_phoff = UINT64_MAX - 8;
	snprintf(
		expected, sizeof(expected),
		"the kernel is truncated: expected 112 bytes at 18446744073709551607, found a file of %zu",
		sizeof(struct pvh64));
	assert_refused(&bench, expected);
	start(&bench);
	bench.kernel.note_segment.p_offset = UINT64_MAX;
	assert_int_equal(load(&bench), -EINVAL);
	stop(&bench);
}

static void another_machines_kernel_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.elf.e_machine = EM_AARCH64;
	assert_refused(&bench, "expected an x86-64 ELF kernel, found another ELF");
	start(&bench);
	bench.kernel.elf.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_refused(&bench, "expected a little-endian ELF kernel");
	start(&bench);
	bench.kernel32.elf.e_machine = EM_ARM;
	assert_int_equal(load32(&bench), -EINVAL);
	assert_message(&bench, "expected an x86 ELF kernel, found another ELF");
}

static void strange_program_headers_are_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	bench.kernel.elf.e_phentsize = 32;
	assert_refused(&bench, "expected an x86-64 ELF kernel, found another ELF");
	start(&bench);
	bench.kernel.elf.e_phnum = 65;
	assert_refused(&bench, "expected an x86-64 ELF kernel, found another ELF");
	start(&bench);
	bench.kernel32.elf.e_phnum = UINT16_MAX;
	assert_int_equal(load32(&bench), -EINVAL);
	assert_message(&bench, "expected an x86 ELF kernel, found another ELF");
	start(&bench);
	bench.kernel32.elf.e_phoff = UINT32_MAX;
	assert_int_equal(load32(&bench), -EINVAL);
	stop(&bench);
	start(&bench);
	bench.kernel.elf.e_phnum = 0;
	assert_refused(
		&bench,
		"expected an ELF kernel with a PVH entry (a Xen note of type 18), found none");
}

static void a_file_that_ends_in_its_header_is_refused(void **state UNUSED)
{
	struct bench bench;

	start(&bench);
	boot_bench_set_kernel(&bench.boot, &bench.kernel, sizeof(Elf64_Ehdr) - 1);
	assert_int_equal(boot_bench_load(&bench.boot), -EINVAL);
	assert_message(&bench,
		       "the kernel is truncated: expected 64 bytes at 0, found a file of 63");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_64_bit_kernel_is_loaded),
		cmocka_unit_test(a_32_bit_kernel_is_loaded),
		cmocka_unit_test(the_start_info_describes_the_machine),
		cmocka_unit_test(the_initrd_is_its_module),
		cmocka_unit_test(the_entry_may_be_a_number_of_32_bits),
		cmocka_unit_test(the_note_may_be_one_of_several),
		cmocka_unit_test(a_segment_without_file_bytes_is_zeroed),
		cmocka_unit_test(other_kinds_of_segments_are_passed_over),
		cmocka_unit_test(the_initrd_keeps_off_the_first_megabyte),
		cmocka_unit_test(an_elf_without_the_note_is_refused),
		cmocka_unit_test(notes_that_reach_beyond_their_segment_are_not_read),
		cmocka_unit_test(a_segment_below_1_mib_is_refused),
		cmocka_unit_test(a_segment_that_wraps_is_refused),
		cmocka_unit_test(a_segment_of_more_file_than_memory_is_refused),
		cmocka_unit_test(a_segment_beyond_memory_is_refused),
		cmocka_unit_test(a_truncated_kernel_is_refused),
		cmocka_unit_test(another_machines_kernel_is_refused),
		cmocka_unit_test(strange_program_headers_are_refused),
		cmocka_unit_test(a_file_that_ends_in_its_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
