/*
 * What a block device says of itself, and where its positions end.
 */
#include <linux/fs.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <termios.h>

#include "lib/compiler.h"
#include "tests/abi/block/disks.h"

static const char *const devices[] = { DISK,	       DISK "1",       DISK "5",  DISK_READONLY,
				       DISK_LARGE,     DISK_LARGE "1", DISK_HUGE, DISK_NVME,
				       DISK_NVME "p2", DISK_NVME_4K };

static void ioctls(const char *device, int flags)
{
	unsigned long sectors = 7;
	uint64_t bytes = 7;
	uint32_t physical = 7;
	int block = 7, readonly = 7, fd = disk_open(device, flags);

	DISK_RESULT(device, ioctl(fd, BLKGETSIZE64, &bytes));
	DISK_RESULT(device, ioctl(fd, BLKGETSIZE, &sectors));
	DISK_RESULT(device, ioctl(fd, BLKSSZGET, &block));
	DISK_RESULT(device, ioctl(fd, BLKPBSZGET, &physical));
	DISK_RESULT(device, ioctl(fd, BLKROGET, &readonly));
	say("%s: %lu bytes, %lu sectors, blocks of %d on %u, read-only %d", device, bytes, sectors,
	    block, physical, readonly);
	DISK_RESULT(device, ioctl(fd, BLKFLSBUF, 0));
	DISK_RESULT(device, fsync(fd));
	DISK_RESULT(device, fdatasync(fd));
	close(fd);
}

static void bad_ioctls(void)
{
	int fd = disk_open(DISK, O_RDWR);
	struct termios terminal;

	RESULT(ioctl(fd, BLKGETSIZE64, NULL));
	RESULT(ioctl(fd, BLKGETSIZE, BAD_POINTER));
	RESULT(ioctl(fd, BLKSSZGET, NULL));
	RESULT(ioctl(fd, BLKPBSZGET, BAD_POINTER));
	RESULT(ioctl(fd, BLKROGET, NULL));
	RESULT(ioctl(fd, TCGETS, &terminal));
	RESULT(ioctl(fd, 0x1234, &terminal));
	RESULT(ioctl(fd, _IOW(0x12, 250, int), &terminal));
	RESULT(ioctl(fd, 0, 0));
	close(fd);
	RESULT(ioctl(fd, BLKGETSIZE64, &terminal));
}

static void positions(const char *device)
{
	int fd = disk_open(device, O_RDONLY);
	int64_t size = (int64_t)disk_bytes(fd);
	uint8_t byte;

	DISK_RESULT(device, lseek(fd, 0, SEEK_CUR));
	DISK_RESULT(device, lseek(fd, 0, SEEK_END) == size);
	DISK_RESULT(device, read(fd, &byte, 1));
	DISK_RESULT(device, lseek(fd, size, SEEK_SET) == size);
	DISK_RESULT(device, lseek(fd, size + 1, SEEK_SET));
	DISK_RESULT(device, lseek(fd, 1, SEEK_END));
	DISK_RESULT(device, lseek(fd, 1, SEEK_CUR));
	DISK_RESULT(device, lseek(fd, INT64_MAX, SEEK_SET));
	DISK_RESULT(device, lseek(fd, INT64_MAX, SEEK_CUR));
	DISK_RESULT(device, lseek(fd, INT64_MAX, SEEK_END));
	DISK_RESULT(device, lseek(fd, INT64_MIN, SEEK_END));
	DISK_RESULT(device, lseek(fd, -1, SEEK_SET));
	DISK_RESULT(device, lseek(fd, 0, SEEK_CUR) == size); /* what failed has moved nothing */
	DISK_RESULT(device, lseek(fd, -size, SEEK_END));
	DISK_RESULT(device, lseek(fd, -1, SEEK_CUR));
	DISK_RESULT(device, lseek(fd, 1234, SEEK_SET));
	DISK_RESULT(device, read(fd, &byte, 1));
	DISK_RESULT(device, lseek(fd, 65, SEEK_CUR));
	DISK_RESULT(device, lseek(fd, 0, 77));
	DISK_RESULT(device, lseek(fd, 0, SEEK_CUR));
	close(fd);
}

void group_block_sizes(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		ioctls(devices[i], O_RDONLY);
		positions(devices[i]);
	}
	ioctls(DISK, O_RDWR | O_DIRECT);
	ioctls(DISK_NVME, O_WRONLY);
	bad_ioctls();
}
