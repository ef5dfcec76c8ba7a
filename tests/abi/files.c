/*
 * Files and descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/abi/abi.h"

#define FILE_NAME "/tmp/abi-file"

static void bad_calls(void)
{
	char byte;

	RESULT(open("/nonexistent", O_RDONLY));
	RESULT(open(BAD_POINTER, O_RDONLY));
	RESULT(open("", O_RDONLY));
	RESULT(open("/tmp", O_WRONLY));
	RESULT(open("/nonexistent/file", O_RDWR | O_CREAT, 0600));
	RESULT(read(99, &byte, 1));
	RESULT(write(99, &byte, 1));
	RESULT(close(99));
	RESULT(close(-1));
	RESULT(dup(99));
	RESULT(dup2(99, 5));
	RESULT(dup2(1, -1));
	RESULT(dup3(1, 1, 0));
	RESULT(dup3(1, 20, O_NONBLOCK));
	RESULT(lseek(99, 0, SEEK_SET));
	RESULT(fcntl(99, F_GETFD));
	RESULT(fcntl(1, 12345));
	RESULT(ioctl(99, 1, 0));
	RESULT(mkdir("/tmp", 0700));
	RESULT(unlink("/tmp/nonexistent"));
	RESULT(unlink("/tmp"));
}

static void contents(int fd)
{
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	struct stat stat;
	char text[32] = "";

	RESULT(write(fd, "hello, world", 12));
	RESULT(lseek(fd, 0, SEEK_CUR));
	RESULT(lseek(fd, -5, SEEK_END));
	RESULT(read(fd, text, sizeof(text)));
	say("read: %s", text);
	RESULT(read(fd, text, sizeof(text)));
	RESULT(lseek(fd, -1, SEEK_SET));
	RESULT(lseek(fd, 0, 77));
	RESULT(pwrite(fd, "HE", 2, 0));
	RESULT(pread(fd, text, 5, 0));
	RESULT(pread(fd, text, 5, -1));
	RESULT(pread(fd, text, 5, INT64_MAX - 4));
	RESULT(pwrite(fd, text, 5, INT64_MAX));
	RESULT(pread(fd, text, (size_t)-1, 0));
	say("pread: %.5s", text);
	RESULT(pwritev(fd, out, 3, 20));
	memset(text, 'x', sizeof(text));
	RESULT(pread(fd, text, sizeof(text), 10));
	say("a hole is zero: %d", text[2] == 0 && text[9] == 0);
	RESULT(writev(fd, out, -1));
	RESULT(writev(fd, out, 2000));
	RESULT(read(fd, BAD_POINTER, 0));
	RESULT(pread(fd, BAD_POINTER, 4, 0));
	RESULT(pwrite(fd, BAD_POINTER, 4, 0));
	RESULT(fstat(fd, &stat));
	say("size %ld, regular %d, mode %o", (long)stat.st_size, S_ISREG(stat.st_mode),
	    stat.st_mode & 0777);
	RESULT(ftruncate(fd, 3));
	RESULT(ftruncate(fd, -1));
	RESULT(pread(fd, text, sizeof(text), 0));
	RESULT(ftruncate(fd, 100));
	RESULT(pread(fd, text, sizeof(text), 0));
	say("after growing: %.3s, then %d", text, text[3]);
	RESULT(fdatasync(fd));
	RESULT(syscall(SYS_fstat, fd, BAD_POINTER));
}

static void rights(void)
{
	int reader = open(FILE_NAME, O_RDONLY), writer = open(FILE_NAME, O_WRONLY | O_APPEND);
	char text[8];

	RESULT(write(reader, "x", 1));
	RESULT(read(writer, text, 1));
	RESULT(ftruncate(reader, 0));
	say("access mode: %d %d", fcntl(reader, F_GETFL) & O_ACCMODE,
	    fcntl(writer, F_GETFL) & O_ACCMODE);
	RESULT(write(writer, "end", 3));
	RESULT(lseek(writer, 0, SEEK_CUR));
	RESULT(open(FILE_NAME, O_RDWR | O_CREAT | O_EXCL, 0600));
	RESULT(open(FILE_NAME, O_RDONLY | O_DIRECTORY));
	RESULT(open(FILE_NAME "/x", O_RDONLY));
	RESULT(open(FILE_NAME "/", O_RDONLY));
	RESULT(access(FILE_NAME "/.", F_OK));
	RESULT(access("/tmp/", F_OK));
	WORKED(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0));
	WORKED(mmap(NULL, 4096, PROT_READ, MAP_SHARED, writer, 0));
	close(reader);
	close(writer);
}

/* What is said of the opening only isn't kept. */
static void flags(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_NOCTTY | O_NONBLOCK, 0600);

	say("flags: %o", fcntl(fd, F_GETFL) & (O_ACCMODE | O_CREAT | O_TRUNC | O_EXCL | O_NOCTTY |
					       O_NONBLOCK | O_APPEND));
	close(fd);
}

