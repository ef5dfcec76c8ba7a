/*
 * Paths as ring 3 passes them: see path.h.
 */
#include <linux/fcntl.h>

#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/path.h"

static int start_at(uint64_t dirfd, struct node **out)
{
	struct file *file = fd_get(&current_process()->fds, dirfd);

	if (!file)
		return -EBADF;
	*out = node_get(node_of_directory(file));
	file_put(file);
	return *out ? 0 : -ENOTDIR;
}

static int find_start(uint64_t dirfd, const char *path, struct node **out)
{
	if (*path != '/' && (int32_t)dirfd != AT_FDCWD)
		return start_at((uint32_t)dirfd, out);
	*out = node_get(root_node); /* where everybody is */
	return 0;
}

int path_open(struct path *path, uint64_t dirfd, uint64_t address)
{
	int err;

	path->text = kmalloc(PATH_BYTES);
	if (!path->text)
		return -ENOMEM;
	err = copy_string_from_user(path->text, address, PATH_BYTES);
	if (err >= 0)
		err = find_start(dirfd, path->text, &path->start);
	if (err)
		kfree(path->text);
	return err;
}

void path_close(struct path *path)
{
	node_put(path->start);
	kfree(path->text);
}

int path_find(uint64_t dirfd, uint64_t address, bool follows, struct node **out)
{
	struct path path;
	int err = path_open(&path, dirfd, address);

	if (err)
		return err;
	err = node_find(path.start, path.text, follows, out);
	path_close(&path);
	return err;
}
