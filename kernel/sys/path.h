/*
 * Paths as ring 3 passes them: a string, and the directory where a relative one starts.
 */
#pragma once

#include "kernel/fs/node.h"

/* Its text in memory of its own, undone by kfree(). -EFAULT, -ENAMETOOLONG, -ENOMEM. */
MUST_CHECK int path_get(uint64_t address, char **out);

/* Where @path starts, counted: @dirfd's directory, or the current one. -EBADF, -ENOTDIR. */
MUST_CHECK int path_start(uint64_t dirfd, const char *path, struct node **out);

/* What is there, counted. */
MUST_CHECK int path_find(uint64_t dirfd, uint64_t address, bool follows, struct node **out);

/* The directory that it is in, counted, and its name there. */
MUST_CHECK int path_find_parent(uint64_t dirfd, uint64_t address, struct node **parent,
				char name[NODE_NAME_MAX + 1]);
