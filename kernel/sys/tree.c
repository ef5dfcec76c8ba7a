/*
 * System calls that look at or change the tree of files.
 */
#include <asm/fcntl.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <stddef.h>
#include <string.h>

#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/path.h"

#define HERE ((uint64_t)AT_FDCWD)

/* --- making, removing, renaming --- */

static int64_t make_directory(uint64_t dirfd, uint64_t path, uint64_t mode)
{
	uint32_t umask = __atomic_load_n(&current_process()->umask, __ATOMIC_RELAXED);
	char name[NODE_NAME_MAX + 1];
	struct node *parent;
	int err = path_find_parent(dirfd, path, &parent, name);

	if (err)
		return err;
	err = node_make(parent, name, S_IFDIR | ((uint32_t)mode & 01777 & ~umask), NULL);
	node_put(parent);
	return err;
}

SYSCALL(mkdir)
{
	return make_directory(HERE, call->a[0], call->a[1]);
}

SYSCALL(mkdirat)
{
	return make_directory(call->a[0], call->a[1], call->a[2]);
}

static int64_t remove_entry(uint64_t dirfd, uint64_t path, bool is_directory)
{
	char name[NODE_NAME_MAX + 1];
	struct node *parent;
	int err = path_find_parent(dirfd, path, &parent, name);

	if (err)
		return err == -EEXIST ? (is_directory ? -EBUSY : -EISDIR) : err; /* the root */
	err = node_remove(parent, name, is_directory);
	node_put(parent);
	return err;
}

SYSCALL(unlink)
{
	return remove_entry(HERE, call->a[0], false);
}

SYSCALL(rmdir)
{
	return remove_entry(HERE, call->a[0], true);
}

SYSCALL(unlinkat)
{
	if (call->a[2] & ~(uint64_t)AT_REMOVEDIR)
		return -EINVAL;
	return remove_entry(call->a[0], call->a[1], call->a[2] & AT_REMOVEDIR);
}

static int64_t rename_entry(uint64_t dirfd, uint64_t path, uint64_t new_dirfd, uint64_t new_path)
{
	char name[NODE_NAME_MAX + 1], new_name[NODE_NAME_MAX + 1];
	struct node *from, *to;
	int err = path_find_parent(dirfd, path, &from, name);

	if (err)
		return err == -EEXIST ? -EBUSY : err;
	err = path_find_parent(new_dirfd, new_path, &to, new_name);
	if (!err) {
		err = node_rename(from, name, to, new_name);
		node_put(to);
	} else if (err == -EEXIST) {
		err = -EBUSY;
	}
	node_put(from);
	return err;
}

SYSCALL(rename)
{
	return rename_entry(HERE, call->a[0], HERE, call->a[1]);
}

SYSCALL(renameat)
{
	return rename_entry(call->a[0], call->a[1], call->a[2], call->a[3]);
}

/* --- links --- */

static int64_t read_link(uint64_t dirfd, uint64_t path, uint64_t buffer, uint64_t size)
{
	char text[NODE_NAME_MAX + 1];
	struct node *node;
	int length, err;

	if ((int32_t)size <= 0)
		return -EINVAL;
	err = path_find(dirfd, path, false, &node);
	if (err)
		return err;
	length = node_read_link(node, text, min_u64(size, sizeof(text)));
	node_put(node);
	if (length > 0 && copy_to_user(buffer, text, (size_t)length))
		return -EFAULT;
	return length;
}

SYSCALL(readlink)
{
	return read_link(HERE, call->a[0], call->a[1], call->a[2]);
}

SYSCALL(readlinkat)
{
	return read_link(call->a[0], call->a[1], call->a[2], call->a[3]);
}

/* --- modes --- */

static int64_t change_mode(uint64_t dirfd, uint64_t path, uint64_t mode)
{
	struct node *node;
	int err = path_find(dirfd, path, true, &node);

	if (err)
		return err;
	node_set_mode(node, (uint32_t)mode & 07777);
	node_put(node);
	return 0;
}

SYSCALL(chmod)
{
	return change_mode(HERE, call->a[0], call->a[1]);
}

SYSCALL(fchmodat)
{
	return change_mode(call->a[0], call->a[1], call->a[2]);
}

/* What has no name has no rights either: nothing to do, and no error. */
SYSCALL(fchmod)
{
	struct file *file = fd_get(&current_process()->fds, call->a[0]);
	int err = 0;

	if (!file)
		return -EBADF;
	if (file->ops->set_mode)
		err = file->ops->set_mode(file, (uint32_t)call->a[1] & 07777);
	file_put(file);
	return err;
}

SYSCALL(umask)
{
	return __atomic_exchange_n(&current_process()->umask, (uint32_t)call->a[0] & 0777,
				   __ATOMIC_RELAXED);
}

/* Everybody is root: what exists may be read and written; executed only what is for somebody. */
static int64_t check_access(uint64_t dirfd, uint64_t path, uint64_t mode)
{
	struct node *node;
	int64_t err;

	if (mode & ~UINT64_C(7))
		return -EINVAL;
	err = path_find(dirfd, path, true, &node);
	if (err)
		return err;
	if ((mode & 1) && !S_ISDIR(node->mode) && !(node->mode & 0111))
		err = -EACCES;
	node_put(node);
	return err;
}

SYSCALL(access)
{
	return check_access(HERE, call->a[0], call->a[1]);
}

SYSCALL(faccessat)
{
	return check_access(call->a[0], call->a[1], call->a[2]);
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
	struct file *file = fd_get(&current_process()->fds, call->a[0]);
	int64_t result;

	if (!file)
		return -EBADF;
	result = put_entries(file, call->a[1], (uint32_t)call->a[2]);
	file_put(file);
	return result;
}

SYSCALL(getcwd)
{
	struct process *process = current_process();
	char path[NODE_NAME_MAX + 1];
	int64_t length;
	int err;

	mutex_lock(&process->lock);
	err = node_path(process->cwd, path, sizeof(path));
	mutex_unlock(&process->lock);
	if (err)
		return err;
	length = (int64_t)strlen(path) + 1;
	if ((uint64_t)length > call->a[1])
		return -ERANGE;
	return copy_to_user(call->a[0], path, (size_t)length) ?: length;
}

/* Takes @node. */
static int64_t change_directory(struct node *node)
{
	struct process *process = current_process();

	if (!S_ISDIR(node->mode)) {
		node_put(node);
		return -ENOTDIR;
	}
	mutex_lock(&process->lock);
	node_put(process->cwd);
	process->cwd = node;
	mutex_unlock(&process->lock);
	return 0;
}

SYSCALL(chdir)
{
	struct node *node;
	int err = path_find(HERE, call->a[0], true, &node);

	return err ? err : change_directory(node);
}

SYSCALL(fchdir)
{
	struct node *node;
	int err = path_start(call->a[0], "", &node);

	return err ? err : change_directory(node);
}
