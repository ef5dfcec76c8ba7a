/*
 * The disk, past the guest's page cache: 4 KiB here and there, one at a time, and all of it in
 * order.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/perf/guest/figures.h"
#include "tests/perf/guest/jobs.h"

enum {
	SMALL_BYTES = 4096,
	SMALL_TIMES = 2000,
	LARGE_BYTES = 1 << 20,
	ROUNDS = 3,
};

/* pread() or pwrite() */
typedef ssize_t (*transfer_fn)(int fd, void *buffer, size_t bytes, off_t at);

static ssize_t write_at(int fd, void *buffer, size_t bytes, off_t at)
{
	return pwrite(fd, buffer, bytes, at);
}

static int transfer(int fd, transfer_fn fn, void *buffer, size_t bytes, uint64_t at,
		    const char *name)
{
	ssize_t done = fn(fd, buffer, bytes, (off_t)at);

	if (done == (ssize_t)bytes)
		return 0;
	if (done >= 0)
		errno = EIO;
	return complain(name);
}

static int time_random(int fd, transfer_fn fn, void *buffer, uint64_t disk_bytes, const char *name)
{
	struct figures figures = { 0 };
	uint64_t state = 1;

	for (int i = 0; i < SMALL_TIMES; i++) {
		uint64_t start, at;
		int err;

		state = state * 6364136223846793005u + 1442695040888963407u;
		at = (state >> 33) % (disk_bytes / SMALL_BYTES) * SMALL_BYTES;
		start = now();
		err = transfer(fd, fn, buffer, SMALL_BYTES, at, name);
		if (err)
			return err;
		figures_add(&figures, now() - start);
	}
	figures_say(&figures, name);
	return 0;
}

static int time_sequential(int fd, transfer_fn fn, void *buffer, uint64_t disk_bytes,
			   const char *name)
{
	struct figures rounds = { 0 };
	int err = 0;

	for (int i = 0; i < ROUNDS && !err; i++) {
		uint64_t start = now();

		for (uint64_t at = 0; at + LARGE_BYTES <= disk_bytes && !err; at += LARGE_BYTES)
			err = transfer(fd, fn, buffer, LARGE_BYTES, at, name);
		figures_add(&rounds, now() - start);
	}
	if (!err)
		rate_say(name, disk_bytes, rounds.min);
	return err;
}

static int time_disk(int fd, void *buffer)
{
	uint64_t disk_bytes;
	int err;

	if (ioctl(fd, BLKGETSIZE64, &disk_bytes) < 0)
		return complain("BLKGETSIZE64");
	err = time_random(fd, pread, buffer, disk_bytes, "blk-random-read");
	if (!err)
		err = time_random(fd, write_at, buffer, disk_bytes, "blk-random-write");
	if (!err)
		err = time_sequential(fd, write_at, buffer, disk_bytes, "blk-sequential-write");
	if (!err)
		err = time_sequential(fd, pread, buffer, disk_bytes, "blk-sequential-read");
	return err;
}

int job_blk(void)
{
	void *buffer =
		mmap(NULL, LARGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/dev/vda", O_RDWR | O_DIRECT | O_CLOEXEC);
	int err;

	/* Whether its place fits a huge page would be chance, and decide how many pieces a transfer has. */
	if (fd < 0 || buffer == MAP_FAILED || madvise(buffer, LARGE_BYTES, MADV_NOHUGEPAGE) < 0)
		err = complain("/dev/vda");
	else
		err = time_disk(fd, buffer);
	if (fd >= 0)
		close(fd);
	if (buffer != MAP_FAILED)
		munmap(buffer, LARGE_BYTES);
	return err;
}
