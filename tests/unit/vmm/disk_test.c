/*
 * What is behind a guest's disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/cmocka.h"
#include "tests/support/scratch_file.h"
#include "vmm/disk.h"

enum { SECTOR = 512, BLOCK = 4096, BOUNCE_BYTES = 256 * 1024 };

static struct disk open_disk(const struct scratch_file *file, bool readonly, bool direct)
{
	struct errmsg why = { 0 };
	struct disk disk;

	assert_int_equal(disk_open(file->path, readonly, direct, &disk, &why), 0);
	return disk;
}

/* Opening @path fails with @err and says "@path: @message". */
static void assert_refused(const char *path, bool readonly, int err, const char *message)
{
	struct errmsg why = { 0 };
	char expected[256];
	struct disk disk;

	snprintf(expected, sizeof(expected), "%s: %s", path, message);
	assert_int_equal(disk_open(path, readonly, false, &disk, &why), err);
	assert_string_equal(why.text, expected);
	assert_int_equal(why.blame, BLAME_USER);
}

static void its_size_is_that_of_the_file_in_whole_sectors(void **state UNUSED)
{
	struct scratch_file file;
	struct disk disk;

	scratch_create(&file, 10 * SECTOR + 17);
	disk = open_disk(&file, false, false);
	assert_int_equal(disk.size_bytes, 10 * SECTOR);
	assert_int_equal(disk.block_bytes, SECTOR);
	disk_close(&disk);
	scratch_remove(&file);
}

static void direct_io_counts_in_whole_blocks(void **state UNUSED)
{
	struct scratch_file file;
	struct disk disk;

	scratch_create(&file, 3 * BLOCK + SECTOR);
	disk = open_disk(&file, false, true);
	assert_int_equal(disk.size_bytes, 3 * BLOCK);
	assert_int_equal(disk.block_bytes, BLOCK);
	disk_close(&disk);
	scratch_remove(&file);
}

static void a_file_that_is_not_there_is_refused(void **state UNUSED)
{
	assert_refused("/nonexistent/disk.img", false, -ENOENT,
		       "cannot open the disk for reading and writing: No such file or directory");
	assert_refused("/nonexistent/disk.img", true, -ENOENT,
		       "cannot open the disk for reading: No such file or directory");
}

static void what_is_no_disk_is_refused(void **state UNUSED)
{
	assert_refused("/dev/null", false, -ENOTBLK,
		       "expected a raw image or a block device, found neither");
	assert_refused("/tmp", true, -ENOTBLK,
		       "expected a raw image or a block device, found neither");
}

/* Opening one for reading would wait for somebody who writes. */
static void a_fifo_is_refused_at_once(void **state UNUSED)
{
	char folder[] = "/var/tmp/bulkhead-test-XXXXXX";
	char path[64];

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(path, true, -ENOTBLK,
		       "expected a raw image or a block device, found neither");
	unlink(path);
	rmdir(folder);
}

static void a_file_without_a_sector_is_refused(void **state UNUSED)
{
	struct scratch_file file;

	scratch_create(&file, SECTOR - 1);
	assert_refused(file.path, false, -EINVAL,
		       "expected at least one sector of 512 bytes, found none");
	scratch_remove(&file);
}

static void a_disk_has_one_writer(void **state UNUSED)
{
	static const char message[] =
		"the disk is in use by another VM; a disk has one writer, or readers "
		"that all open it read-only";
	struct scratch_file file;
	struct disk disk;

	scratch_create(&file, SECTOR);
	disk = open_disk(&file, false, false);
	assert_refused(file.path, false, -EBUSY, message);
	assert_refused(file.path, true, -EBUSY, message);
	disk_close(&disk);
	disk = open_disk(&file, false, false);
	disk_close(&disk);
	scratch_remove(&file);
}

static void a_disk_has_many_readers(void **state UNUSED)
{
	struct scratch_file file;
	struct disk first, second;

	scratch_create(&file, SECTOR);
	first = open_disk(&file, true, false);
	second = open_disk(&file, true, false);
	disk_close(&first);
	disk_close(&second);
	scratch_remove(&file);
}

