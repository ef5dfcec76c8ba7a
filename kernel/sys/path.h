/*
 * Paths as ring 3 passes them: a string, and the directory where a relative one starts.
 */
#pragma once

#include "kernel/fs/node.h"

struct path {
	char *text;	    /* owned */
	struct node *start; /* counted */
};

/* @address: the text; @dirfd: where it starts if it is relative. -EBADF, -ENOTDIR, -EFAULT, -ENAMETOOLONG, -ENOMEM. */
MUST_CHECK int path_open(struct path *path, uint64_t dirfd, uint64_t address);
void path_close(struct path *path);

/* What is there, counted. */
MUST_CHECK int path_find(uint64_t dirfd, uint64_t address, bool follows, struct node **out);
