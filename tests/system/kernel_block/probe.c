/*
 * The first program on the machine under test: what block devices promise, on every device that /etc/disks names.
 *
 * Says what it finds in lines that test_kernel_block.py reads, and powers the machine off. What it leaves on a device is known
 * to the test, which looks at the image afterwards: see expected_image() there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	MIB = 1 << 20,
	BIG_AT = 1 * MIB, /* written with O_DIRECT from one large buffer */
	BIG_BYTES = 3 * MIB + 4096,
	SHIFTED_AT = 5 * MIB, /* from a buffer that begins inside a page */
	SHIFTED_BYTES = MIB + 1536,
	VECTOR_AT = 7 * MIB, /* from three pieces */
	VECTOR_PIECE_BYTES = 8192,
	ODD_AT = 8 * MIB + 12345, /* not aligned at all, without O_DIRECT */
	ODD_BYTES = 70001,
};

static uint8_t *buffer, *check; /* BIG_BYTES + MIB each, at 2 MiB */
static const char *device;

static void claim(int holds, const char *what)
{
	printf("%s %s: %s\n", holds ? "PASS" : "FAIL", device, what);
}

/* The byte at @at of a device after the test wrote there. */
static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 9) * 13 + 5);
}

static void fill(uint8_t *bytes, uint64_t at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(at + i);
}

static int holds_pattern(const uint8_t *bytes, uint64_t at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != pattern(at + i))
			return 0;
	return 1;
}

static int reads_back(int fd, uint8_t *into, uint64_t at, size_t size)
{
	memset(into, 0, size);
	return pread(fd, into, size, (off_t)at) == (ssize_t)size && holds_pattern(into, at, size);
}

static uint32_t sum_of(int fd, uint64_t size)
{
	uint32_t sum = 2166136261u; /* FNV-1a */

	for (uint64_t at = 0; at < size;) {
		ssize_t got = pread(fd, buffer, MIB, (off_t)at);

		if (got <= 0) {
			printf("FAIL %s: read at %lu: %zd, %s\n", device, at, got, strerror(errno));
			return 0;
		}
		for (ssize_t i = 0; i < got; i++)
			sum = (sum ^ buffer[i]) * 16777619u;
		at += (uint64_t)got;
	}
	return sum;
}

static uint64_t describe(int fd)
{
	uint64_t size = 0;
	int block = 0;
	struct stat stat = { 0 };

	claim(!ioctl(fd, BLKGETSIZE64, &size), "BLKGETSIZE64");
	claim(!ioctl(fd, BLKSSZGET, &block), "BLKSSZGET");
	claim(!fstat(fd, &stat) && S_ISBLK(stat.st_mode) && stat.st_size == 0,
	      "stat says block device");
	claim(lseek(fd, 0, SEEK_END) == (off_t)size, "the end is where the size says");
	printf("DEVICE %s size %lu block %d sum %08x\n", device, size, block, sum_of(fd, size));
	return size;
}

static void write_direct(int fd)
{
	struct iovec pieces[3];

	fill(buffer, BIG_AT, BIG_BYTES);
	claim(pwrite(fd, buffer, BIG_BYTES, BIG_AT) == BIG_BYTES, "a large write");
	claim(reads_back(fd, check, BIG_AT, BIG_BYTES), "a large write reads back");

	fill(buffer + 512, SHIFTED_AT, SHIFTED_BYTES);
	claim(pwrite(fd, buffer + 512, SHIFTED_BYTES, SHIFTED_AT) == SHIFTED_BYTES,
	      "a write from inside a page");
	claim(reads_back(fd, check + 1024, SHIFTED_AT, SHIFTED_BYTES),
	      "it reads back to inside a page");

	fill(buffer, VECTOR_AT, 3 * VECTOR_PIECE_BYTES);
	for (int i = 0; i < 3; i++) {
		/* In memory the other way round. */
		pieces[i] =
			(struct iovec){ check + (2 - i) * VECTOR_PIECE_BYTES, VECTOR_PIECE_BYTES };
		memcpy(pieces[i].iov_base, buffer + i * VECTOR_PIECE_BYTES, VECTOR_PIECE_BYTES);
	}
	claim(pwritev(fd, pieces, 3, VECTOR_AT) == 3 * VECTOR_PIECE_BYTES,
	      "a write of three pieces");
	claim(reads_back(fd, check, VECTOR_AT, 3 * VECTOR_PIECE_BYTES), "three pieces read back");
}

