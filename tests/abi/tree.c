/*
 * The tree of files: directories and what is in them, names and their changes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/abi/abi.h"

#define TOP "/tmp/abi-tree"

static void touch(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	write(fd, text, strlen(text));
	close(fd);
}

static int is_no_dot(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void list(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_no_dot, alphasort);

	result("scandir", count);
	for (int i = 0; i < count; i++) {
		say("  %s, kind %d", entries[i]->d_name, entries[i]->d_type);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void directories(void)
{
	char buffer[1024], small[20];
	struct stat stat;
	int top, file;

	RESULT(mkdir(TOP, 0700));
	RESULT(mkdir(TOP, 0700));
	RESULT(mkdir(TOP "/a/b", 0700));
	RESULT(mkdir(TOP "/dir", 0777));
	RESULT(lstat(TOP "/dir", &stat));
	say("mode %o", stat.st_mode);
	touch(TOP "/file", "contents");
	list(TOP);
	list(TOP "/dir");
	list(TOP "/file");
	list(TOP "/none");
	top = open(TOP, O_RDONLY | O_DIRECTORY);
	file = open(TOP "/file", O_RDONLY);
	RESULT(syscall(SYS_getdents64, top, small, sizeof(small)));
	RESULT(syscall(SYS_getdents64, top, BAD_POINTER, 1024));
	WORKED(syscall(SYS_getdents64, top, buffer, sizeof(buffer)) > 0);
	RESULT(syscall(SYS_getdents64, top, buffer, sizeof(buffer)));
	RESULT(lseek(top, 0, SEEK_SET));
	WORKED(syscall(SYS_getdents64, top, buffer, sizeof(buffer)) > 0);
	RESULT(syscall(SYS_getdents64, file, buffer, sizeof(buffer)));
	RESULT(syscall(SYS_getdents64, 99, buffer, sizeof(buffer)));

	/* Paths that start at an open directory. */
	RESULT(openat(top, "none", O_RDONLY));
	RESULT(openat(file, "none", O_RDONLY));
	RESULT(openat(99, "none", O_RDONLY));
	RESULT(mkdirat(top, "made", 0750));
	RESULT(fstatat(top, "made", &stat, 0));
	say("mode %o", stat.st_mode);
	RESULT(faccessat(top, "file", R_OK, 0));
	RESULT(fstatat(top, "file", &stat, AT_SYMLINK_NOFOLLOW));
	say("mode %o", stat.st_mode);
	RESULT(unlinkat(top, "made", 0));
	RESULT(unlinkat(top, "made", AT_REMOVEDIR));
	RESULT(unlinkat(top, "file", AT_REMOVEDIR));
	RESULT(unlinkat(top, "made", 0x1234));
	close(top);
	top = open(TOP "/dir", O_RDONLY | O_DIRECTORY);
	RESULT(rmdir(TOP "/dir"));
	RESULT(openat(top, "new", O_CREAT | O_WRONLY, 0600));
	RESULT(mkdirat(top, "new", 0700));
	close(top);
	close(file);
}

static void modes(void)
{
	const struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = TOP "/socket" };
	struct stat stat;
	int fd;

	fd = open(TOP "/masked", O_CREAT | O_WRONLY, 0666);
	fstat(fd, &stat);
	say("mode %o", stat.st_mode);
	RESULT(fchmod(fd, 04755));
	fstat(fd, &stat);
	say("mode %o", stat.st_mode);
	RESULT(fchmod(fd, 0400));
	fstat(fd, &stat);
	say("mode %o", stat.st_mode);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	fstat(fd, &stat);
	say("socket's mode %o", stat.st_mode);
	RESULT(bind(fd, (const struct sockaddr *)&name, sizeof(name)));
	lstat(name.sun_path, &stat);
	say("its name's mode %o", stat.st_mode);
	close(fd);
	unlink(name.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	RESULT(fchmod(fd, 0602));
	RESULT(bind(fd, (const struct sockaddr *)&name, sizeof(name)));
	lstat(name.sun_path, &stat);
	say("its name's mode %o", stat.st_mode);
	close(fd);
	unlink(name.sun_path);
}

static void many(void)
{
	enum { FILES = 300 };
	char path[64];
	int seen = 0, removed = 0;
	struct dirent *entry;
	DIR *directory;

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), TOP "/%d", i);
		touch(path, "");
	}
	/* Each is seen once, whatever becomes of those that were. */
	directory = opendir(TOP);
	while ((entry = readdir(directory))) {
		if (!is_no_dot(entry))
			continue;
		seen++;
		removed += !unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
	say("seen %d, removed %d", seen, removed);
}

void group_tree(void)
{
	directories();
	modes();
	RESULT(unlink(TOP "/file"));
	RESULT(unlink(TOP "/masked"));
	many();
	RESULT(rmdir(TOP));
}
