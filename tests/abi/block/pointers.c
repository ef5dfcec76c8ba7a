/*
 * Buffers that aren't there, or end too early.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "lib/compiler.h"
#include "tests/abi/block/disks.h"

enum { PAGE = 4096, GOOD_BYTES = 8 * PAGE };

static const char *const devices[] = { DISK "1", DISK_NVME_4K };

/* GOOD_BYTES, and after them nothing. */
static uint8_t *map_with_end(void)
{
	uint8_t *memory = mmap(NULL, 2 * GOOD_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(memory + GOOD_BYTES, GOOD_BYTES);
	return memory;
}

static void nowhere(const char *device, int flags)
{
	static const uintptr_t places[] = { 0,
					    PAGE,
					    UINT64_C(0x7ffffffff000),
					    UINT64_C(0x800000000000),
					    UINT64_C(0xffff800000000000),
					    UINT64_C(0xffffffff80000000),
					    UINT64_C(0xfffffffffffff000) };
	int fd = disk_open(device, O_RDWR | flags);

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		void *place = (void *)places[i];

		say("%s %o: buffer at %lx", device, flags, places[i]);
		RESULT(pread(fd, place, PAGE, 0));
		RESULT(pread(fd, place, 1 << 20, 0));
		RESULT(pwrite(fd, place, PAGE, 0));
		RESULT(pwrite(fd, place, 1 << 20, 0));
	}
	RESULT(readv(fd, BAD_POINTER, 1));
	RESULT(pwritev(fd, NULL, 2, 0));
	close(fd);
}

/* The reads: what was there before the end has come, all of it. */
static void ends_too_early(const char *device, int flags)
{
	uint8_t *memory = map_with_end(), *tail = memory + GOOD_BYTES - 2 * PAGE;
	int fd = disk_open(device, O_RDWR | flags);
	struct iovec pieces[2] = { { memory, PAGE }, { memory + GOOD_BYTES, PAGE } };

	disk_fill(memory, 0, GOOD_BYTES, 15);
	DISK_RESULT(device, pwrite(fd, memory, GOOD_BYTES, 0));
	memset(memory, 0, GOOD_BYTES);
	DISK_RESULT(device, pread(fd, tail, 4 * PAGE, 0));
	say("%s %o: right %d", device, flags, disk_holds(tail, 0, 2 * PAGE, 15));
	memset(memory, 0, GOOD_BYTES);
	DISK_RESULT(device, preadv(fd, pieces, 2, 4 * PAGE));
	say("%s %o: right %d", device, flags, disk_holds(memory, 4 * PAGE, PAGE, 15));
	disk_fill(memory, 0, GOOD_BYTES, 16);
	DISK_RESULT(device, pwrite(fd, tail, 4 * PAGE, 0));
	DISK_RESULT(device, pwritev(fd, pieces, 2, 4 * PAGE));
	memset(memory, 0, GOOD_BYTES);
	DISK_RESULT(device, pread(fd, memory, GOOD_BYTES, 0));
	say("%s %o: on the disk %08x", device, flags, disk_sum(memory, GOOD_BYTES));
	close(fd);
	munmap(memory, GOOD_BYTES);
}

/* Neither the place on the disk nor that in memory is a multiple of anything. */
static void ends_too_early_and_odd(const char *device)
{
	uint8_t *memory = map_with_end(), *tail = memory + GOOD_BYTES - 5000;
	int fd = disk_open(device, O_RDWR);

	disk_fill(memory, 0, GOOD_BYTES, 17);
	DISK_RESULT(device, pwrite(fd, memory, GOOD_BYTES, 0));
	memset(memory, 0, GOOD_BYTES);
	DISK_RESULT(device, pread(fd, tail, 12000, 100));
	say("%s: right %d", device, disk_holds(tail, 100, 5000, 17));
	disk_fill(tail, 0, 5000, 18);
	DISK_RESULT(device, pwrite(fd, tail, 12000, 100));
	DISK_RESULT(device, pread(fd, memory, GOOD_BYTES, 0));
	say("%s: on the disk %08x", device, disk_sum(memory, GOOD_BYTES));
	close(fd);
	munmap(memory, GOOD_BYTES);
}

void group_block_pointers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		nowhere(devices[i], 0);
		nowhere(devices[i], O_DIRECT);
		ends_too_early(devices[i], 0);
		ends_too_early(devices[i], O_DIRECT);
		ends_too_early_and_odd(devices[i]);
	}
}
