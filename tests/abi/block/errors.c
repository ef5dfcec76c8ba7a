/*
 * A disk that can't be written, and some that fail in places.
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>

#include "lib/compiler.h"
#include "tests/abi/block/disks.h"

enum { BAD_READ_AT = 2 << 20, BAD_WRITE_AT = 3 << 20, BYTES = 65536 };

static void readonly(int flags, uint8_t *buffer)
{
	int fd = disk_open(DISK_READONLY, O_RDWR | flags), writer;
	int64_t size = (int64_t)disk_bytes(fd);

	disk_fill(buffer, 0, BYTES, 27);
	say("read-only, %o", flags);
	RESULT(pwrite(fd, buffer, 4096, 0));
	RESULT(pwrite(fd, buffer, 0, 0));
	RESULT(pwrite(fd, buffer, 4096, size));
	RESULT(pwrite(fd, buffer, 4096, -1));
	RESULT(pwrite(fd, buffer, 3, 1));
	RESULT(pwrite(fd, BAD_POINTER, 4096, 0));
	RESULT(write(fd, buffer, 4096));
	RESULT(fsync(fd));
	RESULT(fdatasync(fd));
	RESULT(ioctl(fd, BLKFLSBUF, 0));
	RESULT(pread(fd, buffer, BYTES, 4096));
	say("it holds %08x", disk_sum(buffer, BYTES));
	writer = disk_open(DISK_READONLY, O_WRONLY | flags);
	RESULT(pwrite(writer, buffer, 4096, 4096));
	close(writer);
	close(fd);
}

/* Of a medium's error Linux has two names. */
static long failed(const char *device, const char *name, long value)
{
	if (value == -1 && errno == ENODATA)
		errno = EIO;
	return disk_result(device, name, value);
}
#define FAILED(device, call) failed(device, #call, (long)(call))

/* A sector in the middle of what is asked for; what is beside it is well. */
static void bad_read(const char *device, int flags, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDONLY | flags);

	say("%s, bad for reading, %o", device, flags);
	FAILED(device, pread(fd, buffer, 4096, BAD_READ_AT));
	FAILED(device, pread(fd, buffer, 4096, BAD_READ_AT - 4096));
	FAILED(device, pread(fd, buffer, 4096, BAD_READ_AT + 4096));
	FAILED(device, pread(fd, buffer, 4096, BAD_READ_AT));
	FAILED(device, lseek(fd, BAD_READ_AT, SEEK_SET));
	FAILED(device, read(fd, buffer, 4096));
	FAILED(device, lseek(fd, 0, SEEK_CUR));
	FAILED(device, fsync(fd));
	close(fd);
}

/* Without O_DIRECT Linux says it when it synchronizes. */
static void bad_write(const char *device, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDWR | O_DIRECT);

	disk_fill(buffer, 0, BYTES, 28);
	FAILED(device, pread(fd, buffer, BYTES, BAD_READ_AT - 8192));
	FAILED(device, pwrite(fd, buffer, 4096, BAD_WRITE_AT));
	FAILED(device, pwrite(fd, buffer, 512, BAD_WRITE_AT));
	FAILED(device, pwrite(fd, buffer, 4096, BAD_WRITE_AT - 4096));
	FAILED(device, pwrite(fd, buffer, 4096, BAD_WRITE_AT + 4096));
	FAILED(device, lseek(fd, BAD_WRITE_AT, SEEK_SET));
	FAILED(device, write(fd, buffer, 4096));
	FAILED(device, lseek(fd, 0, SEEK_CUR));
	FAILED(device, fdatasync(fd));
	FAILED(device, pread(fd, buffer, 4096, BAD_WRITE_AT));
	close(fd);
}

void group_block_errors(void)
{
	static const char *const bad[] = { DISK_BAD, DISK_NVME_BAD };
	uint8_t *buffer = disk_buffer();

	readonly(0, buffer);
	readonly(O_DIRECT, buffer);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		bad_read(bad[i], 0, buffer);
		bad_read(bad[i], O_DIRECT, buffer);
		bad_write(bad[i], buffer);
	}
}
