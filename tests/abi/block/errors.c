/*
 * Disks that can't be written, and one that fails in places.
 */
#include <linux/fs.h>
#include <string.h>

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

/* A sector in the middle of what is asked for; what is beside it is well. */
static void bad_read(int flags, uint8_t *buffer)
{
	int fd = disk_open(DISK_BAD, O_RDONLY | flags);

	say("bad for reading, %o", flags);
	RESULT(pread(fd, buffer, 4096, BAD_READ_AT));
	RESULT(pread(fd, buffer, 4096, BAD_READ_AT - 4096));
	RESULT(pread(fd, buffer, 4096, BAD_READ_AT + 4096));
	RESULT(pread(fd, buffer, 4096, BAD_READ_AT));
	RESULT(lseek(fd, BAD_READ_AT, SEEK_SET));
	RESULT(read(fd, buffer, 4096));
	RESULT(lseek(fd, 0, SEEK_CUR));
	RESULT(fsync(fd));
	close(fd);
}

/* Without O_DIRECT Linux says it when it synchronizes. */
static void bad_write(uint8_t *buffer)
{
	int fd = disk_open(DISK_BAD, O_RDWR | O_DIRECT);

	disk_fill(buffer, 0, BYTES, 28);
	RESULT(pread(fd, buffer, BYTES, BAD_READ_AT - 8192));
	RESULT(pwrite(fd, buffer, 4096, BAD_WRITE_AT));
	RESULT(pwrite(fd, buffer, 512, BAD_WRITE_AT));
	RESULT(pwrite(fd, buffer, 4096, BAD_WRITE_AT - 4096));
	RESULT(pwrite(fd, buffer, 4096, BAD_WRITE_AT + 4096));
	RESULT(lseek(fd, BAD_WRITE_AT, SEEK_SET));
	RESULT(write(fd, buffer, 4096));
	RESULT(lseek(fd, 0, SEEK_CUR));
	RESULT(fdatasync(fd));
	RESULT(pread(fd, buffer, 4096, BAD_WRITE_AT));
	close(fd);
}

void group_block_errors(void)
{
	uint8_t *buffer = disk_buffer();

	readonly(0, buffer);
	readonly(O_DIRECT, buffer);
	bad_read(0, buffer);
	bad_read(O_DIRECT, buffer);
	bad_write(buffer);
}
