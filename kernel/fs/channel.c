/*
 * A one-way stream of bytes: see channel.h.
 *
 * The bytes lie in a ring of pages, each made when it is first written to and freed when it has been read.
 */
#include <linux/eventpoll.h>
#include <linux/limits.h>

#include "kernel/fs/channel.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"

enum { PAGES = CHANNEL_BYTES / PAGE_BYTES + 1 }; /* the first and the last may be there in part */

/* Files that came with a write: its bytes, counted from the channel's beginning. */
struct parcel {
	struct list node;
	uint64_t at, end;
	struct channel_files *files;
};

/* Fields: [L] lock  [a] atomic, so that it can be polled */
struct channel {
	struct mutex lock;
	uint64_t written, read;	       /* [L, a] bytes since the beginning */
	char *pages[PAGES];	       /* [L] */
	struct list parcels;	       /* [L] */
	bool has_no_reader;	       /* [L, a] nobody will read */
	bool has_no_writer;	       /* [L, a] nobody will write */
	bool is_half_closed;	       /* [L] one end has gone */
	struct waitq *reader, *writer; /* [L] NULL: closed */
	struct waitq own[2];	       /* for ends that have none of their own */
};

static struct object_cache channel_cache = OBJECT_CACHE("channel", struct channel);
static struct object_cache parcel_cache = OBJECT_CACHE("channel parcel", struct parcel);

void channel_files_free(struct channel_files *files)
{
	if (!files)
		return;
	for (uint32_t i = 0; i < files->count; i++)
		file_put(files->files[i]);
	kfree(files);
}

void channel_set_queues(struct channel *channel, struct waitq *reader, struct waitq *writer)
{
	channel->reader = reader;
	channel->writer = writer;
}

struct channel *channel_create(void)
{
	struct channel *channel = object_alloc(&channel_cache);

	if (!channel)
		return NULL;
	mutex_init(&channel->lock);
	list_init(&channel->parcels);
	waitq_init(&channel->own[0]);
	waitq_init(&channel->own[1]);
	channel_set_queues(channel, &channel->own[0], &channel->own[1]);
	return channel;
}

void channel_get_queues(struct channel *channel, struct waitq **reader, struct waitq **writer)
{
	*reader = channel->reader;
	*writer = channel->writer;
}

uint32_t channel_bytes(struct channel *channel)
{
	uint64_t read = __atomic_load_n(&channel->read, __ATOMIC_ACQUIRE);

	return (uint32_t)(__atomic_load_n(&channel->written, __ATOMIC_ACQUIRE) - read);
}

bool channel_has_no_reader(struct channel *channel)
{
	return __atomic_load_n(&channel->has_no_reader, __ATOMIC_ACQUIRE);
}

