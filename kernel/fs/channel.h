/*
 * A one-way stream of bytes with a writer and a reader: what pipes are made of, and one direction of a Unix socket. Files may
 * travel with the bytes; they are received with the first byte of the write that sent them, and a read ends with such a write.
 *
 *   - Each end is closed once, by channel_close_reader() or channel_close_writer(); the channel goes with the second.
 *   - An end waits and is polled on the channel's own queue for it, unless channel_set_queues() says, before anybody else has the
 *     channel, that it is another, which then lasts until the end is closed.
 *   - Writes of up to PIPE_BUF bytes are never mixed with others.
 *
 * Context: threads.
 */
#pragma once

#include "kernel/fs/file.h"

enum {
	CHANNEL_BYTES = 65536,
	CHANNEL_FILES_MAX = 253, /* SCM_MAX_FD */
};

/* Files on their way, each with a reference. */
struct channel_files {
	uint32_t count;
	struct file *files[CHANNEL_FILES_MAX];
};

/* Drops them all. NULL is fine. */
void channel_files_free(struct channel_files *files);

struct channel;

/* NULL for want of memory. */
struct channel *channel_create(void);
/* One whose ends nobody has; NULL is fine. */
void channel_free(struct channel *channel);
void channel_get_queues(struct channel *channel, struct waitq **reader, struct waitq **writer);
void channel_set_queues(struct channel *channel, struct waitq *reader, struct waitq *writer);
void channel_close_reader(struct channel *channel);
void channel_close_writer(struct channel *channel);
/* No more will be written, or read, though the ends stay open: shutdown(2). */
void channel_end_writing(struct channel *channel);
void channel_end_reading(struct channel *channel);

/**
 * channel_write() - write all of it, waiting for room
 * @files: travels with the first byte; NULL: none. The channel takes it if anything was written.
 *
 * Returns how many bytes; -EPIPE nobody will read; -EAGAIN; -EINTR; -EFAULT; -ENOMEM.
 */
MUST_CHECK int64_t channel_write(struct channel *channel, struct uio *uio, bool is_nonblocking,
				 struct channel_files *files);

/**
 * channel_read() - read what is there, waiting for a first byte
 * @peeks: leave it there
 * @files: where files go that came with it, for the caller to free; NULL: they are dropped
 *
 * Returns how many bytes, 0 at the end; -EAGAIN; -EINTR; -EFAULT.
 */
MUST_CHECK int64_t channel_read(struct channel *channel, struct uio *uio, bool is_nonblocking,
				bool peeks, struct channel_files **files);

uint32_t channel_bytes(struct channel *channel);

/* EPOLL* for the reader's and the writer's side. */
uint32_t channel_poll_reader(struct channel *channel);
uint32_t channel_poll_writer(struct channel *channel);
bool channel_has_no_reader(struct channel *channel);
bool channel_has_no_writer(struct channel *channel);
