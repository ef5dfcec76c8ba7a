/*
 * Regular files and directories, opened: see node.h.
 */
#include <asm/fcntl.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "kernel/fs/node.h"
#include "kernel/mem/object.h"

void node_stat(const struct node *node, struct file_stat *out)
{
	*out = (struct file_stat){
		.inode = node->inode,
		.mode = node->mode,
		.links = 1,
		.device = node->device,
		.mtime_s = node->mtime_s,
		.size_bytes = node->content ? node->content->size_bytes : 0,
	};
}

/* Contents go by way of a page of the kernel's: neither side may wait for memory while the other one is open. */
static int64_t regular_read_at(struct file *file, struct uio *uio, uint64_t offset)
{
	struct node *node = file->node;
	char *piece = kmalloc(PAGE_BYTES);
	int64_t done = 0, put = piece ? 0 : -ENOMEM;

	while (put >= 0 && uio->left && offset < node->content->size_bytes) {
		uint64_t step = min_u64(min_u64(uio->left, PAGE_BYTES - offset % PAGE_BYTES),
					node->content->size_bytes - offset);

		put = memobj_read(node->content, offset, piece, step) ?: uio_put(uio, piece, step);
		if (put <= 0)
			break;
		offset += (uint64_t)put;
		done += put;
	}
	kfree(piece);
	return done ? done : put;
}

static int64_t regular_write_at(struct file *file, struct uio *uio, uint64_t offset)
{
	struct node *node = file->node;
	char *piece = kmalloc(PAGE_BYTES);
	int64_t done = 0, got = piece ? 0 : -ENOMEM, err = 0;

	node->mtime_s = node_now_s();
	while (got >= 0 && uio->left) {
		got = uio_take(uio, piece, PAGE_BYTES - offset % PAGE_BYTES);
		if (got <= 0)
			break;
		if (offset + (uint64_t)got > node->content->size_bytes)
			memobj_resize(node->content, offset + (uint64_t)got);
		err = memobj_write(node->content, offset, piece, (uint64_t)got);
		if (err)
			break;
		offset += (uint64_t)got;
		done += got;
	}
	kfree(piece);
	if (err)
		got = err == -ENOMEM ? -ENOSPC : err;
	return done ? done : got;
}

static int regular_map(struct file *file, struct mm_request *request)
{
	request->object = file->node->content;
	return 0;
}

static int regular_resize(struct file *file, uint64_t size_bytes)
{
	memobj_resize(file->node->content, size_bytes);
	return 0;
}

void node_set_mode(struct node *node, uint32_t mode)
{
	__atomic_store_n(&node->mode, (node->mode & S_IFMT) | mode, __ATOMIC_RELAXED);
}

static int regular_sync(struct file *file UNUSED)
{
	return 0; /* memory is the medium */
}

static const struct file_ops regular_ops = {
	.read_at = regular_read_at,
	.write_at = regular_write_at,
	.map = regular_map,
	.resize = regular_resize,
	.sync = regular_sync,
};

static int64_t directory_read(struct file *file UNUSED, struct uio *uio UNUSED)
{
	return -EISDIR;
}

static const struct file_ops directory_ops = { .read = directory_read };

struct node *node_of_directory(const struct file *file)
{
	return file->ops == &directory_ops ? file->node : NULL;
}

static int open_plain(struct node *node, uint32_t flags, struct file **out)
{
	bool is_directory = S_ISDIR(node->mode);

	if (is_directory && (flags & O_ACCMODE) != O_RDONLY)
		return -EISDIR;
	if (!is_directory && (flags & O_DIRECTORY))
		return -ENOTDIR;
	if (!is_directory && !S_ISREG(node->mode))
		return -ENXIO; /* a socket's name */
	*out = file_create(is_directory ? &directory_ops : &regular_ops, NULL, NULL, flags);
	if (!*out)
		return -ENOMEM;
	if (!is_directory && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)
		memobj_resize(node->content, 0);
	return 0;
}

int node_open(struct node *node, uint32_t flags, struct file **out)
{
	int err = (node->open ?: open_plain)(node, flags, out);

	if (err)
		return err;
	(*out)->node = node_get(node);
	/* These are about the opening only. */
	(*out)->flags &= ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	return 0;
}

struct file *node_create_memory(void)
{
	struct node *node = node_create("", S_IFREG | 0777);
	struct file *file;

	if (!node)
		return NULL;
	if (node_open(node, O_RDWR, &file))
		file = NULL;
	node_put(node); /* the file has its own reference */
	return file;
}
