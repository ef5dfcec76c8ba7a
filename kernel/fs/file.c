/*
 * An open file: see file.h.
 */
#include <asm/fcntl.h>

#include "kernel/fs/epoll.h"
#include "kernel/fs/file.h"
#include "kernel/fs/flock.h"
#include "kernel/fs/node.h"
#include "kernel/mem/object.h"

static struct object_cache file_cache = OBJECT_CACHE("file", struct file);

struct file *file_create(const struct file_ops *ops, void *data, struct waitq *ready,
			 uint32_t flags)
{
	struct file *file = object_alloc(&file_cache);

	if (!file)
		return NULL;
	file->ops = ops;
	file->data = data;
	file->ready = ready;
	file->refs = 1;
	file->flags = flags;
	mutex_init(&file->position_lock);
	list_init(&file->watches);
	return file;
}

void file_end(struct file *file)
{
	if (__atomic_load_n(&file->is_watched, __ATOMIC_ACQUIRE))
		epoll_forget(file);
	if (__atomic_load_n(&file->has_flock, __ATOMIC_ACQUIRE))
		flock_drop(file);
	if (file->ops->release)
		file->ops->release(file);
	node_put(file->node);
	object_free(&file_cache, file);
}

uint32_t file_poll(struct file *file)
{
	return file->ops->poll ? file->ops->poll(file)
			       : EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}

void file_stat(struct file *file, struct file_stat *out)
{
	*out = (struct file_stat){ .mode = 0600, .links = 1 };
	if (file->node)
		node_stat(file->node, out);
	if (file->ops->stat)
		file->ops->stat(file, out);
}

static bool may_read(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_WRONLY;
}

static bool may_write(const struct file *file)
{
	return (file->flags & O_ACCMODE) != O_RDONLY;
}

/* Positions end at INT64_MAX. */
static bool is_in_range(const struct uio *uio, uint64_t offset)
{
	return offset <= INT64_MAX - uio->left;
}

int64_t file_read_at(struct file *file, struct uio *uio, uint64_t offset)
{
	if (!may_read(file))
		return -EBADF;
	if (!file->ops->read_at)
		return file->ops->read ? -ESPIPE : -EINVAL;
	if (!is_in_range(uio, offset))
		return -EINVAL;
	return file->ops->read_at(file, uio, offset);
}

int64_t file_write_at(struct file *file, struct uio *uio, uint64_t offset)
{
	if (!may_write(file))
		return -EBADF;
	if (!file->ops->write_at)
		return file->ops->write ? -ESPIPE : -EINVAL;
	if (!is_in_range(uio, offset))
		return -EINVAL;
	return file->ops->write_at(file, uio, offset);
}

int64_t file_read(struct file *file, struct uio *uio)
{
	int64_t got;

	if (!may_read(file))
		return -EBADF;
	if (file->ops->read)
		return file->ops->read(file, uio);
	mutex_lock(&file->position_lock);
	got = file_read_at(file, uio, file->position);
	if (got > 0)
		file->position += (uint64_t)got;
	mutex_unlock(&file->position_lock);
	return got;
}

int64_t file_write(struct file *file, struct uio *uio)
{
	struct file_stat stat;
	int64_t put;

	if (!may_write(file))
		return -EBADF;
	if (file->ops->write)
		return file->ops->write(file, uio);
	mutex_lock(&file->position_lock);
	if ((file->flags & O_APPEND) &&
	    file->ops->resize) {	/* what can't grow has no end to append to */
		file_stat(file, &stat); /* the end, as it is now */
		file->position = stat.size_bytes;
	}
	put = file_write_at(file, uio, file->position);
	if (put > 0)
		file->position += (uint64_t)put;
	mutex_unlock(&file->position_lock);
	return put;
}
