/*
 * The root file system: see node.h.
 */
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <string.h>

#include "kernel/cpu/clock.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/fs/node.h"
#include "kernel/mem/init.h"
#include "kernel/mem/object.h"
#include "lib/cpio.h"
#include "lib/format.h"

static struct object_cache node_cache = OBJECT_CACHE("node", struct node);
static struct mutex tree_lock = MUTEX(tree_lock);
static uint64_t next_inode = 1;

struct node *root_node;

struct node *node_get(struct node *node)
{
	if (node)
		__atomic_fetch_add(&node->refs, 1, __ATOMIC_RELAXED);
	return node;
}

void node_put(struct node *node)
{
	if (!node || __atomic_sub_fetch(&node->refs, 1, __ATOMIC_ACQ_REL))
		return;
	memobj_put(node->content);
	kfree(node->name);
	object_free(&node_cache, node);
}

uint64_t node_now_s(void)
{
	return clock_boot_time_s() + clock_ns() / UINT64_C(1000000000);
}

struct node *node_create(const char *name, uint32_t mode)
{
	struct node *node = object_alloc(&node_cache);
	size_t length = strlen(name);

	if (!node)
		return NULL;
	node->refs = 1;
	node->mode = mode;
	node->mtime_s = node_now_s();
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

struct walk {
	uint32_t links_left;
	/* Where the tree ended, if it did: at a directory that resolves the rest itself. */
	const struct node *resolver;
	char rest[NODE_NAME_MAX + 1];
};

static int walk_on(struct walk *walk, struct node *at, const char *path, const char *end,
		   bool follows, struct node **out);

static int follow(struct walk *walk, struct node *link, struct node **out)
{
	char target[NODE_NAME_MAX + 1] = "";
	uint64_t length = link->content->size_bytes;
	int err;

	if (!walk->links_left--)
		return -ELOOP;
	if (length > NODE_NAME_MAX)
		return -ENAMETOOLONG;
	err = memobj_read(link->content, 0, target, length);
	return err ? err : walk_on(walk, link->parent, target, target + length, true, out);
}

static int leave_tree(struct walk *walk, const struct node *resolver, const char *path,
		      const char *end)
{
	if (end - path > NODE_NAME_MAX)
		return -ENOENT;
	walk->resolver = resolver;
	memcpy(walk->rest, path, (size_t)(end - path));
	return -EREMOTE;
}

static bool is_resolved(const struct node *at, const char *name, size_t length)
{
	return at->resolve && name[0] != '.' && !child_of((struct node *)at, name, length);
}

/* Walks [path, end). Links may lead anywhere but deeper than LINKS_FOLLOWED_MAX. -EREMOTE: @walk says who goes on. */
static int walk_on(struct walk *walk, struct node *at, const char *path, const char *end,
		   bool follows, struct node **out)
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
		if (is_resolved(at, path, (size_t)(stop - path)))
			return leave_tree(walk, at, path, end);
		err = step(at, path, (size_t)(stop - path), &at);
		if (!err && S_ISLNK(at->mode) && (stop < end || follows))
			err = follow(walk, at, &at);
		if (!err && stop < end && !S_ISDIR(at->mode))
			err = -ENOTDIR;
		if (err == -EREMOTE && stop < end)
			err = -ENOTDIR;
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
	struct walk walk = { .links_left = LINKS_FOLLOWED_MAX };
	int err;

	mutex_lock(&tree_lock);
	err = walk_on(&walk, start, path, path + length, follows, out);
	if (!err)
		node_get(*out);
	mutex_unlock(&tree_lock);
	/* That says that there is one. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	return err == -EREMOTE ? walk.resolver->resolve(walk.rest, follows, out) : err;
}

int node_find(struct node *start, const char *path, bool follows, struct node **out)
{
	return *path ? find(start, path, strlen(path), follows, out) : -ENOENT;
}

/* The directory that would hold the path's last part, and that part. */
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

static bool is_removed(const struct node *node)
{
	return node != root_node && !node->parent;
}

/* Children are in the order of their inodes: nearly always at the end. */
static void attach(struct node *parent, struct node *node)
{
	struct list *before = &parent->children;

	while (before->previous != &parent->children &&
	       list_entry(before->previous, struct node, siblings)->inode > node->inode)
		before = before->previous;
	list_insert_before(before, &node->siblings);
	node->parent = node_get(parent);
	parent->mtime_s = node_now_s();
}

/* The references to it and of its own to the parent are the caller's now. */
static void detach(struct node *node)
{
	node->parent->mtime_s = node_now_s();
	list_remove(&node->siblings);
	node->parent = NULL;
}

static int make_child(struct node *parent, const char *name, uint32_t mode, struct node **out)
{
	struct node *node;
	int err = 0;

	if (!S_ISDIR(parent->mode))
		return -ENOTDIR;
	node = node_create(name, mode);
	if (!node)
		return -ENOMEM;
	mutex_lock(&tree_lock);
	if (child_of(parent, name, strlen(name))) {
		err = -EEXIST;
	} else if (is_removed(parent)) {
		err = -ENOENT;
	} else {
		attach(parent, node); /* the tree has the first reference */
		if (out)
			*out = node_get(node);
	}
	mutex_unlock(&tree_lock);
	if (err)
		node_put(node);
	return err;
}

static int make(struct node *start, const char *path, size_t length, uint32_t mode,
		struct node **out)
{
	char name[NODE_NAME_MAX + 1];
	struct node *parent;
	int err = find_parent(start, path, length, &parent, name);

