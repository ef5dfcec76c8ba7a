/*
 * The root file system: a tree in memory, filled from the boot module.
 *
 * One lock for the tree's shape; the contents of regular files have their own (memobj). Nodes are counted: one that was removed
 * lives on while it is open.
 * Context: threads.
 */
#pragma once

#include "kernel/fs/file.h"
#include "kernel/mem/memobj.h"

enum {
	NODE_NAME_MAX = 255,
	PATH_BYTES = 4096,
	LINKS_FOLLOWED_MAX = 8,
	NODE_UMASK = 022, /* the rights that nothing is made with */
};

struct socket;

/* What node_open() does for a special file; node_open() gives the file its node. */
typedef int node_opener(struct node *node, uint32_t flags, struct file **out);

struct node {
	uint32_t refs;	/* [a] */
	uint32_t mode;	/* [a] kind, which stays, and rights */
	uint64_t inode; /* [I] */
	uint64_t mtime_s;
	char *name;		/* [tree] */
	struct node *parent;	/* [tree] counted; NULL: the root, or removed */
	struct list children;	/* [tree] of a directory, by inode */
	struct list siblings;	/* [tree] */
	struct memobj *content; /* [I] a regular file's, or the text of a symbolic link */
	/* Special files: opened through this. */
	node_opener *open; /* [I] */
	const void *data;  /* [I] */
	uint32_t device;   /* [I] its number: major and minor */
	/*
	 * A directory some of whose entries are made when they are asked for (/proc): gives what the @rest of a path names,
	 * counted. Called without locks. NULL: all entries are children.
	 */
	int (*resolve)(const char *rest, bool follows, struct node **out); /* [I] */
	struct socket *socket; /* [its names lock] whose name it is */
};

extern struct node *root_node;

struct node *node_get(struct node *node);
void node_put(struct node *node);

/* The time of a change, as in mtime_s. */
uint64_t node_now_s(void);

/* Fills the tree from the boot module, makes /dev. */
void node_init(void);

/**
 * node_find() - walk @path from @start (or from the root if it begins with a slash)
 * @follows: a symbolic link at the very end too
 *
 * Returns 0 and a counted node; -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG.
 */
MUST_CHECK int node_find(struct node *start, const char *path, bool follows, struct node **out);

/* As for node_find(), and: -EEXIST, for the root too; -ENOMEM. @out: counted for the caller; may be NULL. */
MUST_CHECK int node_make(struct node *start, const char *path, uint32_t mode, struct node **out);
/* The same, and: -EEXIST: the root; -EISDIR, -EBUSY, -ENOTEMPTY. */
int node_remove(struct node *start, const char *path, bool is_directory);

/* The text of a symbolic link, its length at most @size. Returns that; -EINVAL: it isn't one. */
MUST_CHECK int node_read_link(const struct node *node, char *text, size_t size);

struct node_entry {
	uint64_t inode, next; /* next: for @position */
	uint32_t mode;
	char name[NODE_NAME_MAX + 1];
};

/* An entry of the directory @node, the first at @position 0. False: no more. What comes and goes meanwhile may be left out. */
bool node_entry(struct node *node, uint64_t position, struct node_entry *out);

/* The directory that was opened as @file, borrowed; NULL: it is something else. */
struct node *node_of_directory(const struct file *file);

void node_stat(const struct node *node, struct file_stat *out);
void node_set_mode(struct node *node, uint32_t mode); /* the rights */

MUST_CHECK int node_open(struct node *node, uint32_t flags, struct file **out);

/* A regular file without a name: memfd. NULL for want of memory. */
struct file *node_create_memory(void);

/* A special file, by its path below the root: its directory is made if need be. For start-up. */
void node_make_special(const char *path, uint32_t mode, uint32_t device, node_opener *open,
		       const void *data);

/* One that is in no directory, with one reference. NULL for want of memory. */
struct node *node_create(const char *name, uint32_t mode);
struct node *node_create_special(uint32_t mode, node_opener *open, const void *data);
struct node *node_create_link(const char *text);

/* From the root. -ENOENT: it was removed; -ERANGE. */
MUST_CHECK int node_path(struct node *node, char *buffer, size_t size);
