/*
 * Who may have a disk for himself: flock() is an advice between programs, O_EXCL a claim that keeps other claims out.
 */
#include <errno.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "tests/abi/block/disks.h"

static void locks(void)
{
	int a = disk_open(DISK, O_RDWR), b = disk_open(DISK, O_RDONLY);
	int part = disk_open(DISK "1", O_RDWR), copy = dup(a);

	RESULT(flock(a, LOCK_SH | LOCK_NB));
	RESULT(flock(b, LOCK_SH | LOCK_NB));
	RESULT(flock(a, LOCK_EX | LOCK_NB));
	RESULT(flock(b, LOCK_UN));
	RESULT(flock(a, LOCK_EX | LOCK_NB));
	RESULT(flock(copy, LOCK_EX | LOCK_NB));
	RESULT(flock(b, LOCK_SH | LOCK_NB));
	RESULT(flock(part, LOCK_EX | LOCK_NB)); /* the disk's lock is another */
	RESULT(close(a));
	RESULT(flock(b, LOCK_EX | LOCK_NB));
	RESULT(close(copy));
	RESULT(flock(b, LOCK_EX | LOCK_NB));
	RESULT(flock(b, 77));
	close(b);
	close(part);
}

/* A claim of @first, then one of @second; both given back. */
static void claim_both(const char *first, const char *second)
{
	int a = open(first, O_RDWR | O_EXCL), b = open(second, O_RDONLY | O_EXCL), plain;

	say("%s and %s claimed: %s, %s", first, second, a < 0 ? "no" : "yes",
	    b >= 0	     ? "yes"
	    : errno == EBUSY ? "busy"
			     : "no");
	plain = disk_open(second, O_RDWR);
	close(plain);
	close(b);
	close(a);
}

/* As long as any descriptor of any process has it. */
static void claim_of_two_processes(void)
{
	int fd = disk_open(DISK, O_RDWR | O_EXCL), copy = dup(fd), ends[2];
	char byte;
	pid_t child;

	pipe(ends);
	child = fork();
	if (!child) {
		close(ends[1]);
		_exit((int)read(ends[0], &byte, 1));
	}
	close(fd);
	RESULT(open(DISK, O_RDONLY | O_EXCL));
	close(copy);
	RESULT(open(DISK, O_RDONLY | O_EXCL));
	close(ends[0]);
	close(ends[1]);
	waitpid(child, NULL, 0);
	fd = disk_open(DISK, O_RDONLY | O_EXCL);
	say("free again: %d", fd >= 0);
	close(fd);
}

void group_block_claims(void)
{
	locks();
	claim_both(DISK, DISK);
	claim_both(DISK, DISK "1");
	claim_both(DISK "1", DISK);
	claim_both(DISK "1", DISK "1");
	claim_both(DISK "1", DISK "2");
	claim_both(DISK, DISK_NVME);
	claim_both(DISK_NVME, DISK_NVME "p2");
	claim_of_two_processes();
}
