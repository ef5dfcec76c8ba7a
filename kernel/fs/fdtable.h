/*
 * A process's descriptors: small numbers for open files.
 *
 * Context: threads; any of the process's.
 */
#pragma once

#include "kernel/fs/file.h"

enum { FDS_MAX = 4096, FDS_LIMIT_FIRST = 1024 };

/* Fields: [L] lock */
struct fdtable {
	struct mutex lock;
	uint32_t capacity; /* [L] */
	uint32_t limit;	   /* [a] no new number from here on; up to FDS_MAX */
	struct fd {
		struct file *file; /* NULL: free */
		bool closes_on_exec;
	} * fds; /* [L] */
};

void fdtable_init(struct fdtable *table); /* with the limit FDS_LIMIT_FIRST */
void fdtable_set_limit(struct fdtable *table, uint32_t limit);
void fdtable_destroy(struct fdtable *table);
MUST_CHECK int fdtable_copy(struct fdtable *to, struct fdtable *from);
void fdtable_close_on_exec(struct fdtable *table);

/* The file of @fd, counted; NULL: -EBADF. */
struct file *fd_get(struct fdtable *table, uint64_t fd);

/* The lowest free number from @lowest on for @file, whose reference it takes, on failure too. -EMFILE, -ENOMEM. */
MUST_CHECK int fd_install(struct fdtable *table, struct file *file, bool closes_on_exec,
			  uint32_t lowest);
/* The same at this very number; what was there is closed. -EBADF, -ENOMEM. */
MUST_CHECK int fd_install_at(struct fdtable *table, struct file *file, bool closes_on_exec,
			     uint32_t fd);
int fd_close(struct fdtable *table, uint64_t fd);

/* The FD_CLOEXEC flag. -EBADF. */
MUST_CHECK int fd_get_flag(struct fdtable *table, uint64_t fd);
MUST_CHECK int fd_set_flag(struct fdtable *table, uint64_t fd, bool closes_on_exec);
