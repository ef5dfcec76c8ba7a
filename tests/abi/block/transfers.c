/*
 * What is written is what is read: whole blocks and parts of them, through O_DIRECT and without, in one piece and in many.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "lib/compiler.h"
#include "tests/abi/block/disks.h"

static const char *const devices[] = { DISK "1", DISK_LARGE "1", DISK_NVME "p1", DISK_NVME_4K };

/* Writes, and reads it by another descriptor to elsewhere in memory. */
static void round_trip(const char *device, int flags, uint64_t at, size_t size, size_t shift,
		       uint8_t *buffer)
{
	uint8_t *back = buffer + DISK_BUFFER_BYTES / 2 + shift;
	int out = disk_open(device, O_WRONLY | flags), in = disk_open(device, O_RDONLY | flags);
	ssize_t put, got;

	disk_fill(buffer + shift, at, size, 3);
	memset(back, 0, size);
	put = pwrite(out, buffer + shift, size, (off_t)at);
	got = pread(in, back, size, (off_t)at);
	say("%s %o: %zu bytes at %lu from %zu: %zd written, %zd read, right %d", device, flags,
	    size, at, shift, put, got, got == (ssize_t)size && disk_holds(back, at, size, 3));
	close(out);
	close(in);
}

static void round_trips(const char *device, uint8_t *buffer)
{
	static const int ways[] = { 0, O_DIRECT, O_DSYNC, O_DIRECT | O_SYNC };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		round_trip(device, ways[i], 0, 4096, 0, buffer);
		round_trip(device, ways[i], 8192, 65536, 4096, buffer);
		round_trip(device, ways[i], 4096, 1 << 20 >> 1, 0, buffer);
		round_trip(device, ways[i], 12288, 4096, 512, buffer); /* of a page and the next */
		round_trip(device, ways[i], 16384, 135168, 1536, buffer); /* of 34 pages */
	}
	round_trip(device, 0, 1, 1, 0, buffer);
	round_trip(device, 0, 511, 2, 1, buffer);
	round_trip(device, 0, 4095, 4098, 3, buffer);
	round_trip(device, 0, 512, 512, 8, buffer);
	round_trip(device, 0, 100000, 200001, 7, buffer);
	round_trip(device, 0, 65536, 131072, 9, buffer);
}

/* What stood around it stays. */
static void part_of_a_block(const char *device, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDWR);

	disk_fill(buffer, 0, 16384, 4);
	DISK_RESULT(device, pwrite(fd, buffer, 16384, 32768));
	DISK_RESULT(device, pwrite(fd, "in the middle", 13, 32768 + 4090));
	DISK_RESULT(device, pwrite(fd, "begins", 6, 32768));
	DISK_RESULT(device, pwrite(fd, "end", 3, 32768 + 16381));
	DISK_RESULT(device, pread(fd, buffer, 16384, 32768));
	say("%s: around it: %08x", device, disk_sum(buffer, 16384));
	close(fd);
}

static void refused(const char *device, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDWR | O_DIRECT);
	uint32_t block = disk_block_bytes(fd);
	struct iovec odd[2] = { { buffer, block }, { buffer + 8192, 100 } };
	struct iovec crooked[2] = { { buffer, block }, { buffer + 8193, block } };
	struct iovec whole[3] = { { buffer, block }, { NULL, 0 }, { buffer + 8192, block } };

	DISK_RESULT(device, pread(fd, buffer, block, 100));
	DISK_RESULT(device, pread(fd, buffer, block, block / 2));
	DISK_RESULT(device, pread(fd, buffer, 100, 0));
	DISK_RESULT(device, pread(fd, buffer, block + 1, 0));
	DISK_RESULT(device, pread(fd, buffer, block / 2, 0));
	DISK_RESULT(device, pread(fd, buffer + 1, block, 0));
	DISK_RESULT(device, pwrite(fd, buffer, block, 1));
	DISK_RESULT(device, pwrite(fd, buffer, 3, 0));
	DISK_RESULT(device, pwrite(fd, buffer + 7, block, 0));
	DISK_RESULT(device, preadv(fd, odd, 2, 0));
	DISK_RESULT(device, preadv(fd, crooked, 2, 0));
	DISK_RESULT(device, pwritev(fd, odd, 2, 0));
	DISK_RESULT(device, pwritev(fd, crooked, 2, 0));
	DISK_RESULT(device, preadv(fd, whole, 3, 0) == 2 * block);
	DISK_RESULT(device, preadv(fd, whole, 0, 0));
	DISK_RESULT(device, preadv(fd, whole, 0, 3));
	DISK_RESULT(device, preadv(fd, whole + 1, 1, 0));
	DISK_RESULT(device, preadv(fd, whole, -1, 0));
	DISK_RESULT(device, preadv(fd, whole, 1025, 0));
	DISK_RESULT(device, lseek(fd, 1, SEEK_SET));
	DISK_RESULT(device, read(fd, buffer, block));
	DISK_RESULT(device, write(fd, buffer, block));
	DISK_RESULT(device, lseek(fd, 0, SEEK_CUR));
	close(fd);
}

