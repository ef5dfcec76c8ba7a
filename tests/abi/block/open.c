/*
 * Block devices by their names: which there are, how they are opened, what stat() says of them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/compiler.h"
#include "tests/abi/block/disks.h"

static const char *const devices[] = {
	DISK,		DISK "1",	DISK "2",     DISK "5",	     DISK_READONLY,
	DISK_LARGE,	DISK_LARGE "1", DISK_BAD,     DISK_HUGE,     DISK_NVME,
	DISK_NVME "p1", DISK_NVME "p2", DISK_NVME_4K, DISK_NVME_BAD,
};

enum { PATIENCE_MS = 10000, NAMES_MAX = 32 };

/* Linux looks for NVMe disks, and for partitions, while the first process runs already. */
static void wait_for_devices(void)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		while (access(devices[i], F_OK) && now_ms() < end)
			sleep_ms(10);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void names(void)
{
	char found[NAMES_MAX][32];
	struct dirent *entry;
	size_t count = 0;
	DIR *folder = opendir("/dev");

	while (folder && (entry = readdir(folder)) && count < NAMES_MAX)
		if (!strncmp(entry->d_name, "vd", 2) || !strncmp(entry->d_name, "nvme0n", 6))
			snprintf(found[count++], sizeof(found[0]), "%.31s", entry->d_name);
	closedir(folder);
	qsort(found, count, sizeof(found[0]), by_name);
	for (size_t i = 0; i < count; i++)
		say("in /dev: %s", found[i]);
}

static void modes(const char *device)
{
	static const int wanted[] = { O_RDONLY,
				      O_WRONLY,
				      O_RDWR,
				      O_RDWR | O_DIRECT,
				      O_RDONLY | O_DIRECT | O_CLOEXEC,
				      O_RDONLY | O_NONBLOCK,
				      O_RDWR | O_CREAT,
				      O_RDONLY | O_NOFOLLOW,
				      O_RDWR | O_TRUNC | O_DSYNC };
	const int shown = O_ACCMODE | O_DIRECT | O_NONBLOCK | O_CREAT | O_EXCL | O_TRUNC |
			  O_NOFOLLOW | O_SYNC | O_CLOEXEC;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int fd = open(device, wanted[i], 0600);

		if (fd < 0)
			disk_result(device, "open", fd);
		else
			say("%s opened with %o: %o", device, wanted[i], fcntl(fd, F_GETFL) & shown);
		close(fd);
	}
}

static void status(const char *device)
{
	struct stat by_path, by_file;
	int fd = disk_open(device, O_RDONLY);

	if (stat(device, &by_path) || fstat(fd, &by_file))
		disk_result(device, "stat", -1);
	else
		say("%s: kind %o, rights %o, size %ld, blocks %ld of %ld, links %ld, has a number %d, the same "
		    "number %d",
		    device, by_file.st_mode & S_IFMT, by_file.st_mode & 07777,
		    (long)by_file.st_size, (long)by_file.st_blocks, (long)by_file.st_blksize,
		    (long)by_file.st_nlink, major(by_file.st_rdev) != 0,
		    by_path.st_rdev == by_file.st_rdev && by_path.st_mode == by_file.st_mode &&
			    by_path.st_size == by_file.st_size && by_path.st_ino == by_file.st_ino);
	close(fd);
}

static void numbers(void)
{
	struct stat one, other;
	int same = 0;

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		for (size_t j = 0; j < i; j++)
			same += !stat(devices[i], &one) && !stat(devices[j], &other) &&
				one.st_rdev == other.st_rdev;
	say("devices with the same number: %d", same);
}

static void refused(void)
{
	RESULT(open("/dev/vdz", O_RDONLY));
	RESULT(open("/dev/vda3", O_RDWR));
	RESULT(open("/dev/vda128", O_RDONLY));
	RESULT(open("/dev/vdap1", O_RDONLY));
	RESULT(open("/dev/nvme0n11", O_RDONLY));
	RESULT(open("/dev/nvme0n9", O_RDONLY));
	RESULT(open(DISK "/x", O_RDONLY));
	RESULT(open(DISK "/", O_RDONLY));
	RESULT(open(DISK, O_RDONLY | O_DIRECTORY));
	RESULT(open(DISK, O_RDWR | O_CREAT | O_EXCL, 0600));
	RESULT(access(DISK, R_OK | W_OK));
	RESULT(mkdir(DISK, 0700));
	RESULT(rmdir(DISK));
}

static void rights(void)
{
	int reader = disk_open(DISK, O_RDONLY), writer = disk_open(DISK, O_WRONLY);
	char byte = 0;

	RESULT(write(reader, &byte, 1));
	RESULT(pwrite(reader, &byte, 0, 0));
	RESULT(read(writer, &byte, 1));
	RESULT(ftruncate(writer, 0));
	RESULT(ftruncate(reader, 0));
	RESULT(ftruncate(writer, -1));
	close(reader);
	close(writer);
}

/* Both are always ready, and nothing that waits takes them. */
static void readiness(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = disk_open(DISK, O_RDWR), set = epoll_create1(0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI };

	RESULT(poll(&poll_fd, 1, 0));
	say("ready: %x", poll_fd.revents);
	RESULT(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
	close(set);
	close(fd);
}

/* Appending means nothing where nothing grows: the position counts. */
static void appending(void)
{
	uint8_t *buffer = disk_buffer();
	int fd = disk_open(DISK "1", O_RDWR | O_APPEND);

	say("appends: %d", !!(fcntl(fd, F_GETFL) & O_APPEND));
	RESULT(lseek(fd, 8192, SEEK_SET));
	RESULT(write(fd, "appended", 8));
	RESULT(lseek(fd, 0, SEEK_CUR));
	RESULT(fcntl(fd, F_SETFL, 0));
	say("appends: %d", !!(fcntl(fd, F_GETFL) & O_APPEND));
	RESULT(fcntl(fd, F_SETFL, O_APPEND));
	RESULT(lseek(fd, 8200, SEEK_SET));
	RESULT(write(fd, "again", 5));
	RESULT(lseek(fd, 0, SEEK_CUR));
	RESULT(pwrite(fd, "!", 1, 8205));
	RESULT(pread(fd, buffer, 14, 8192));
	say("read: %.14s", (char *)buffer);
	close(fd);
}

void group_block_open(void)
{
	wait_for_devices();
	names();
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		modes(devices[i]);
		status(devices[i]);
	}
	numbers();
	refused();
	rights();
	readiness();
	appending();
}
