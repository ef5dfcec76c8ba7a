/*
 * Disks for the groups: see disks.h.
 */
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/abi/block/disks.h"

enum { HUGE_PAGE_BYTES = 2 << 20 };

long disk_result(const char *device, const char *name, long value)
{
	char line[256];

	snprintf(line, sizeof(line), "%s %s", device, name);
	return result(line, value);
}

int disk_open(const char *device, int flags)
{
	int fd = open(device, flags);

	if (fd < 0)
		disk_result(device, "open", fd);
	return fd;
}

uint64_t disk_bytes(int fd)
{
	uint64_t size = 0;

	ioctl(fd, BLKGETSIZE64, &size);
	return size;
}

uint32_t disk_block_bytes(int fd)
{
	int size = 0;

	ioctl(fd, BLKSSZGET, &size);
	return (uint32_t)size;
}

uint8_t *disk_buffer(void)
{
	uint8_t *memory = mmap(NULL, DISK_BUFFER_BYTES + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return (uint8_t *)(((uintptr_t)memory + HUGE_PAGE_BYTES - 1) &
			   ~(uintptr_t)(HUGE_PAGE_BYTES - 1));
}

uint8_t disk_pattern(uint64_t at, uint8_t salt)
{
	return (uint8_t)(at * 7 + (at >> 9) * 13 + salt);
}

void disk_fill(uint8_t *bytes, uint64_t at, size_t size, uint8_t salt)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = disk_pattern(at + i, salt);
}

int disk_holds(const uint8_t *bytes, uint64_t at, size_t size, uint8_t salt)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != disk_pattern(at + i, salt))
			return 0;
	return 1;
}

uint32_t disk_sum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 16777619u;
	return sum;
}