	if (err)
		return err;
	err = make_child(parent, name, mode, out);
	node_put(parent);
	return err;
}

int node_make(struct node *start, const char *path, uint32_t mode, struct node **out)
{
	return make(start, path, strlen(path), mode, out);
}

static int check_removable(const struct node *node, bool is_directory)
{
	if (!node)
		return -ENOENT;
	if (S_ISDIR(node->mode) != is_directory)
		return is_directory ? -ENOTDIR : -EISDIR;
	if (node->resolve)
		return -EBUSY;
	return list_is_empty(&node->children) ? 0 : -ENOTEMPTY;
}

int node_remove(struct node *start, const char *path, bool is_directory)
{
	char name[NODE_NAME_MAX + 1];
	struct node *parent, *node;
	int err = find_parent(start, path, strlen(path), &parent, name);

	if (err)
		return err;
	mutex_lock(&tree_lock);
	node = S_ISDIR(parent->mode) ? child_of(parent, name, strlen(name)) : NULL;
	err = check_removable(node, is_directory);
	if (!err)
		detach(node);
	mutex_unlock(&tree_lock);
	if (!err) {
		node_put(parent); /* the tree's references */
		node_put(node);
	}
	node_put(parent);
	return err;
}

int node_read_link(const struct node *node, char *text, size_t size)
{
	uint64_t length;
	int err;

	if (!S_ISLNK(node->mode))
		return -EINVAL;
	length = min_u64(node->content->size_bytes, size);
	err = memobj_read(node->content, 0, text, length);
	return err ? err : (int)length;
}

enum { ENTRY_SELF, ENTRY_PARENT, ENTRIES_OWN };

static void fill_entry(struct node_entry *out, const struct node *node, const char *name,
		       uint64_t next)
{
	out->inode = node->inode;
	out->mode = node->mode;
	out->next = next;
	format_text(out->name, sizeof(out->name), "%s", name);
}

bool node_entry(struct node *node, uint64_t position, struct node_entry *out)
{
	bool is_found = position < ENTRIES_OWN;

	mutex_lock(&tree_lock);
	if (position == ENTRY_SELF)
		fill_entry(out, node, ".", ENTRY_PARENT);
	else if (position == ENTRY_PARENT)
		fill_entry(out, node->parent ? node->parent : node, "..", ENTRIES_OWN);
	else
		list_for_each(at, &node->children) {
			const struct node *child = list_entry(at, struct node, siblings);

			if (child->inode < position)
				continue;
			fill_entry(out, child, child->name, child->inode + 1);
			is_found = true;
			break;
		}
	mutex_unlock(&tree_lock);
	return is_found;
}

int node_path(struct node *node, char *buffer, size_t size)
{
	size_t at = size - 1;
	int err = 0;

	buffer[at] = '\0';
	mutex_lock(&tree_lock);
	while (node != root_node && !err) {
		size_t length = strlen(node->name);

		if (is_removed(node))
			err = -ENOENT;
		else if (length + 1 > at)
			err = -ERANGE;
		if (err)
			break;
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

/* --- nodes without a place --- */

struct node *node_create_special(uint32_t mode, node_opener *open, const void *data)
{
	struct node *node = node_create("", mode);

	if (!node)
		return NULL;
	node->open = open;
	node->data = data;
	return node;
}

struct node *node_create_link(const char *text)
{
	struct node *node = node_create("", S_IFLNK | 0777);

	if (!node)
		return NULL;
	memobj_resize(node->content, strlen(text));
	if (!memobj_write(node->content, 0, text, strlen(text)))
		return node;
	node_put(node);
	return NULL;
}

/* --- filling the tree --- */

static int make_directories(const char *path)
{
	int err = 0;

	for (size_t i = 1; path[i] && (!err || err == -EEXIST); i++)
		if (path[i] == '/')
			err = make(root_node, path, i, S_IFDIR | 0755, NULL);
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
	struct node *node;
	int err;

	if (!strcmp(entry->name, ".") ||
	    (!S_ISREG(entry->mode) && !S_ISDIR(entry->mode) && !S_ISLNK(entry->mode)))
		return 0; /* the root is there, and devices are the kernel's to make */
	err = make_directories(entry->name);
	if (err)
		return err;
	/* A later archive replaces what an earlier one brought; directories are joined. */
	if (!S_ISDIR(entry->mode))
		(void)node_remove(root_node, entry->name, false);
	err = node_make(root_node, entry->name, entry->mode, &node);
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

void node_make_special(const char *path, uint32_t mode, uint32_t device, node_opener *open,
		       const void *data)
{
	struct node *node;

	if (make_directories(path) || node_make(root_node, path, mode, &node))
		panic("no memory for %s", path);
	node->device = device;
	node->open = open;
	node->data = data;
	node_put(node);
}

void node_init(void)
{
	root_node = node_create("", S_IFDIR | 0755);
	if (!root_node)
		panic("no memory for the root directory");
	unpack_module();
}
