/*
 * The root file system: see node.h.
 */
#include <asm/fcntl.h>
#include <errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <string.h>

#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/fs/node.h"
#include "kernel/mem/init.h"
#include "kernel/mem/object.h"
#include "lib/cpio.h"

static struct object_cache node_cache = OBJECT_CACHE("node", struct node);
static struct mutex tree_lock = MUTEX(tree_lock);
static uint64_t next_inode = 1;

struct node *root_node;

void node_get(struct node *node)
{
	__atomic_fetch_add(&node->refs, 1, __ATOMIC_RELAXED);
}

void node_put(struct node *node)
{
	if (__atomic_sub_fetch(&node->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (node->content)
		memobj_put(node->content);
	kfree(node->name);
	object_free(&node_cache, node);
}

static struct node *node_new(const char *name, uint32_t mode)
{
	struct node *node = object_alloc(&node_cache);
	size_t length = strlen(name);

	if (!node)
		return NULL;
	node->refs = 1;
	node->mode = mode;
	node->inode = __atomic_fetch_add(&next_inode, 1, __ATOMIC_RELAXED);
	list_init(&node->children);
	list_init(&node->siblings);
	node->name = kmalloc(length + 1);
	if (S_ISREG(mode) || S_ISLNK(mode))
		node->content = memobj_create(0);
	if (!node->name || ((S_ISREG(mode) || S_ISLNK(mode)) && !node->content)) {
		node_put(node);
		return NULL;
	}
	memcpy(node->name, name, length);
	return node;
}

/* --- walking; the tree's lock is held --- */

static struct node *child_of(struct node *parent, const char *name, size_t length)
{
	list_for_each(node, &parent->children) {
		struct node *child = list_entry(node, struct node, siblings);

		if (!strncmp(child->name, name, length) && !child->name[length])
			return child;
	}
	return NULL;
}

static int step(struct node *at, const char *name, size_t length, struct node **out)
{
	struct node *next;

	if (!S_ISDIR(at->mode))
		return -ENOTDIR;
	if (length > NODE_NAME_MAX)
		return -ENAMETOOLONG;
	if (length == 1 && name[0] == '.')
		next = at;
	else if (length == 2 && name[0] == '.' && name[1] == '.')
		next = at->parent ? at->parent : at;
	else
		next = child_of(at, name, length);
	if (!next)
		return -ENOENT;
	*out = next;
	return 0;
}

static int walk(struct node *at, const char *path, const char *end, bool follows,
		uint32_t links_left, struct node **out);

static int follow(struct node *link, uint32_t links_left, struct node **out)
{
	char target[NODE_NAME_MAX + 1] = "";
	uint64_t length = link->content->size_bytes;
	int err;

	if (!links_left)
		return -ELOOP;
	if (length > NODE_NAME_MAX)
		return -ENAMETOOLONG;
	err = memobj_read(link->content, 0, target, length);
	return err ? err : walk(link->parent, target, target + length, true, links_left - 1, out);
}

/* Walks [path, end). Links may lead anywhere but deeper than LINKS_FOLLOWED_MAX. */
static int walk(struct node *at, const char *path, const char *end, bool follows,
		uint32_t links_left, struct node **out)
{
	if (path < end && *path == '/')
		at = root_node;
	for (;;) {
		const char *stop;
		int err;

		while (path < end && *path == '/')
			path++;
		if (path == end)
			break;
		for (stop = path; stop < end && *stop != '/'; stop++)
			;
		err = step(at, path, (size_t)(stop - path), &at);
		if (!err && S_ISLNK(at->mode) && (stop < end || follows))
			err = follow(at, links_left, &at);
		if (err)
			return err;
		path = stop;
	}
	*out = at;
	return 0;
}

/* --- the interface --- */

static int find(struct node *start, const char *path, size_t length, bool follows,
		struct node **out)
{
	int err;

	mutex_lock(&tree_lock);
	err = walk(start, path, path + length, follows, LINKS_FOLLOWED_MAX, out);
	if (!err)
		node_get(*out);
	mutex_unlock(&tree_lock);
	return err;
}

int node_find(struct node *start, const char *path, bool follows, struct node **out)
{
	return *path ? find(start, path, strlen(path), follows, out) : -ENOENT;
}

static int find_parent(struct node *start, const char *path, size_t length, struct node **parent,
		       char name[NODE_NAME_MAX + 1])
{
	size_t end = length, begin;

	while (end && path[end - 1] == '/')
		end--;
	for (begin = end; begin && path[begin - 1] != '/'; begin--)
		;
	if (end == begin)
		return length ? -EEXIST : -ENOENT; /* the root itself, or nothing */
	if (end - begin > NODE_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path + begin, end - begin);
	name[end - begin] = '\0';
	return find(start, path, begin, true, parent);
}

int node_find_parent(struct node *start, const char *path, struct node **parent,
		     char name[NODE_NAME_MAX + 1])
{
	return find_parent(start, path, strlen(path), parent, name);
}

int node_make(struct node *parent, const char *name, uint32_t mode, struct node **out)
{
	struct node *node;
	int err = 0;

	if (!S_ISDIR(parent->mode))
		return -ENOTDIR;
	node = node_new(name, mode);
	if (!node)
		return -ENOMEM;
	mutex_lock(&tree_lock);
	if (child_of(parent, name, strlen(name))) {
		err = -EEXIST;
	} else {
		node->parent = parent;
		node_get(parent);
		list_append(&parent->children,
			    &node->siblings); /* the tree has the first reference */
		if (out) {
			*out = node;
			node_get(node);
		}
	}
	mutex_unlock(&tree_lock);
	if (err)
		node_put(node);
	return err;
}

int node_remove(struct node *parent, const char *name, bool is_directory)
{
	struct node *node;
	int err = 0;

	mutex_lock(&tree_lock);
	node = S_ISDIR(parent->mode) ? child_of(parent, name, strlen(name)) : NULL;
	if (!node)
		err = -ENOENT;
	else if (S_ISDIR(node->mode) != is_directory)
		err = is_directory ? -ENOTDIR : -EISDIR;
	else if (!list_is_empty(&node->children))
		err = -ENOTEMPTY;
	else
		list_remove(&node->siblings);
	mutex_unlock(&tree_lock);
	if (err)
		return err;
	node_put(parent);
	node_put(node);
	return 0;
}

int node_path(struct node *node, char *buffer, size_t size)
{
	size_t at = size - 1;
	int err = 0;

	buffer[at] = '\0';
	mutex_lock(&tree_lock);
	while (node != root_node && node->parent && !err) {
		size_t length = strlen(node->name);

		if (length + 1 > at) {
			err = -ERANGE;
			break;
		}
		at -= length;
		memcpy(buffer + at, node->name, length);
		buffer[--at] = '/';
		node = node->parent;
	}
	mutex_unlock(&tree_lock);
	if (err)
		return err;
	if (buffer[at] != '/')
		buffer[--at] = '/';
	memmove(buffer, buffer + at, size - at);
	return 0;
}

/* --- regular files and directories, opened --- */

static int node_stat(struct file *file, struct file_stat *out)
{
	const struct node *node = file->data;

	*out = (struct file_stat){
		.inode = node->inode,
		.mode = node->mode,
		.links = 1,
		.mtime_s = node->mtime_s,
		.size_bytes = node->content ? node->content->size_bytes : 0,
	};
	return 0;
}

static void node_release(struct file *file)
{
	node_put(file->data);
}

enum { PIECE_BYTES = 512, SEALS_OF_WRITING = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE };

static uint32_t seals_of(const struct node *node)
{
	return __atomic_load_n(&node->seals, __ATOMIC_ACQUIRE);
}

/* Seals are for memory without a name (memfd). Those in existence allow no mapping to be counted: none is taken away. */
static int64_t regular_fcntl(struct file *file, uint64_t command, uint64_t argument)
{
	struct node *node = file->data;
	const uint64_t known = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
			       F_SEAL_FUTURE_WRITE;

	if (!node->is_sealable || (command != F_GET_SEALS && command != F_ADD_SEALS))
		return -EINVAL;
	if (command == F_GET_SEALS)
		return seals_of(node);
	if (!(file->flags & O_ACCMODE))
		return -EPERM;
	if (argument & ~known)
		return -EINVAL;
	if (seals_of(node) & F_SEAL_SEAL)
		return -EPERM;
	__atomic_fetch_or(&node->seals, (uint32_t)argument, __ATOMIC_ACQ_REL);
	return 0;
}

static int64_t regular_read_at(struct file *file, struct uio *uio, uint64_t offset)
{
	struct node *node = file->data;
	char piece[PIECE_BYTES];
	int64_t done = 0;

	while (uio->left && offset < node->content->size_bytes) {
		uint64_t step = min_u64(min_u64(uio->left, sizeof(piece)),
					node->content->size_bytes - offset);
		int64_t put = memobj_read(node->content, offset, piece, step);

		if (!put)
			put = uio_put(uio, piece, step);
		if (put <= 0)
			return done ? done : put;
		offset += (uint64_t)put;
		done += put;
	}
	return done;
}

static int64_t regular_write_at(struct file *file, struct uio *uio, uint64_t offset)
{
	struct node *node = file->data;
	char piece[PIECE_BYTES];
	int64_t done = 0;

	if (seals_of(node) & SEALS_OF_WRITING)
		return -EPERM;
	while (uio->left) {
		int64_t got = uio_take(uio, piece, sizeof(piece));
		int err;

		if (got <= 0)
			return done ? done : got;
		if (offset + (uint64_t)got > node->content->size_bytes &&
		    (seals_of(node) & F_SEAL_GROW))
			return done ? done : -EPERM;
		if (offset + (uint64_t)got > node->content->size_bytes)
			memobj_resize(node->content, offset + (uint64_t)got);
		err = memobj_write(node->content, offset, piece, (uint64_t)got);
		if (err)
			return done ? done : err == -ENOMEM ? -ENOSPC : err;
		offset += (uint64_t)got;
		done += got;
	}
	return done;
}

static int regular_map(struct file *file, struct mm_request *request)
{
	struct node *node = file->data;

	if ((request->flags & AREA_SHARED) && (request->flags & AREA_WRITE) &&
	    (seals_of(node) & SEALS_OF_WRITING))
		return -EPERM;
	request->object = node->content;
	return 0;
}

static int regular_resize(struct file *file, uint64_t size_bytes)
{
	struct node *node = file->data;
	uint64_t now = node->content->size_bytes;

	if ((size_bytes < now && (seals_of(node) & F_SEAL_SHRINK)) ||
	    (size_bytes > now && (seals_of(node) & F_SEAL_GROW)))
		return -EPERM;
	memobj_resize(node->content, size_bytes);
	return 0;
}

static int node_set_mode(struct file *file, uint32_t mode)
{
	struct node *node = file->data;

	__atomic_store_n(&node->mode, (node->mode & S_IFMT) | mode, __ATOMIC_RELAXED);
	return 0;
}

static int regular_sync(struct file *file)
{
	(void)file; /* memory is the medium */
	return 0;
}

static const struct file_ops regular_ops = {
	.name = "file",
	.read_at = regular_read_at,
	.write_at = regular_write_at,
	.map = regular_map,
	.stat = node_stat,
	.resize = regular_resize,
	.set_mode = node_set_mode,
	.sync = regular_sync,
	.fcntl = regular_fcntl,
	.release = node_release,
};

static int64_t directory_read(struct file *file, struct uio *uio)
{
	(void)file;
	(void)uio;
	return -EISDIR;
}

static const struct file_ops directory_ops = {
	.name = "directory",
	.read = directory_read,
	.stat = node_stat,
	.set_mode = node_set_mode,
	.release = node_release,
};

int node_open(struct node *node, uint32_t flags, struct file **out)
{
	bool is_directory = S_ISDIR(node->mode);
	struct file *file;

	if (node->open)
		return node->open(node, flags, out);
	if (is_directory && (flags & O_ACCMODE) != O_RDONLY)
		return -EISDIR;
	if (!is_directory && (flags & O_DIRECTORY))
		return -ENOTDIR;
	if (!is_directory && !S_ISREG(node->mode))
		return -ENXIO; /* a socket's name */
	file = file_create(is_directory ? &directory_ops : &regular_ops, node, flags);
	if (!file)
		return -ENOMEM;
	node_get(node);
	if (!is_directory && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)
		memobj_resize(node->content, 0);
	*out = file;
	return 0;
}

struct file *node_create_memory(bool is_sealable)
{
	struct node *node = node_new("", S_IFREG | 0777);
	struct file *file;

	if (!node)
		return NULL;
	node->is_sealable = true;
	node->seals = is_sealable ? 0 : F_SEAL_SEAL;
	if (node_open(node, O_RDWR, &file))
		file = NULL;
	node_put(node); /* the file has its own reference */
	return file;
}

/* --- filling the tree --- */

static int make_directories(const char *path)
{
	char name[NODE_NAME_MAX + 1];
	int err = 0;

	for (size_t i = 1; path[i] && (!err || err == -EEXIST); i++) {
		struct node *parent;

		if (path[i] != '/')
			continue;
		err = find_parent(root_node, path, i, &parent, name);
		if (err)
			continue;
		err = node_make(parent, name, S_IFDIR | 0755, NULL);
		node_put(parent);
	}
	return err == -EEXIST ? 0 : err;
}

static int fill_node(struct node *node, const struct cpio_entry *entry)
{
	node->mtime_s = entry->mtime_s;
	if (!node->content)
		return 0;
	memobj_resize(node->content, entry->size_bytes);
	return memobj_write(node->content, 0, entry->data, entry->size_bytes);
}

/* The names in an archive have no leading slash: they are walked from the root all the same. */
static int add_entry(const struct cpio_entry *entry)
{
	char name[NODE_NAME_MAX + 1];
	struct node *parent, *node;
	int err;

	if (!strcmp(entry->name, ".") ||
	    (!S_ISREG(entry->mode) && !S_ISDIR(entry->mode) && !S_ISLNK(entry->mode)))
		return 0; /* the root is there, and devices are the kernel's to make */
	err = make_directories(entry->name);
	if (!err)
		err = node_find_parent(root_node, entry->name, &parent, name);
	if (err)
		return err;
	/* A later archive replaces what an earlier one brought; directories are joined. */
	if (!S_ISDIR(entry->mode))
		(void)node_remove(parent, name, false);
	err = node_make(parent, name, entry->mode, &node);
	node_put(parent);
	if (err)
		return err == -EEXIST && S_ISDIR(entry->mode) ? 0 : err;
	err = fill_node(node, entry);
	node_put(node);
	return err;
}

static void check_module(const uint8_t *archive, uint64_t size)
{
	struct cpio_entry entry;
	uint64_t offset = 0;

	if (!size)
		cannot_go_on(
			"expected a boot image, found none; pass a cpio archive by module2 in GRUB, or by -initrd in QEMU");
	if (size >= 4 && cpio_next(archive, size, &offset, &entry) == 1)
		return;
	cannot_go_on(
		"expected a boot image in cpio's newc format, not compressed, found something else (%lu bytes, the first "
		"%#x); `make boot-image` builds one",
		size, archive[0]);
}

static void unpack_module(void)
{
	struct cpio_entry entry;
	uint64_t size, offset = 0;
	const uint8_t *archive = mem_module(&size);
	int got;

	check_module(archive, size);
	while ((got = cpio_next(archive, size, &offset, &entry)) == 1) {
		int err = add_entry(&entry);

		if (err == -ENOMEM)
			cannot_go_on(
				"expected room in memory for the boot image, found none for %s; give the machine more",
				entry.name);
		if (err)
			print_warn("boot image: %s: left out, error %d", entry.name, -err);
	}
	if (got < 0)
		print_warn(
			"boot image: not a cpio archive (newc) from byte %lu on; the rest is left out",
			offset);
	mem_free_module();
}

void node_make_special(const char *path, uint32_t mode,
		       int (*open)(struct node *node, uint32_t flags, struct file **out),
		       void *data)
{
	char name[NODE_NAME_MAX + 1];
	struct node *parent, *node;

	if (make_directories(path) || node_find_parent(root_node, path, &parent, name))
		panic("no memory for %s", path);
	if (node_make(parent, name, mode, &node))
		panic("no memory for %s", path);
	node->open = open;
	node->data = data;
	node_put(node);
	node_put(parent);
}

void node_init(void)
{
	root_node = node_new("", S_IFDIR | 0755);
	if (!root_node)
		panic("no memory for the root directory");
	unpack_module();
}
