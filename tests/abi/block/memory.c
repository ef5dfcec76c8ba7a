/*
 * O_DIRECT is between a disk and whatever memory a program has: fresh, shared, copied on write, a file's, its own code.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/abi/block/disks.h"

#define AT 65536

enum { BYTES = 65536 };

static void *map(int protection, int flags, int fd)
{
	return mmap(NULL, BYTES, protection, flags, fd, 0);
}

static int on_disk(int fd, uint8_t salt)
{
	static uint8_t back[BYTES] __attribute__((aligned(4096)));

	return pread(fd, back, BYTES, AT) == BYTES && disk_holds(back, AT, BYTES, salt);
}

static void put_on_disk(int fd, uint8_t salt)
{
	static uint8_t bytes[BYTES] __attribute__((aligned(4096)));

	disk_fill(bytes, AT, BYTES, salt);
	RESULT(pwrite(fd, bytes, BYTES, AT));
}

static void fresh(int fd)
{
	uint8_t *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	RESULT(pread(fd, memory, BYTES, AT));
	say("read into fresh memory: %d", disk_holds(memory, AT, BYTES, 7));
	munmap(memory, BYTES);
	memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	RESULT(pwrite(fd, memory, BYTES, AT));
	RESULT(pread(fd, memory, BYTES, AT));
	say("fresh memory is zero on the disk: %d %d", memory[0], memory[BYTES - 1]);
	/* What was only read is of no page of its own yet. */
	munmap(memory, BYTES);
	memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	say("untouched: %d", memory[5000]);
	put_on_disk(fd, 8);
	RESULT(pread(fd, memory, BYTES, AT));
	say("read into memory that was looked at: %d", disk_holds(memory, AT, BYTES, 8));
	munmap(memory, BYTES);
}

static void protected(int fd)
{
	uint8_t *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	disk_fill(memory, AT, BYTES, 9);
	mprotect(memory, BYTES, PROT_READ);
	RESULT(pwrite(fd, memory, BYTES, AT));
	say("written from memory that may be read: %d", on_disk(fd, 9));
	put_on_disk(fd, 10);
	RESULT(pread(fd, memory, BYTES, AT));
	say("which keeps what it has: %d", disk_holds(memory, AT, BYTES, 9));
	mprotect(memory, BYTES, PROT_NONE);
	RESULT(pread(fd, memory, BYTES, AT));
	RESULT(pwrite(fd, memory, BYTES, AT));
	say("and the disk: %d", on_disk(fd, 10));
	munmap(memory, BYTES);
}

static void shared(int fd)
{
	int file = memfd_create("disk", 0);
	uint8_t *memory = map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1), *of_file;
	uint8_t *private;
	pid_t child = fork();

	if (!child)
		_exit(pread(fd, memory, BYTES, AT) != BYTES);
	waitpid(child, NULL, 0);
	say("a child's read into shared memory: %d", disk_holds(memory, AT, BYTES, 10));
	ftruncate(file, BYTES);
	of_file = map(PROT_READ | PROT_WRITE, MAP_SHARED, file);
	private = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, file);
	RESULT(pread(fd, of_file, BYTES, AT));
	pread(file, memory, BYTES, 0);
	say("read into a file's memory: %d, its private copy %d", disk_holds(memory, AT, BYTES, 10),
	    disk_holds(private, AT, BYTES, 10));
	put_on_disk(fd, 11);
	RESULT(pread(fd, private, BYTES, AT));
	say("read into the private copy: %d, the file %d", disk_holds(private, AT, BYTES, 11),
	    disk_holds(of_file, AT, BYTES, 10));
	RESULT(pwrite(fd, of_file, BYTES, AT));
	say("written from a file's memory: %d", on_disk(fd, 10));
	munmap(memory, BYTES);
	munmap(of_file, BYTES);
	munmap(private, BYTES);
	close(file);
}

/* The child reads into its copy; the parent's stays. */
static void copied_on_write(int fd)
{
	uint8_t *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int status = 0;
	pid_t child;

	disk_fill(memory, AT, BYTES, 12);
	put_on_disk(fd, 13);
	child = fork();
	if (!child)
		_exit(pread(fd, memory, BYTES, AT) == BYTES && disk_holds(memory, AT, BYTES, 13));
	waitpid(child, &status, 0);
	say("the child's is what it read: %d, the parent's what it was: %d", WEXITSTATUS(status),
	    disk_holds(memory, AT, BYTES, 12));
	child = fork();
	if (!child) {
		sleep_ms(50);
		_exit(disk_holds(memory, AT, BYTES, 12));
	}
	RESULT(pread(fd, memory, BYTES, AT));
	waitpid(child, &status, 0);
	say("the parent's is what it read: %d, the child's what it was: %d",
	    disk_holds(memory, AT, BYTES, 13), WEXITSTATUS(status));
	munmap(memory, BYTES);
}

/* Code, which nobody may write. */
static void code(int fd)
{
	uint8_t *page = (uint8_t *)((uintptr_t)group_block_memory & ~UINT64_C(4095));
	static uint8_t back[4096] __attribute__((aligned(4096)));

	RESULT(pwrite(fd, page, 4096, AT));
	RESULT(pread(fd, back, 4096, AT));
	say("code on the disk: %d", !memcmp(back, page, 4096));
	RESULT(pread(fd, page, 4096, AT));
}

void group_block_memory(void)
{
	int fd = disk_open(DISK_NVME "p1", O_RDWR | O_DIRECT);

	put_on_disk(fd, 7);
	fresh(fd);
	protected(fd);
	shared(fd);
	copied_on_write(fd);
	code(fd);
	put_on_disk(fd, 14); /* programs differ: the disk in the end mustn't */
	close(fd);
}
