/*
 * System calls that look at or change the tree of files.
 */
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <string.h>

#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/path.h"

/* --- making and removing --- */

SYSCALL(mkdirat)
{
	struct path path;
	int err = path_open(&path, call->a[0], call->a[1]);

	if (err)
		return err;
	err = node_make(path.start, path.text,
			S_IFDIR | ((uint32_t)call->a[2] & 01777 & ~(uint32_t)NODE_UMASK), NULL);
	path_close(&path);
	return err;
}

static int64_t remove_entry(uint64_t dirfd, uint64_t address, bool is_directory)
{
	struct path path;
	int err = path_open(&path, dirfd, address);

	if (err)
		return err;
	err = node_remove(path.start, path.text, is_directory);
	path_close(&path);
	return err == -EEXIST ? (is_directory ? -EBUSY : -EISDIR) : err; /* the root */
}

SYSCALL(unlinkat)
{
	if (call->a[2] & ~(uint64_t)AT_REMOVEDIR)
		return -EINVAL;
	return remove_entry(call->a[0], call->a[1], call->a[2] & AT_REMOVEDIR);
}

SYSCALL(rmdir)
{
	return remove_entry((uint64_t)AT_FDCWD, call->a[0], true);
}

/* --- links --- */

SYSCALL(readlinkat)
{
	char text[NODE_NAME_MAX + 1];
	struct node *node;
	int length, err;

	if ((int32_t)call->a[3] <= 0)
		return -EINVAL;
	err = path_find(call->a[0], call->a[1], false, &node);
	if (err)
		return err;
	length = node_read_link(node, text, min_u64(call->a[3], sizeof(text)));
	node_put(node);
	if (length > 0 && copy_to_user(call->a[2], text, (size_t)length))
		return -EFAULT;
	return length;
}

/* --- modes --- */

/* What has no name has no rights either: nothing to do, and no error. */
SYSCALL(fchmod)
{
	const struct file_ops *ops = call->file->ops;

	if (call->file->node)
		node_set_mode(call->file->node, (uint32_t)call->a[1] & 07777);
	return ops->set_mode ? ops->set_mode(call->file, (uint32_t)call->a[1] & 07777) : 0;
}

/* Everybody is root: what exists may be read and written; executed only what is for somebody. */
SYSCALL(faccessat)
{
	struct node *node;
	int64_t err;

	if (call->a[2] & ~UINT64_C(7))
		return -EINVAL;
	err = path_find(call->a[0], call->a[1], true, &node);
	if (err)
		return err;
	if ((call->a[2] & 1) && !S_ISDIR(node->mode) && !(node->mode & 0111))
		err = -EACCES;
	node_put(node);
	return err;
}

/* --- directories --- */

/* As getdents64(2) passes it; the name follows, terminated. */
struct entry_header {
	uint64_t inode, next;
	uint16_t bytes;
	uint8_t kind;
} __attribute__((packed));

enum { ENTRY_NAME_AT = sizeof(struct entry_header), ENTRY_ALIGNMENT = 8, KIND_SHIFT = 12 };

/* Returns the bytes that it took; 0: the end; -EINVAL: no room. */
static int64_t put_entry(struct node *directory, uint64_t *position, uint64_t address,
			 uint64_t room)
{
	struct {
		struct entry_header header;
		char name[NODE_NAME_MAX + 1 + ENTRY_ALIGNMENT];
	} __attribute__((packed)) out = { 0 };
	struct node_entry entry;
	size_t length;

	if (!node_entry(directory, *position, &entry))
		return 0;
	length = strlen(entry.name);
	out.header.inode = entry.inode;
	out.header.next = entry.next;
	out.header.kind = (uint8_t)(entry.mode >> KIND_SHIFT);
	out.header.bytes = (uint16_t)align_up(ENTRY_NAME_AT + length + 1, ENTRY_ALIGNMENT);
	if (out.header.bytes > room)
		return -EINVAL;
	memcpy(out.name, entry.name, length);
	if (copy_to_user(address, &out, out.header.bytes))
		return -EFAULT;
	*position = entry.next;
	return out.header.bytes;
}

static int64_t put_entries(struct file *file, uint64_t address, uint64_t size)
{
	struct node *directory = node_of_directory(file);
	int64_t done = 0, put = 0;

	if (!directory)
		return -ENOTDIR;
	mutex_lock(&file->position_lock);
	do {
		done += put;
		put = put_entry(directory, &file->position, address + (uint64_t)done,
				size - (uint64_t)done);
	} while (put > 0);
	mutex_unlock(&file->position_lock);
	return done ? done : put;
}

SYSCALL(getdents64)
{
	return put_entries(call->file, call->a[1], (uint32_t)call->a[2]);
}