static void fail_direct(int fd, uint64_t size)
{
	uint8_t *hole =
		mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	claim(pread(fd, buffer, 512, 100) == -1 && errno == EINVAL, "an odd offset is EINVAL");
	claim(pread(fd, buffer, 100, 0) == -1 && errno == EINVAL, "an odd size is EINVAL");
	claim(pread(fd, buffer + 8, 4096, 0) == -1 && errno == EINVAL, "an odd buffer is EINVAL");
	claim(pread(fd, (void *)(uintptr_t)4096, 4096, 0) == -1 && errno == EFAULT,
	      "no buffer is EFAULT");
	claim(pread(fd, buffer, 4096, (off_t)size) == 0, "nothing is read at the end");
	claim(pread(fd, buffer, 65536, (off_t)size - 4096) == 4096, "a read stops at the end");
	claim(pwrite(fd, buffer, 4096, (off_t)size) == -1 && errno == ENOSPC,
	      "a write at the end is ENOSPC");
	munmap(hole + MIB, MIB);
	claim(pread(fd, hole + MIB - 4096, 8192, 0) == 4096, "a buffer that ends ends the read");
	munmap(hole, MIB);
}

static void write_odd(void)
{
	int fd = open(device, O_RDWR);

	fill(buffer + 3, ODD_AT, ODD_BYTES);
	claim(pwrite(fd, buffer + 3, ODD_BYTES, ODD_AT) == ODD_BYTES,
	      "an odd write without O_DIRECT");
	claim(reads_back(fd, check + 5, ODD_AT, ODD_BYTES), "an odd write reads back");
	claim(!ioctl(fd, BLKFLSBUF, 0), "BLKFLSBUF");
	close(fd);
}

static void lock(void)
{
	int a = open(device, O_RDWR), b = open(device, O_RDONLY);

	claim(!flock(a, LOCK_SH | LOCK_NB) && !flock(b, LOCK_SH | LOCK_NB), "two may share a lock");
	claim(flock(a, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK,
	      "nobody has it alone then");
	claim(!flock(b, LOCK_UN) && !flock(a, LOCK_EX | LOCK_NB), "one has it alone");
	claim(flock(b, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK, "and no other shares it");
	close(a);
	claim(!flock(b, LOCK_EX | LOCK_NB), "closing gives it back");
	close(b);
}

/* The device answered one request, when it was looked at for partitions, and answers no more. */
static void hang(void)
{
	int fd = open(device, O_RDONLY | O_DIRECT);

	claim(pread(fd, buffer, 4096, 4096) == -1 && errno == EIO, "no answer is EIO");
	close(fd);
	printf("DEVICE %s was asked\n", device);
}

static void probe(int is_written)
{
	int fd = open(device, (is_written ? O_RDWR : O_RDONLY) | O_DIRECT);
	uint64_t size;

	if (fd < 0) {
		printf("FAIL %s: open: %s\n", device, strerror(errno));
		return;
	}
	size = describe(fd);
	if (is_written) {
		write_direct(fd);
		fail_direct(fd, size);
		write_odd();
		lock();
		claim(!fdatasync(fd), "fdatasync");
	}
	close(fd);
}

/* A line per device: its path, and "read", "write" (it may be changed), "absent" or "hang". */
static void probe_all(void)
{
	char path[64], mode[16];
	FILE *list = fopen("/etc/disks", "r");

	while (list && fscanf(list, "%63s %15s", path, mode) == 2) {
		device = path;
		if (!strcmp(mode, "hang"))
			hang();
		else if (!strcmp(mode, "absent"))
			claim(open(device, O_RDONLY) == -1 && errno == ENOENT, "there is none");
		else
			probe(!strcmp(mode, "write"));
	}
}

int main(void)
{
	const size_t size = 2 * (BIG_BYTES + 2 * MIB);

	buffer = mmap(NULL, size + 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	buffer = (uint8_t *)(((uintptr_t)buffer + 2 * MIB - 1) & ~(uintptr_t)(2 * MIB - 1));
	check = buffer + size / 2;
	probe_all();
	printf("DONE\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
