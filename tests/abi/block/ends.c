/*
 * Reads and writes where a block device ends, and far behind it.
 */
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "lib/compiler.h"
#include "tests/abi/block/disks.h"

/* Whole disks with a partition table have a second one at their end, which stays. */
static const char *const devices[] = { DISK "1", DISK "5", DISK_LARGE "1", DISK_NVME "p2",
				       DISK_NVME_4K };

static void reads(const char *device, int flags, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDONLY | flags);
	int64_t size = (int64_t)disk_bytes(fd);
	uint32_t block = disk_block_bytes(fd);
	struct iovec two[2] = { { buffer, block }, { buffer + 65536, 4 * block } };

	say("%s, %s: reads", device, flags ? "direct" : "buffered");
	DISK_RESULT(device, pread(fd, buffer, block, size));
	DISK_RESULT(device, pread(fd, buffer, block, size + block));
	DISK_RESULT(device, pread(fd, buffer, block, size - block) == block);
	DISK_RESULT(device, pread(fd, buffer, 65536, size - block) == block);
	DISK_RESULT(device, pread(fd, buffer, 65536, size - 8192));
	DISK_RESULT(device, pread(fd, buffer, DISK_BUFFER_BYTES, size - 3 * 4096));
	DISK_RESULT(device, preadv(fd, two, 2, size - 3 * (int64_t)block) == 3 * block);
	DISK_RESULT(device, preadv(fd, two, 2, size));
	DISK_RESULT(device, pread(fd, buffer, block + 100, size - block) == block);
	DISK_RESULT(device, pread(fd, buffer, 100, size + 3));
	DISK_RESULT(device, pread(fd, buffer, 0, size));
	DISK_RESULT(device, pread(fd, buffer, 0, 3));
	DISK_RESULT(device, pread(fd, BAD_POINTER, block, size));
	DISK_RESULT(device, pread(fd, buffer, block, -1));
	DISK_RESULT(device, pread(fd, buffer, block, INT64_MIN));
	DISK_RESULT(device, pread(fd, buffer, block, INT64_MAX));
	DISK_RESULT(device, pread(fd, buffer, block, INT64_MAX - block));
	DISK_RESULT(device, preadv(fd, two, 2, INT64_MAX - block));
	DISK_RESULT(device, pread(fd, buffer, (size_t)-1, 0));
	close(fd);
}

static void writes(const char *device, int flags, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDWR | flags);
	int64_t size = (int64_t)disk_bytes(fd);
	uint32_t block = disk_block_bytes(fd);
	struct iovec two[2] = { { buffer, block }, { buffer + 65536, 4 * block } };

	say("%s, %s: writes", device, flags ? "direct" : "buffered");
	disk_fill(buffer, 0, 2 * 65536, 1);
	DISK_RESULT(device, pwrite(fd, buffer, block, size));
	DISK_RESULT(device, pwrite(fd, buffer, block, size + block));
	DISK_RESULT(device, pwrite(fd, buffer, 0, size));
	DISK_RESULT(device, pwrite(fd, buffer, 0, size + block));
	DISK_RESULT(device, pwrite(fd, BAD_POINTER, block, size));
	DISK_RESULT(device, pwrite(fd, buffer, block, size - block) == block);
	DISK_RESULT(device, pwrite(fd, buffer, 65536, size - 8192));
	DISK_RESULT(device, pwritev(fd, two, 2, size - 3 * (int64_t)block) == 3 * block);
	DISK_RESULT(device, pwritev(fd, two, 2, size));
	DISK_RESULT(device, pwrite(fd, buffer, block + 100, size - block) == block);
	DISK_RESULT(device, pwrite(fd, buffer, 100, size + 3));
	DISK_RESULT(device, pwrite(fd, buffer, block, -1));
	DISK_RESULT(device, pwrite(fd, buffer, block, INT64_MAX));
	DISK_RESULT(device, pwrite(fd, buffer, block, INT64_MAX - block));
	DISK_RESULT(device, lseek(fd, -(off_t)block, SEEK_END) == size - block);
	DISK_RESULT(device, write(fd, buffer, 65536) == block);
	DISK_RESULT(device, write(fd, buffer, block));
	DISK_RESULT(device, write(fd, buffer, 0));
	DISK_RESULT(device, lseek(fd, 0, SEEK_CUR) == size);
	DISK_RESULT(device, fsync(fd));
	memset(buffer, 0, 65536);
	DISK_RESULT(device, pread(fd, buffer, 65536, size - 8192));
	say("%s ends with %08x", device, disk_sum(buffer, 8192));
	close(fd);
}

/* Not whole blocks: not for O_DIRECT. */
static void odd(const char *device, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDWR);
	int64_t size = (int64_t)disk_bytes(fd);

	disk_fill(buffer, 0, 65536, 2);
	DISK_RESULT(device, pread(fd, buffer, 100, size - 3));
	DISK_RESULT(device, pread(fd, buffer, 100, size - 1));
	DISK_RESULT(device, pwrite(fd, buffer, 100, size - 3));
	DISK_RESULT(device, pwrite(fd, buffer + 1, 10000, size - 4999));
	DISK_RESULT(device, pread(fd, buffer, 65536, size - 5001));
	say("%s ends with %08x", device, disk_sum(buffer, 5001));
	close(fd);
}

void group_block_ends(void)
{
	uint8_t *buffer = disk_buffer();

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		reads(devices[i], 0, buffer);
		writes(devices[i], 0, buffer);
		reads(devices[i], O_DIRECT, buffer);
		writes(devices[i], O_DIRECT, buffer);
		odd(devices[i], buffer);
	}
	reads(DISK_HUGE, 0, buffer);
	reads(DISK_HUGE, O_DIRECT, buffer);
	writes(DISK_HUGE, O_DIRECT,
	       buffer); /* not into a cache, which would keep what the disk doesn't */
}
