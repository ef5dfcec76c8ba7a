/*
 * System calls about files and descriptors.
 */
#include <asm/fcntl.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "kernel/fs/flock.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/install.h"
#include "kernel/sys/path.h"

static int open_path(const struct path *path, uint32_t flags, uint32_t mode, struct file **out)
{
	struct node *node;
	int err = node_find(path->start, path->text, !(flags & O_NOFOLLOW), &node);

	if (err == -ENOENT && (flags & O_CREAT))
		err = node_make(path->start, path->text,
				S_IFREG | (mode & 07777 & ~(uint32_t)NODE_UMASK), &node);
	else if (!err && (flags & O_CREAT) && (flags & O_EXCL)) {
		node_put(node);
		err = -EEXIST;
	}
	if (err)
		return err;
	err = S_ISLNK(node->mode) ? -ELOOP : node_open(node, flags, out);
	node_put(node);
	return err;
}

SYSCALL(openat)
{
	uint32_t flags = (uint32_t)call->a[2];
	struct file *file;
	struct path path;
	int err = path_open(&path, call->a[0], call->a[1]);

	if (err)
		return err;
	err = open_path(&path, flags, (uint32_t)call->a[3], &file);
	path_close(&path);
	return err ? err : install_new(file, flags);
}

SYSCALL(close)
{
	return fd_close(&current_process()->fds, call->a[0]);
}

static int64_t put_stat(const struct file_stat *from, uint64_t address)
{
	/* A block device's size is no file's size: BLKGETSIZE64 tells it. */
	uint64_t size_bytes = S_ISBLK(from->mode) ? 0 : from->size_bytes;
	struct stat stat = {
		.st_ino = from->inode,
		.st_nlink = from->links,
		.st_mode = from->mode,
		.st_rdev = from->device,
		.st_size = (long)size_bytes,
		.st_blksize = PAGE_BYTES,
		.st_blocks = (long)((size_bytes + 511) / 512),
		.st_mtime = from->mtime_s,
	};

	return copy_to_user(address, &stat, sizeof(stat));
}

static int64_t stat_file(struct file *file, uint64_t address)
{
	struct file_stat stat;

	file_stat(file, &stat);
	return put_stat(&stat, address);
}

SYSCALL(fstat)
{
	return stat_file(call->file, call->a[1]);
}

static int64_t stat_fd(uint64_t fd, uint64_t address)
{
	struct file *file = fd_get(&current_process()->fds, fd);
	int64_t err;

	if (!file)
		return -EBADF;
	err = stat_file(file, address);
	file_put(file);
	return err;
}

SYSCALL(newfstatat)
{
	struct node *node;
	struct file_stat stat;
	char first;
	int err = copy_from_user(&first, call->a[1], 1);

	if (!err && !first && (call->a[3] & AT_EMPTY_PATH))
		return stat_fd(call->a[0], call->a[2]);
	if (!err)
		err = path_find(call->a[0], call->a[1], !(call->a[3] & AT_SYMLINK_NOFOLLOW), &node);
	if (err)
		return err;
	node_stat(node, &stat);
	node_put(node);
	return put_stat(&stat, call->a[2]);
}

static int64_t duplicate(struct file *file, bool closes_on_exec, uint64_t lowest)
{
	struct fdtable *fds = &current_process()->fds;

	if (lowest >= fds->limit)
		return -EINVAL;
	return fd_install(fds, file_get(file), closes_on_exec, (uint32_t)lowest);
}

SYSCALL(dup)
{
	return duplicate(call->file, false, 0);
}

static int64_t duplicate_at(uint64_t fd, uint64_t at, bool closes_on_exec)
{
	struct fdtable *fds = &current_process()->fds;
	struct file *file = at < FDS_MAX ? fd_get(fds, fd) : NULL;

	return file ? fd_install_at(fds, file, closes_on_exec, (uint32_t)at) : -EBADF;
}

SYSCALL(dup2)
{
	if (call->a[0] == call->a[1])
		return fd_get_flag(&current_process()->fds, call->a[0]) < 0 ? -EBADF
									    : (int64_t)call->a[1];
	return duplicate_at(call->a[0], call->a[1], false);
}

SYSCALL(dup3)
{
	if (call->a[0] == call->a[1] || (call->a[2] & ~(uint64_t)O_CLOEXEC))
		return -EINVAL;
	return duplicate_at(call->a[0], call->a[1], call->a[2] & O_CLOEXEC);
}

SYSCALL(flock)
{
	uint32_t operation = (uint32_t)call->a[1] & ~(uint32_t)LOCK_NB;

	if (operation == LOCK_UN)
		flock_drop(call->file);
	else if (operation == LOCK_SH || operation == LOCK_EX)
		return flock_take(call->file, operation == LOCK_EX, !(call->a[1] & LOCK_NB));
	return operation == LOCK_UN ? 0 : -EINVAL;
}

static int64_t set_file_flags(struct file *file, uint32_t flags)
{
	const uint32_t changeable = O_NONBLOCK | O_APPEND;
	uint32_t kept = file->flags & ~changeable;

	__atomic_store_n(&file->flags, kept | (flags & changeable), __ATOMIC_RELAXED);
	return 0;
}

SYSCALL(fcntl)
{
	struct fdtable *fds = &current_process()->fds;

	switch (call->a[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return duplicate(call->file, call->a[1] == F_DUPFD_CLOEXEC, call->a[2]);
	case F_GETFD:
		return fd_get_flag(fds, call->a[0]);
	case F_SETFD:
		return fd_set_flag(fds, call->a[0], call->a[2] & FD_CLOEXEC);
	case F_GETFL:
		return call->file->flags & ~(uint32_t)O_CLOEXEC;
	case F_SETFL:
		return set_file_flags(call->file, (uint32_t)call->a[2]);
	default:
		return -EINVAL;
	}
}
