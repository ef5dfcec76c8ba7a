/*
 * System calls that read and write.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stddef.h>

#include "kernel/fs/node.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"

/* Every one of them: the descriptor, the buffers, the transfer. @offset NULL: the file's own position. */
static int64_t transfer(uint64_t fd, struct uio *uio, int err, const uint64_t *offset,
			bool is_write)
{
	struct file *file;
	int64_t moved;

	if (err)
		return err;
	file = fd_get(&current_process()->fds, fd);
	if (!file) {
		uio_close(uio);
		return -EBADF;
	}
	if (is_write)
		moved = offset ? file_write_at(file, uio, *offset) : file_write(file, uio);
	else
		moved = offset ? file_read_at(file, uio, *offset) : file_read(file, uio);
	file_put(file);
	uio_close(uio);
	return moved;
}

SYSCALL(read)
{
	struct uio uio;
	int err = uio_open_one(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, NULL, false);
}

SYSCALL(write)
{
	struct uio uio;
	int err = uio_open_one(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, NULL, true);
}

SYSCALL(readv)
{
	struct uio uio;
	int err = uio_open(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, NULL, false);
}

SYSCALL(writev)
{
	struct uio uio;
	int err = uio_open(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, NULL, true);
}

SYSCALL(pread64)
{
	struct uio uio;
	int err = uio_open_one(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, &call->a[3], false);
}

SYSCALL(pwrite64)
{
	struct uio uio;
	int err = uio_open_one(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, &call->a[3], true);
}

SYSCALL(preadv)
{
	struct uio uio;
	int err = uio_open(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, &call->a[3], false);
}

SYSCALL(pwritev)
{
	struct uio uio;
	int err = uio_open(&uio, call->a[1], call->a[2]);

	return transfer(call->a[0], &uio, err, &call->a[3], true);
}

static int64_t seek(struct file *file, int64_t offset, uint64_t whence)
{
	struct file_stat stat = { 0 };
	int64_t base = 0;

	if (!file->ops->read_at && !file->ops->write_at && !node_of_directory(file))
		return -ESPIPE;
	if (whence == SEEK_CUR)
		base = (int64_t)file->position;
	else if (whence == SEEK_END && file->ops->stat && !file->ops->stat(file, &stat))
		base = (int64_t)stat.size_bytes;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (__builtin_add_overflow(base, offset, &base) || base < 0)
		return -EINVAL;
	file->position = (uint64_t)base;
	return base;
}

SYSCALL(lseek)
{
	struct file *file = fd_get(&current_process()->fds, call->a[0]);
	int64_t at;

	if (!file)
		return -EBADF;
	mutex_lock(&file->position_lock);
	at = seek(file, (int64_t)call->a[1], call->a[2]);
	mutex_unlock(&file->position_lock);
	file_put(file);
	return at;
}

SYSCALL(ioctl)
{
	struct file *file = fd_get(&current_process()->fds, call->a[0]);
	int64_t result = -ENOTTY;

	if (!file)
		return -EBADF;
	if (file->ops->ioctl)
		result = file->ops->ioctl(file, (uint32_t)call->a[1], call->a[2]);
	file_put(file);
	return result;
}

static int64_t sync_file(uint64_t fd)
{
	struct file *file = fd_get(&current_process()->fds, fd);
	int64_t result = -EINVAL;

	if (!file)
		return -EBADF;
	if (file->ops->sync)
		result = file->ops->sync(file);
	file_put(file);
	return result;
}

/* Nothing is kept of a file but its contents: both are the same. */
SYSCALL(fdatasync)
{
	return sync_file(call->a[0]);
}

SYSCALL(fsync)
{
	return sync_file(call->a[0]);
}

SYSCALL(ftruncate)
{
	struct file *file = fd_get(&current_process()->fds, call->a[0]);
	int64_t result = -EINVAL;

	if (!file)
		return -EBADF;
	if ((file->flags & 3) && file->ops->resize && (int64_t)call->a[1] >= 0)
		result = file->ops->resize(file, call->a[1]);
	file_put(file);
	return result;
}