static void fill(char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 13 % 127);
}

/* Writes and reads back @bytes in pieces of @cut at a place that isn't aligned in memory. */
static void assert_round_trip(struct disk *disk, size_t bytes, size_t cut)
{
	static char data[2 * BOUNCE_BYTES + 1], got[sizeof(data)];
	struct iovec pieces[600];
	struct iov_list list = { .at = pieces };

	fill(data, sizeof(data));
	for (size_t done = 0; done < bytes; done += cut)
		pieces[list.count++] =
			(struct iovec){ data + 1 + done, cut < bytes - done ? cut : bytes - done };
	assert_int_equal(disk_write(disk, &list, BLOCK), 0);
	assert_int_equal(iov_bytes(&list), 0);
	list = (struct iov_list){ .at = pieces };
	for (size_t done = 0; done < bytes; done += cut)
		pieces[list.count++] =
			(struct iovec){ got + 1 + done, cut < bytes - done ? cut : bytes - done };
	assert_int_equal(disk_read(disk, &list, BLOCK), 0);
	assert_int_equal(iov_bytes(&list), 0);
	assert_memory_equal(got + 1, data + 1, bytes);
}

static void scattered_transfers_are_whole(void **state UNUSED)
{
	struct scratch_file file;
	struct disk disk;

	scratch_create(&file, 3 * BOUNCE_BYTES);
	disk = open_disk(&file, false, false);
	assert_round_trip(&disk, BLOCK, 77);
	assert_round_trip(&disk, 2 * BOUNCE_BYTES, 1000);
	assert_null(disk.bounce);
	assert_int_equal(disk_flush(&disk), 0);
	disk_close(&disk);
	scratch_remove(&file);
}

static void direct_transfers_take_memory_as_it_comes(void **state UNUSED)
{
	struct scratch_file file;
	struct disk disk;

	scratch_create(&file, 3 * BOUNCE_BYTES);
	disk = open_disk(&file, false, true);
	assert_round_trip(&disk, BLOCK, 77);
	assert_round_trip(&disk, 2 * BOUNCE_BYTES, 1000);
	assert_non_null(disk.bounce);
	disk_close(&disk);
	scratch_remove(&file);
}

static void a_file_that_ends_too_early_is_an_error(void **state UNUSED)
{
	char got[2 * SECTOR];
	struct iovec iov = { got, sizeof(got) };
	struct iov_list list = { .at = &iov, .count = 1 };
	struct scratch_file file;
	struct disk disk;

	scratch_create(&file, SECTOR);
	disk = open_disk(&file, false, false);
	assert_int_equal(disk_read(&disk, &list, 0), -EIO);
	disk_close(&disk);
	scratch_remove(&file);
}

static void a_disk_open_for_reading_cannot_be_written(void **state UNUSED)
{
	char byte[SECTOR] = { 0 };
	struct iovec iov = { byte, sizeof(byte) };
	struct iov_list list = { .at = &iov, .count = 1 };
	struct scratch_file file;
	struct disk disk;

	scratch_create(&file, SECTOR);
	disk = open_disk(&file, true, false);
	assert_int_equal(disk_write(&disk, &list, 0), -EBADF);
	disk_close(&disk);
	scratch_remove(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_size_is_that_of_the_file_in_whole_sectors),
		cmocka_unit_test(direct_io_counts_in_whole_blocks),
		cmocka_unit_test(a_file_that_is_not_there_is_refused),
		cmocka_unit_test(what_is_no_disk_is_refused),
		cmocka_unit_test(a_fifo_is_refused_at_once),
		cmocka_unit_test(a_file_without_a_sector_is_refused),
		cmocka_unit_test(a_disk_has_one_writer),
		cmocka_unit_test(a_disk_has_many_readers),
		cmocka_unit_test(scattered_transfers_are_whole),
		cmocka_unit_test(direct_transfers_take_memory_as_it_comes),
		cmocka_unit_test(a_file_that_ends_too_early_is_an_error),
		cmocka_unit_test(a_disk_open_for_reading_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