enum { PIECES = 1024 };

/* In memory the other way round than on the disk. */
static void describe(struct iovec pieces[PIECES], uint8_t *buffer, size_t size)
{
	for (size_t i = 0; i < PIECES; i++)
		pieces[i] = (struct iovec){ buffer + (PIECES - 1 - i) * size, size };
}

static void many_pieces(const char *device, int flags, size_t size, uint8_t *buffer)
{
	struct iovec *pieces = malloc(PIECES * sizeof(*pieces));
	int fd = disk_open(device, O_RDWR | flags);
	ssize_t put, got;

	describe(pieces, buffer, size);
	for (size_t i = 0; i < PIECES; i++)
		disk_fill(pieces[i].iov_base, i * size, size, 5);
	put = pwritev(fd, pieces, PIECES, 4096);
	memset(buffer, 0, PIECES * size);
	got = pread(fd, buffer, PIECES * size, 4096);
	say("%s %o: %d pieces of %zu: %zd written, %zd read, right %d", device, flags, PIECES, size,
	    put, got, disk_holds(buffer, 0, PIECES * size, 5));
	memset(buffer, 0, PIECES * size);
	lseek(fd, 4096, SEEK_SET);
	got = readv(fd, pieces, PIECES);
	say("%s %o: read to pieces: %zd, at %ld, first right %d, last right %d", device, flags, got,
	    (long)lseek(fd, 0, SEEK_CUR), disk_holds(pieces[0].iov_base, 0, size, 5),
	    disk_holds(pieces[PIECES - 1].iov_base, (PIECES - 1) * size, size, 5));
	close(fd);
	free(pieces);
}

/* One after the other, as a stream; a copy of the descriptor goes on where the first stopped. */
static void in_sequence(const char *device, uint8_t *buffer)
{
	int fd = disk_open(device, O_RDWR), copy = dup(fd);

	disk_fill(buffer, 0, 30000, 6);
	DISK_RESULT(device, lseek(fd, 20000, SEEK_SET));
	DISK_RESULT(device, write(fd, buffer, 10000));
	DISK_RESULT(device, write(copy, buffer + 10000, 20000));
	DISK_RESULT(device, lseek(copy, -30000, SEEK_CUR));
	DISK_RESULT(device, read(fd, buffer + 65536, 15000));
	DISK_RESULT(device, read(copy, buffer + 65536 + 15000, 15000));
	DISK_RESULT(device, lseek(fd, 0, SEEK_CUR));
	say("%s: in sequence: %d", device, disk_holds(buffer + 65536, 0, 30000, 6));
	close(fd);
	close(copy);
}

void group_block_transfers(void)
{
	uint8_t *buffer = disk_buffer();

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		round_trips(devices[i], buffer);
		part_of_a_block(devices[i], buffer);
		refused(devices[i], buffer);
		many_pieces(devices[i], 0, 300, buffer);
		in_sequence(devices[i], buffer);
	}
	many_pieces(DISK "1", O_DIRECT, 512, buffer);
	many_pieces(DISK_NVME_4K, O_DIRECT, 4096, buffer);
}