/* A buffer that ends too early: what was there before the end is moved. */
static void half_a_buffer(void)
{
	char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open(FILE_NAME, O_RDWR), ends[2];

	munmap(memory + 4096, 4096);
	memset(memory, 'h', 4096);
	ftruncate(fd, 8192);
	RESULT(pwrite(fd, memory + 3096, 3000, 0));
	RESULT(pread(fd, memory + 4000, 3000, 900));
	say("read: %.4s then %d", memory + 4092, memory[4000 + 99 - 1]);
	pipe(ends);
	RESULT(write(ends[1], memory, 4096));
	RESULT(read(ends[0], memory + 4090, 4000));
	close(ends[0]);
	close(ends[1]);
	munmap(memory, 4096);
	close(fd);
}

static void mapping(int fd)
{
	char *shared, *private;

	ftruncate(fd, 8192);
	pwrite(fd, "content", 7, 4096);
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	say("mapped: %.7s %.7s", shared + 4096, private);
	shared[4096] = 'C';
	say("seen by the other: %.7s", private);
	private[1] = 'X';
	shared[4098] = 'Y';
	say("after a private write: %.7s %.3s", shared + 4096, private);
	pread(fd, shared, 4, 4096);
	say("read into itself: %.4s", shared);
	munmap(shared, 8192);
	munmap(private, 4096);
}

static void descriptors(int fd)
{
	int copy = dup(fd), other;

	lseek(fd, 5, SEEK_SET);
	say("a copy shares the position: %ld", (long)lseek(copy, 0, SEEK_CUR));
	other = fcntl(fd, F_DUPFD_CLOEXEC, 50);
	say("at 50 or above: %d, cloexec %d %d", other >= 50, fcntl(other, F_GETFD),
	    fcntl(copy, F_GETFD));
	RESULT(fcntl(copy, F_SETFD, FD_CLOEXEC));
	RESULT(fcntl(copy, F_GETFD));
	RESULT(fcntl(fd, F_SETFL, O_NONBLOCK));
	say("a copy shares its flags: %d", (fcntl(copy, F_GETFL) & O_NONBLOCK) != 0);
	say("dup2: %d", dup2(fd, 60));
	say("dup3: %d, cloexec %d", dup3(fd, 61, O_CLOEXEC), fcntl(61, F_GETFD));
	say("dup2 onto itself: %d", dup2(60, 60));
	RESULT(fcntl(fd, F_DUPFD, 1 << 30));
	close(60);
	close(61);
	close(other);
	close(copy);
}

static void names(void)
{
	char text[64] = "";
	struct stat status;

	RESULT(mkdir("/tmp/abi-dir", 0755));
	RESULT(stat("/tmp/abi-dir", &status));
	say("directory: %d", S_ISDIR(status.st_mode));
	RESULT(close(open("/tmp/abi-dir/relative", O_CREAT | O_RDWR, 0600)));
	RESULT(access("/tmp/abi-dir/../abi-dir/./relative", F_OK));
	RESULT(stat("/tmp/abi-dir/relative", &status));
	RESULT(rmdir("/tmp/abi-dir"));
	RESULT(unlink("/tmp/abi-dir/relative"));
	RESULT(stat("/tmp/abi-dir/relative", &status));
	RESULT(stat(FILE_NAME "/x", &status));
	RESULT(rmdir("/tmp/abi-dir"));
	RESULT(readlink(FILE_NAME, text, sizeof(text)));
	RESULT(readlink("/nonexistent", text, sizeof(text)));
}

void group_files(void)
{
	int fd;

	unlink(FILE_NAME);
	bad_calls();
	fd = (int)WORKED(open(FILE_NAME, O_RDWR | O_CREAT, 0640));
	contents(fd);
	rights();
	flags();
	half_a_buffer();
	mapping(fd);
	descriptors(fd);
	names();
	RESULT(unlink(FILE_NAME));
	say("removed, still open: %ld", (long)lseek(fd, 0, SEEK_END));
	RESULT(close(fd));
}
