/*
 * Paths as ring 3 passes them: see path.h.
 */
#include <errno.h>
#include <linux/fcntl.h>

#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/path.h"

int path_get(uint64_t address, char **out)
{
	char *path = kmalloc(PATH_BYTES);
	int length;

	if (!path)
		return -ENOMEM;
	length = copy_string_from_user(path, address, PATH_BYTES);
	if (length < 0) {
		kfree(path);
		return length;
	}
	*out = path;
	return 0;
}

static int start_at(uint64_t dirfd, struct node **out)
{
	struct file *file = fd_get(&current_process()->fds, dirfd);
	int err = 0;

	if (!file)
		return -EBADF;
	*out = node_of_directory(file);
	if (*out)
		node_get(*out);
	else
		err = -ENOTDIR;
	file_put(file);
	return err;
}

int path_start(uint64_t dirfd, const char *path, struct node **out)
{
	if (*path != '/' && (int32_t)dirfd != AT_FDCWD)
		return start_at((uint32_t)dirfd, out);
	*out = root_node; /* where everybody is */
	node_get(*out);
	return 0;
}

int path_find(uint64_t dirfd, uint64_t address, bool follows, struct node **out)
{
	struct node *start;
	char *path;
	int err = path_get(address, &path);

	if (err)
		return err;
	err = path_start(dirfd, path, &start);
	if (!err) {
		err = node_find(start, path, follows, out);
		node_put(start);
	}
	kfree(path);
	return err;
}

int path_find_parent(uint64_t dirfd, uint64_t address, struct node **parent,
		     char name[NODE_NAME_MAX + 1])
{
	struct node *start;
	char *path;
	int err = path_get(address, &path);

	if (err)
		return err;
	err = path_start(dirfd, path, &start);
	if (!err) {
		err = node_find_parent(start, path, parent, name);
		node_put(start);
	}
	kfree(path);
	return err;
}
