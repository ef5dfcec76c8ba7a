/*
 * A partition is a part of its disk: what is written to one is read from the other, and ends at the partition's end.
 */
#include <linux/fs.h>
#include <string.h>

#include "tests/abi/block/disks.h"

enum { BYTES = 65536 };

/* The disk's bytes from where @partition begins on: past caches, which Linux has one of for each. */
static void compare(const char *disk, const char *partition, uint64_t start, uint8_t *buffer)
{
	int whole = disk_open(disk, O_RDWR | O_DIRECT),
	    part = disk_open(partition, O_RDWR | O_DIRECT);

	disk_fill(buffer, 0, BYTES, 18);
	DISK_RESULT(partition, pwrite(part, buffer, BYTES, 8192));
	memset(buffer, 0, BYTES);
	DISK_RESULT(disk, pread(whole, buffer, BYTES, (off_t)start + 8192));
	say("%s in %s: %d", partition, disk, disk_holds(buffer, 0, BYTES, 18));
	disk_fill(buffer, 0, BYTES, 19);
	DISK_RESULT(disk, pwrite(whole, buffer, BYTES, (off_t)start + 16384));
	memset(buffer, 0, BYTES);
	DISK_RESULT(partition, pread(part, buffer, BYTES, 16384));
	say("%s of %s: %d", partition, disk, disk_holds(buffer, 0, BYTES, 19));
	close(whole);
	close(part);
}

/* Buffered on the one, then fsync(), then past all caches on the other. */
static void after_sync(uint8_t *buffer)
{
	int whole = disk_open(DISK, O_RDONLY | O_DIRECT), part = disk_open(DISK "2", O_RDWR);

	disk_fill(buffer, 0, 5000, 20);
	RESULT(pwrite(part, buffer, 5000, 4100));
	RESULT(fdatasync(part));
	memset(buffer, 0, BYTES);
	RESULT(pread(whole, buffer, BYTES, 2 * DISK_MIB));
	say("synchronized: %d", disk_holds(buffer + 4100, 0, 5000, 20));
	close(part);
	close(whole);
}

/* Partition 2 begins where 1 ends. */
static void ends(uint8_t *buffer)
{
	int one = disk_open(DISK "1", O_RDWR | O_DIRECT),
	    two = disk_open(DISK "2", O_RDWR | O_DIRECT);

	disk_fill(buffer, 0, BYTES, 21);
	RESULT(pwrite(two, buffer, BYTES, 0));
	disk_fill(buffer, 0, BYTES, 22);
	RESULT(pwrite(one, buffer, BYTES, DISK_MIB - 4096));
	RESULT(pwrite(one, buffer, BYTES, DISK_MIB));
	RESULT(pwrite(one, buffer, BYTES, DISK_MIB + 4096));
	RESULT(lseek(one, DISK_MIB + 512, SEEK_SET));
	RESULT(pread(one, buffer, BYTES, DISK_MIB - 4096));
	RESULT(pread(one, buffer, BYTES, DISK_MIB));
	memset(buffer, 0, BYTES);
	RESULT(pread(two, buffer, BYTES, 0));
	say("the next partition is as it was: %d", disk_holds(buffer, 0, BYTES, 21));
	RESULT(pwrite(two, buffer, 4096, -4096));
	close(one);
	close(two);
}

/* Between descriptors of one device there is one truth, whichever way they take. */
static void two_ways(const char *device, uint8_t *buffer)
{
	int direct = disk_open(device, O_RDWR | O_DIRECT), buffered = disk_open(device, O_RDWR);

	disk_fill(buffer, 0, BYTES, 23);
	DISK_RESULT(device, pwrite(buffered, buffer, BYTES, 0));
	memset(buffer, 0, BYTES);
	DISK_RESULT(device, pread(direct, buffer, BYTES, 0));
	say("%s: %d", device, disk_holds(buffer, 0, BYTES, 23));
	disk_fill(buffer, 0, BYTES, 24);
	DISK_RESULT(device, pwrite(direct, buffer, BYTES, 0));
	memset(buffer, 0, BYTES);
	DISK_RESULT(device, pread(buffered, buffer + 3, 60000, 77));
	say("%s: %d", device, disk_holds(buffer + 3, 77, 60000, 24));
	DISK_RESULT(device, pwrite(buffered, "odd", 3, 4095));
	DISK_RESULT(device, pread(direct, buffer, 8192, 0));
	say("%s: %.3s", device, (char *)buffer + 4095);
	close(direct);
	close(buffered);
}

void group_block_partitions(void)
{
	uint8_t *buffer = disk_buffer();

	compare(DISK, DISK "1", DISK_MIB, buffer);
	compare(DISK, DISK "2", 2 * DISK_MIB, buffer);
	compare(DISK_NVME, DISK_NVME "p2", 2 * DISK_MIB, buffer);
	compare(DISK_LARGE, DISK_LARGE "1", DISK_MIB, buffer);
	after_sync(buffer);
	ends(buffer);
	two_ways(DISK "2", buffer);
	two_ways(DISK_NVME_4K, buffer);
}
