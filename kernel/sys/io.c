/*
 * System calls that read and write.
 */
#include <asm/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "kernel/fs/node.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"

/* All of them. @err: of opening @uio, the buffers. */
static int64_t transfer(const struct call *call, struct uio *uio, int err, bool has_offset,
			bool is_write)
{
	int64_t moved;

	if (err)
		return err;
	if (is_write)
		moved = has_offset ? file_write_at(call->file, uio, call->a[3])
				   : file_write(call->file, uio);
	else
		moved = has_offset ? file_read_at(call->file, uio, call->a[3])
				   : file_read(call->file, uio);
	uio_close(uio);
	return moved;
}

#define TRANSFER(name, open_buffers, has_offset, is_write)              \
	SYSCALL(name)                                                   \
	{                                                               \
		struct uio uio;                                         \
		int err = open_buffers(&uio, call->a[1], call->a[2]);   \
                                                                        \
		return transfer(call, &uio, err, has_offset, is_write); \
	}

TRANSFER(read, uio_open_one, false, false)
TRANSFER(write, uio_open_one, false, true)
TRANSFER(readv, uio_open, false, false)
TRANSFER(writev, uio_open, false, true)
TRANSFER(pread64, uio_open_one, true, false)
TRANSFER(pwrite64, uio_open_one, true, true)
TRANSFER(preadv, uio_open, true, false)
TRANSFER(pwritev, uio_open, true, true)

static int64_t seek(struct file *file, int64_t offset, uint64_t whence)
{
	struct file_stat stat;
	int64_t base = 0;

	if (!file->ops->read_at && !file->ops->write_at && !node_of_directory(file))
		return -ESPIPE;
	file_stat(file, &stat);
	if (whence == SEEK_CUR)
		base = (int64_t)file->position;
	else if (whence == SEEK_END)
		base = (int64_t)stat.size_bytes;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (__builtin_add_overflow(base, offset, &base) || base < 0)
		return -EINVAL;
	if (S_ISBLK(stat.mode) && (uint64_t)base > stat.size_bytes)
		return -EINVAL;
	file->position = (uint64_t)base;
	return base;
}

SYSCALL(lseek)
{
	int64_t at;

	mutex_lock(&call->file->position_lock);
	at = seek(call->file, (int64_t)call->a[1], call->a[2]);
	mutex_unlock(&call->file->position_lock);
	return at;
}

SYSCALL(ioctl)
{
	const struct file_ops *ops = call->file->ops;

	return ops->ioctl ? ops->ioctl(call->file, (uint32_t)call->a[1], call->a[2]) : -ENOTTY;
}

/* fdatasync() too: nothing is kept of a file but its contents. */
SYSCALL(fsync)
{
	const struct file_ops *ops = call->file->ops;

	return ops->sync ? ops->sync(call->file) : -EINVAL;
}

SYSCALL(ftruncate)
{
	const struct file_ops *ops = call->file->ops;

	if (!(call->file->flags & O_ACCMODE) || !ops->resize || (int64_t)call->a[1] < 0)
		return -EINVAL;
	return ops->resize(call->file, call->a[1]);
}
