/*
 * An open file: whatever a descriptor stands for.
 *
 * A kind of file is one `struct file_ops`; what it doesn't have is NULL and answered as Linux does. A file lives until its
 * last reference goes: a descriptor, a mapping, a system call under way, an epoll set doesn't count.
 *
 * Fields: [I] immutable  [a] atomic  [P] position_lock
 */
#pragma once

#include "kernel/fs/uio.h"
#include "kernel/mem/mm.h"
#include "kernel/sched/waitq.h"

struct file;
struct node;

struct file_stat {
	uint64_t inode, size_bytes, device; /* device: of a special file */
	uint32_t mode;			    /* with the kind of file */
	uint32_t links;
	uint64_t mtime_s;
};

struct file_ops {
	/* Streams: positions mean nothing to them. */
	int64_t (*read)(struct file *file, struct uio *uio);
	int64_t (*write)(struct file *file, struct uio *uio);
	/* Files with positions. */
	int64_t (*read_at)(struct file *file, struct uio *uio, uint64_t offset);
	int64_t (*write_at)(struct file *file, struct uio *uio, uint64_t offset);
	int64_t (*ioctl)(struct file *file, uint32_t request, uint64_t argument);
	/* Fills in whose pages they are. */
	int (*map)(struct file *file, struct mm_request *request);
	uint32_t (*poll)(struct file *file); /* EPOLL* that hold now */
	/* What isn't as its node says, or for a file without one, not as usual. */
	void (*stat)(struct file *file, struct file_stat *out);
	int (*sync)(struct file *file);
	int (*resize)(struct file *file, uint64_t size_bytes);
	int (*set_mode)(struct file *file, uint32_t mode);
	void (*release)(struct file *file); /* the last reference has gone */
};

struct file {
	const struct file_ops *ops; /* [I] */
	void *data;		    /* [I] the kind's own */
	struct node *node;	    /* [I] that it was opened by, counted; NULL: it has no name */
	uint32_t refs;		    /* [a] */
	uint32_t flags; /* [a] O_* that concern the open file: O_NONBLOCK, O_APPEND, access */
	struct mutex position_lock;
	uint64_t position;   /* [P] */
	struct waitq *ready; /* [I] woken when what poll() says may have changed; NULL: never */
	struct list watches; /* epoll's [its watches lock] */
	bool is_watched;     /* [a] it has or had some */
	bool has_flock;	     /* [a] it has or had one */
};

/* One reference, owned by the caller. NULL for want of memory: @data is still the caller's. @ready: as in struct file. */
struct file *file_create(const struct file_ops *ops, void *data, struct waitq *ready,
			 uint32_t flags);
void file_end(struct file *file); /* for file_put(), the last time */

/* As all that count: NULL is fine, and _get() returns what it has counted. */
static inline struct file *file_get(struct file *file)
{
	if (file)
		__atomic_fetch_add(&file->refs, 1, __ATOMIC_RELAXED);
	return file;
}

static inline void file_put(struct file *file)
{
	if (file && !__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL))
		file_end(file);
}

/* EPOLL* that hold now; a file without poll() is always ready for both. */
uint32_t file_poll(struct file *file);

void file_stat(struct file *file, struct file_stat *out);

static inline bool file_is_nonblocking(const struct file *file)
{
	return __atomic_load_n(&file->flags, __ATOMIC_RELAXED) & 04000; /* O_NONBLOCK */
}

/* Waits until @condition holds, if @file is one that waits: 0, -EAGAIN, -EINTR. */
#define file_wait(file, queue, condition)      \
	((condition)		     ? 0       \
	 : file_is_nonblocking(file) ? -EAGAIN \
				     : waitq_wait_killable(queue, condition))

/* As the system calls: access checked, positions kept. */
MUST_CHECK int64_t file_read(struct file *file, struct uio *uio);
MUST_CHECK int64_t file_write(struct file *file, struct uio *uio);
MUST_CHECK int64_t file_read_at(struct file *file, struct uio *uio, uint64_t offset);
MUST_CHECK int64_t file_write_at(struct file *file, struct uio *uio, uint64_t offset);
