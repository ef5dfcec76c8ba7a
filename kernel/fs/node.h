/*
 * The root file system: a tree in memory, filled from the boot module.
 *
 * One lock for the tree's shape; the contents of regular files have their own (memobj). Nodes are counted: one that was removed
 * lives on while it is open or is somebody's directory.
 * Context: threads.
 */
#pragma once

#include <stdint.h>

#include "kernel/fs/file.h"
#include "kernel/mem/memobj.h"

enum { NODE_NAME_MAX = 255, PATH_BYTES = 4096, LINKS_FOLLOWED_MAX = 8 };

struct socket;

struct node {
	uint32_t refs;	/* [a] */
	uint32_t mode;	/* [a] kind, which stays, and rights */
	uint64_t inode; /* [I] */
	uint64_t mtime_s;
	char *name;		/* [I] */
	struct node *parent;	/* [tree] NULL: the root, or removed */
	struct list children;	/* [tree] of a directory */
	struct list siblings;	/* [tree] */
	struct memobj *content; /* [I] a regular file's, or the text of a symbolic link */
	/* Special files: opened through this. */
	int (*open)(struct node *node, uint32_t flags, struct file **out); /* [I] */
	const void *data;						   /* [I] */
	struct socket *socket; /* [its names lock] whose name it is */
	uint32_t seals;	       /* [a] F_SEAL_* */
	bool is_sealable;      /* [I] memory without a name */
};

extern struct node *root_node;

void node_get(struct node *node);
void node_put(struct node *node);

/* Fills the tree from the boot module, makes /dev. */
void node_init(void);

/**
 * node_find() - walk @path from @start (or from the root if it begins with a slash)
 * @follows: a symbolic link at the very end too
 *
 * Returns 0 and a counted node; -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG.
 */
MUST_CHECK int node_find(struct node *start, const char *path, bool follows, struct node **out);

/* The directory that would hold @path's last part, and that part. */
MUST_CHECK int node_find_parent(struct node *start, const char *path, struct node **parent,
				char name[NODE_NAME_MAX + 1]);

/* -EEXIST, -ENOTDIR, -ENOMEM. @out: counted for the caller; may be NULL. */
MUST_CHECK int node_make(struct node *parent, const char *name, uint32_t mode, struct node **out);
int node_remove(struct node *parent, const char *name, bool is_directory);

MUST_CHECK int node_open(struct node *node, uint32_t flags, struct file **out);

/* A regular file without a name: memfd. NULL for want of memory. */
struct file *node_create_memory(bool is_sealable);

/* A special file, by its path below the root: its directory is made if need be. For start-up. */
void node_make_special(const char *path, uint32_t mode,
		       int (*open)(struct node *node, uint32_t flags, struct file **out),
		       void *data);

MUST_CHECK int node_path(struct node *node, char *buffer, size_t size);