bool channel_has_no_writer(struct channel *channel)
{
	return __atomic_load_n(&channel->has_no_writer, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* --- waking; the lock is held, so a queue can't go meanwhile --- */

static void wake_reader(struct channel *channel, uint32_t events)
{
	if (channel->reader)
		waitq_wake_for(channel->reader, events);
}

static void wake_writer(struct channel *channel, uint32_t events)
{
	if (channel->writer)
		waitq_wake_for(channel->writer, events);
}

/* --- the ends' ends --- */

static void drop_contents(struct channel *channel)
{
	struct list *node;

	for (uint32_t i = 0; i < PAGES; i++) {
		if (channel->pages[i])
			page_free(channel->pages[i]);
		channel->pages[i] = NULL;
	}
	while ((node = list_take_first(&channel->parcels))) {
		struct parcel *parcel = list_entry(node, struct parcel, node);

		channel_files_free(parcel->files);
		object_free(&parcel_cache, parcel);
	}
}

static void end_reading(struct channel *channel)
{
	set(&channel->has_no_reader);
	wake_writer(channel, EPOLLERR | EPOLLHUP | EPOLLOUT);
}

static void end_writing(struct channel *channel)
{
	set(&channel->has_no_writer);
	wake_reader(channel, EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLRDHUP);
	wake_writer(channel, EPOLLOUT | EPOLLHUP);
}

void channel_end_writing(struct channel *channel)
{
	mutex_lock(&channel->lock);
	end_writing(channel);
	mutex_unlock(&channel->lock);
}

/* Readers that wait find the end, too. */
void channel_end_reading(struct channel *channel)
{
	mutex_lock(&channel->lock);
	end_reading(channel);
	end_writing(channel);
	mutex_unlock(&channel->lock);
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	drop_contents(channel);
	object_free(&channel_cache, channel);
}

static void close_end(struct channel *channel, struct waitq **queue,
		      void (*end)(struct channel *channel))
{
	bool is_last;

	mutex_lock(&channel->lock);
	*queue = NULL;
	end(channel);
	is_last = channel->is_half_closed;
	channel->is_half_closed = true;
	mutex_unlock(&channel->lock);
	if (is_last)
		channel_free(channel);
}

void channel_close_reader(struct channel *channel)
{
	close_end(channel, &channel->reader, end_reading);
}

void channel_close_writer(struct channel *channel)
{
	close_end(channel, &channel->writer, end_writing);
}

/* --- writing --- */

static uint32_t room(struct channel *channel)
{
	return CHANNEL_BYTES - channel_bytes(channel);
}

/* What is small goes in one piece. */
static bool can_write(struct channel *channel, uint64_t left)
{
	return room(channel) >= (left <= PIPE_BUF ? left : 1);
}

/* Into the page where the next byte belongs. */
static int64_t put_piece(struct channel *channel, struct uio *uio)
{
	uint64_t within = channel->written % PAGE_BYTES;
	char **page = &channel->pages[channel->written / PAGE_BYTES % PAGES];
	uint64_t step = min_u64(PAGE_BYTES - within, min_u64(room(channel), uio->left));
	int64_t put;

	if (!*page)
		*page = page_alloc();
	if (!*page)
		return -ENOMEM;
	put = uio_take(uio, *page + within, step);
	if (put > 0)
		__atomic_store_n(&channel->written, channel->written + (uint64_t)put,
				 __ATOMIC_RELEASE);
	return put;
}

static int64_t put_all(struct channel *channel, struct uio *uio)
{
	int64_t done = 0, put = 0;

	while (uio->left && room(channel)) {
		put = put_piece(channel, uio);
		if (put <= 0)
			break;
		done += put;
	}
	if (done)
		wake_reader(channel, EPOLLIN | EPOLLRDNORM);
	return done ? done : put;
}

static int64_t write_locked(struct channel *channel, struct uio *uio, struct parcel **parcel)
{
	int64_t put;

	if (channel->has_no_reader || channel->has_no_writer)
		return -EPIPE;
	if (!can_write(channel, uio->left))
		return -EAGAIN;
	if (*parcel)
		(*parcel)->at = channel->written;
	put = put_all(channel, uio);
	if (put > 0 && *parcel) {
		(*parcel)->end = channel->written;
		list_append(&channel->parcels, &(*parcel)->node);
		*parcel = NULL;
	}
	return put;
}

static int64_t write_parcel(struct channel *channel, struct uio *uio, bool is_nonblocking,
			    struct parcel **parcel)
{
	int64_t done = 0, put = 0;

	while (uio->left) {
		mutex_lock(&channel->lock);
		put = write_locked(channel, uio, parcel);
		mutex_unlock(&channel->lock);
		if (put > 0)
			done += put;
		else if (put != -EAGAIN || is_nonblocking)
			break;
		else if (waitq_wait_killable(channel->writer,
					     can_write(channel, uio->left) ||
						     channel_has_no_reader(channel) ||
						     channel_has_no_writer(channel)))
			put = -EINTR;
		if (put == -EINTR)
			break;
	}
	return done ? done : put;
}

int64_t channel_write(struct channel *channel, struct uio *uio, bool is_nonblocking,
		      struct channel_files *files)
{
	struct parcel *parcel = NULL;
	int64_t done;

	if (files) {
		parcel = object_alloc(&parcel_cache);
		if (!parcel)
			return -ENOMEM;
		parcel->files = files;
	}
	done = write_parcel(channel, uio, is_nonblocking, &parcel);
	if (parcel)
		object_free(&parcel_cache, parcel);
	return done;
}

uint32_t channel_poll_writer(struct channel *channel)
{
	return (room(channel) >= PIPE_BUF ? EPOLLOUT | EPOLLWRNORM : 0u);
}

/* --- reading; the lock is held --- */

static struct parcel *first_parcel(struct channel *channel)
{
	return list_is_empty(&channel->parcels)
		       ? NULL
		       : list_entry(channel->parcels.next, struct parcel, node);
}

/* How far one read may go: to the end of the write that brings files. */
static uint64_t readable_end(struct channel *channel)
{
	const struct parcel *parcel = first_parcel(channel);

	return parcel ? parcel->end : channel->written;
}

/* Once a byte of their write is read the files are the reader's. */
static void take_files(struct channel *channel, uint64_t read, struct channel_files **files)
{
	struct parcel *parcel = first_parcel(channel);

	if (!parcel || parcel->at >= read)
		return;
	list_remove(&parcel->node);
	*files = parcel->files;
	object_free(&parcel_cache, parcel);
}

static int64_t get_pieces(struct channel *channel, struct uio *uio, uint64_t *at, uint64_t end)
{
	int64_t done = 0;

	while (uio->left && *at < end) {
		uint64_t within = *at % PAGE_BYTES;
		const char *page = channel->pages[*at / PAGE_BYTES % PAGES];
		int64_t got = uio_put(uio, page + within, min_u64(PAGE_BYTES - within, end - *at));

		if (got <= 0)
			return done ? done : got;
		*at += (uint64_t)got;
		done += got;
	}
	return done;
}

/* Frees the pages between @from and the next byte that are read to their ends, or are empty. */
static void free_read_pages(struct channel *channel, uint64_t from)
{
	uint64_t last = channel->read / PAGE_BYTES;

	if (channel->read == channel->written && channel->read % PAGE_BYTES)
		last++;
	for (uint64_t page = from / PAGE_BYTES; page < last; page++) {
		char **slot = &channel->pages[page % PAGES];

		if (*slot)
			page_free(*slot);
		*slot = NULL;
	}
}

static int64_t read_locked(struct channel *channel, struct uio *uio, bool peeks,
			   struct channel_files **files)
{
	uint64_t at = channel->read, from = at;
	int64_t done = get_pieces(channel, uio, &at, readable_end(channel));

	if (done <= 0 || peeks)
		return done;
	take_files(channel, at, files);
	__atomic_store_n(&channel->read, at, __ATOMIC_RELEASE);
	free_read_pages(channel, from);
	wake_writer(channel, EPOLLOUT | EPOLLWRNORM);
	return done;
}

int64_t channel_read(struct channel *channel, struct uio *uio, bool is_nonblocking, bool peeks,
		     struct channel_files **files)
{
	struct channel_files *taken = NULL;
	int64_t done = 0;

	while (uio->left && !done) {
		mutex_lock(&channel->lock);
		if (channel->read != channel->written)
			done = read_locked(channel, uio, peeks, &taken);
		else if (channel->has_no_writer || channel->has_no_reader)
			uio->left = 0; /* the end */
		else
			done = -EAGAIN;
		mutex_unlock(&channel->lock);
		if (done != -EAGAIN || is_nonblocking)
			break;
		done = waitq_wait_killable(
			channel->reader, channel_bytes(channel) || channel_has_no_writer(channel) ||
						 channel_has_no_reader(channel));
	}
	if (files)
		*files = taken;
	else
		channel_files_free(taken); /* unlocked: this channel's own end may be among them */
	return done;
}

uint32_t channel_poll_reader(struct channel *channel)
{
	return channel_bytes(channel) ? EPOLLIN | EPOLLRDNORM : 0;
}
