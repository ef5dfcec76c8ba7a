/*
 * Pipes: see pipe.h.
 */
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/stat.h>

#include "kernel/fs/channel.h"
#include "kernel/fs/pipe.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/signal.h"

/* Fields: [I] immutable */
struct pipe_end {
	struct channel *channel; /* [I] */
	struct waitq ready;
};

static struct object_cache end_cache = OBJECT_CACHE("pipe end", struct pipe_end);

static int64_t pipe_read(struct file *file, struct uio *uio)
{
	const struct pipe_end *end = file->data;

	return channel_read(end->channel, uio, file_is_nonblocking(file), false, NULL);
}

static int64_t pipe_write(struct file *file, struct uio *uio)
{
	const struct pipe_end *end = file->data;
	int64_t done = channel_write(end->channel, uio, file_is_nonblocking(file), NULL);

	if (done == -EPIPE)
		signal_send_self(SIGPIPE);
	return done;
}

static uint32_t reader_poll(struct file *file)
{
	struct channel *channel = ((const struct pipe_end *)file->data)->channel;

	return channel_poll_reader(channel) | (channel_has_no_writer(channel) ? EPOLLHUP : 0u);
}

static uint32_t writer_poll(struct file *file)
{
	struct channel *channel = ((const struct pipe_end *)file->data)->channel;

	return channel_poll_writer(channel) | (channel_has_no_reader(channel) ? EPOLLERR : 0u);
}

static int64_t pipe_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	int bytes;

	if (request != FIONREAD)
		return -ENOTTY;
	bytes = (int)channel_bytes(((const struct pipe_end *)file->data)->channel);
	return copy_to_user(argument, &bytes, sizeof(bytes));
}

static void pipe_stat(struct file *file UNUSED, struct file_stat *out)
{
	out->mode = S_IFIFO | 0600;
}

static void reader_release(struct file *file)
{
	struct pipe_end *end = file->data;

	channel_close_reader(end->channel);
	object_free(&end_cache, end);
}

static void writer_release(struct file *file)
{
	struct pipe_end *end = file->data;

	channel_close_writer(end->channel);
	object_free(&end_cache, end);
}

static const struct file_ops reader_ops = {
	.read = pipe_read,
	.ioctl = pipe_ioctl,
	.poll = reader_poll,
	.stat = pipe_stat,
	.release = reader_release,
};

static const struct file_ops writer_ops = {
	.write = pipe_write,
	.ioctl = pipe_ioctl,
	.poll = writer_poll,
	.stat = pipe_stat,
	.release = writer_release,
};

static struct file *end_create(const struct file_ops *ops, struct channel *channel, uint32_t flags)
{
	struct pipe_end *end = object_alloc(&end_cache);
	struct file *file;

	if (!end)
		return NULL;
	waitq_init(&end->ready);
	end->channel = channel;
	file = file_create(ops, end, &end->ready, flags);
	if (!file)
		object_free(&end_cache, end);
	return file;
}

int pipe_create(uint32_t flags, struct file **reader, struct file **writer)
{
	struct channel *channel = channel_create();
	struct file *in, *out;

	if (!channel)
		return -ENOMEM;
	in = end_create(&reader_ops, channel, O_RDONLY | (flags & O_NONBLOCK));
	out = end_create(&writer_ops, channel, O_WRONLY | (flags & O_NONBLOCK));
	if (!in || !out)
		goto err;
	channel_set_queues(channel, in->ready, out->ready);
	*reader = in;
	*writer = out;
	return 0;

err:
	/* Each end closes its half; what wasn't made is closed here. */
	if (in)
		file_put(in);
	else
		channel_close_reader(channel);
	if (out)
		file_put(out);
	else
		channel_close_writer(channel);
	return -ENOMEM;
}
