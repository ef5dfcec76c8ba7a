/*
 * What loaders say is copied; what they don't say, or say wrongly, is left out.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/boot/bootinfo.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "lib/address.h"
#include "tests/support/cmocka.h"

enum {
	INFORMATION_BYTES = 1 << 20,
	MULTIBOOT2_MAGIC = 0x36d76289,

	TAG_CMDLINE = 1,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
	TAG_EFI_MEMORY_MAP = 17,
};

static uint8_t *information; /* below 4 GiB, where loaders put theirs */
static uint32_t used;
static jmp_buf refused;
static bool was_refused;

void cannot_go_on(const char *format, ...)
{
	(void)format;
	was_refused = true;
	longjmp(refused, 1);
}

void print(const char *format, ...)
{
	(void)format;
}

static int setup(void **state)
{
	(void)state;
	information = mmap(NULL, INFORMATION_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_ptr_not_equal(information, MAP_FAILED);
	memset(&bootinfo, 0, sizeof(bootinfo));
	used = 8; /* total size, and a word that is reserved */
	was_refused = false;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(information, INFORMATION_BYTES);
}

static uint32_t address_of(const void *at)
{
	return (uint32_t)(uintptr_t)at;
}

static void add(const void *bytes, size_t size)
{
	if (size)
		memcpy(information + used, bytes, size);
	used += (uint32_t)size;
}

/* A tag with some words and perhaps text; the next begins at 8 bytes. */
static void add_tag(uint32_t type, const void *data, size_t size)
{
	const uint32_t header[] = { type, (uint32_t)size + 8 };

	add(header, sizeof(header));
	add(data, size);
	used = (uint32_t)align_up(used, 8);
}

static void read_tags(void)
{
	add_tag(0, NULL, 0);
	memcpy(information, &used, sizeof(used));
	bootinfo_read(MULTIBOOT2_MAGIC, address_of(information));
}

static void check_range(uint32_t index, uint64_t start, uint64_t end, bool is_ram)
{
	assert_true(index < bootinfo.nr_ranges);
	assert_int_equal(bootinfo.ranges[index].start, start);
	assert_int_equal(bootinfo.ranges[index].end, end);
	assert_int_equal(bootinfo.ranges[index].is_ram, is_ram);
}

static void add_map(void)
{
	const uint64_t map[] = { 24, /* bytes of an entry; version 0 */
				 0,  0x9f000, 1, 0xf0000, 0x10000, 2, 0x100000, 0x7f00000, 1 };

	add_tag(TAG_MEMORY_MAP, map, sizeof(map));
}

static void add_efi_map(void)
{
	/* 48 bytes for each: type, start, virtual, pages, attributes, and what a later version may add */
	const uint64_t map[] = { 48, 7, 0x100000, 0, 16,       0, 0, 3, 0x200000, 0,
				 1,  0, 0,	  9, 0x300000, 0, 2, 0, 0 };

	add_tag(TAG_EFI_MEMORY_MAP, map, sizeof(map));
}

static void the_memory_map_is_copied(void **state)
{
	(void)state;
	add_map();
	read_tags();
	assert_string_equal(bootinfo.loader, "Multiboot2");
	assert_int_equal(bootinfo.nr_ranges, 3);
	check_range(0, 0, 0x9f000, true);
	check_range(1, 0xf0000, 0x100000, false);
	check_range(2, 0x100000, 0x8000000, true);
}

static void the_firmwares_map_stands_in_for_a_missing_one(void **state)
{
	(void)state;
	add_efi_map();
	read_tags();
	assert_int_equal(bootinfo.nr_ranges, 3);
	check_range(0, 0x100000, 0x110000, true);
	check_range(1, 0x200000, 0x201000, true); /* of the boot services, which have ended */
	check_range(2, 0x300000, 0x302000, false);
}

static void the_firmwares_map_is_not_read_beside_another(void **state)
{
	(void)state;
	add_efi_map();
	add_map();
	read_tags();
	assert_int_equal(bootinfo.nr_ranges, 3);
	check_range(0, 0, 0x9f000, true);
}

static void a_map_with_impossible_entries_ends(void **state)
{
	const uint64_t no_size[] = { 0, 0, 0x9f000, 1 }, small[] = { 8, 7, 0, 0, 16 };
	const uint64_t endless[] = { 48, 7, 0x100000, 0, UINT64_MAX, 0, 0 };

	(void)state;
	add_tag(TAG_MEMORY_MAP, no_size, sizeof(no_size));
	read_tags();
	assert_int_equal(bootinfo.nr_ranges, 1);

	used = 8;
	bootinfo.nr_ranges = 0;
	add_tag(TAG_EFI_MEMORY_MAP, small, sizeof(small));
	read_tags();
	assert_int_equal(bootinfo.nr_ranges, 0);

	used = 8;
	add_tag(TAG_EFI_MEMORY_MAP, endless, sizeof(endless));
	read_tags();
	assert_int_equal(bootinfo.nr_ranges, 0);
}

static void the_first_module_is_the_boot_image(void **state)
{
	const uint32_t first[] = { 0x1000000, 0x1234567, 0 },
		       second[] = { 0x2000000, 0x2001000, 0 };

	(void)state;
	add_tag(TAG_MODULE, first, sizeof(first));
	add_tag(TAG_MODULE, second, sizeof(second));
	add_tag(TAG_CMDLINE, "init=/x -- y", 13);
	read_tags();
	assert_int_equal(bootinfo.module_start, 0x1000000);
	assert_int_equal(bootinfo.module_end, 0x1234567);
	assert_string_equal(bootinfo.cmdline, "init=/x -- y");
	assert_false(bootinfo.is_screen_unknown);
}

static void a_long_command_line_is_cut(void **state)
{
	char text[2 * BOOTINFO_CMDLINE_BYTES];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	add_tag(TAG_CMDLINE, text, sizeof(text));
	read_tags();
	assert_int_equal(strlen(bootinfo.cmdline), BOOTINFO_CMDLINE_BYTES - 1);
}

static void add_screen(uint8_t type)
{
	const uint32_t screen[] = { 0xc0000000, 0, 4096, 1024, 768, 32u | (uint32_t)type << 8, 0 };

	add_tag(TAG_FRAMEBUFFER, screen, sizeof(screen));
}

static void a_screen_has_pixels_or_letters(void **state)
{
	(void)state;
	add_screen(1);
	read_tags();
	assert_int_equal(bootinfo.screen.address, 0xc0000000);
	assert_int_equal(bootinfo.screen.pitch_bytes, 4096);
	assert_int_equal(bootinfo.screen.width, 1024);
	assert_int_equal(bootinfo.screen.height, 768);
	assert_int_equal(bootinfo.screen.bits_per_pixel, 32);
	assert_false(bootinfo.screen.is_text);

	used = 8;
	add_screen(2);
	read_tags();
	assert_true(bootinfo.screen.is_text);
}

static void a_screen_with_a_palette_is_none(void **state)
{
	(void)state;
	add_screen(0);
	read_tags();
	assert_int_equal(bootinfo.screen.address, 0);
}

static void the_newer_root_pointer_wins_in_any_order(void **state)
{
	static const char old[20] = "RSD PTR old", new[36] = "RSD PTR new";

	(void)state;
	add_tag(TAG_RSDP_OLD, old, sizeof(old));
	add_tag(TAG_RSDP_NEW, new, sizeof(new));
	read_tags();
	assert_true(bootinfo.has_rsdp_copy);
	assert_memory_equal(bootinfo.rsdp_copy, new, sizeof(new));

	used = 8;
	bootinfo.has_rsdp_copy = false;
	add_tag(TAG_RSDP_NEW, new, sizeof(new));
	add_tag(TAG_RSDP_OLD, old, sizeof(old));
	read_tags();
	assert_memory_equal(bootinfo.rsdp_copy, new, sizeof(new));
}

static void a_tag_that_reaches_beyond_the_end_is_left_out(void **state)
{
	const uint32_t module[] = { 0x1000000, 0x1001000, 0 }, lie = 4096;

	(void)state;
	add_tag(TAG_MODULE, module, sizeof(module));
	memcpy(information + 12, &lie, sizeof(lie));
	read_tags();
	assert_int_equal(bootinfo.module_end, 0);
}

static void pvh_start_information_is_copied(void **state)
{
	uint64_t *at = (uint64_t *)information;
	uint32_t *header = (uint32_t *)information;
	const uint64_t module[] = { 0x4000000, 0x1000, 0, 0 }, ranges[] = { 0x100000, 0x1000, 1 };

	(void)state;
	header[0] = 0x336ec578;
	header[1] = 1;
	header[3] = 1; /* module */
	at[2] = address_of(memcpy(information + 4096, module, sizeof(module)));
	at[3] = address_of(strcpy((char *)information + 8192, "quiet"));
	at[4] = 0xe1234;
	at[5] = address_of(memcpy(information + 12288, ranges, sizeof(ranges)));
	header[12] = 1;
	bootinfo_read(0, address_of(information));
	assert_string_equal(bootinfo.loader, "PVH");
	assert_int_equal(bootinfo.module_start, 0x4000000);
	assert_int_equal(bootinfo.module_end, 0x4001000);
	assert_string_equal(bootinfo.cmdline, "quiet");
	assert_int_equal(bootinfo.rsdp, 0xe1234);
	check_range(0, 0x100000, 0x101000, true);
	assert_true(bootinfo.is_screen_unknown);
}

static void an_unknown_loader_is_refused(void **state)
{
	(void)state;
	if (!setjmp(refused))
		bootinfo_read(0x2badb002, address_of(information)); /* the first Multiboot */
	assert_true(was_refused);
}

static void pvh_without_a_memory_map_is_refused(void **state)
{
	(void)state;
	((uint32_t *)information)[0] = 0x336ec578;
	if (!setjmp(refused))
		bootinfo_read(0, address_of(information));
	assert_true(was_refused);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_memory_map_is_copied),
		TEST(the_firmwares_map_stands_in_for_a_missing_one),
		TEST(the_firmwares_map_is_not_read_beside_another),
		TEST(a_map_with_impossible_entries_ends),
		TEST(the_first_module_is_the_boot_image),
		TEST(a_long_command_line_is_cut),
		TEST(a_screen_has_pixels_or_letters),
		TEST(a_screen_with_a_palette_is_none),
		TEST(the_newer_root_pointer_wins_in_any_order),
		TEST(a_tag_that_reaches_beyond_the_end_is_left_out),
		TEST(pvh_start_information_is_copied),
		TEST(an_unknown_loader_is_refused),
		TEST(pvh_without_a_memory_map_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
