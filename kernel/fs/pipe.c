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
#include "kernel/mem/user.h"
#include "kernel/proc/signal.h"

static int64_t pipe_read(struct file *file, struct uio *uio)
{
	return channel_read(file->data, uio, file_is_nonblocking(file), false, NULL);
}

static int64_t pipe_write(struct file *file, struct uio *uio)
{
	int64_t done = channel_write(file->data, uio, file_is_nonblocking(file), NULL);

	if (done == -EPIPE)
		signal_send_self(SIGPIPE);
	return done;
}

static uint32_t reader_poll(struct file *file)
{
	return channel_poll_reader(file->data) |
	       (channel_has_no_writer(file->data) ? EPOLLHUP : 0u);
}

static uint32_t writer_poll(struct file *file)
{
	return channel_poll_writer(file->data) |
	       (channel_has_no_reader(file->data) ? EPOLLERR : 0u);
}

static int64_t pipe_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	return request == FIONREAD ? put_user_u32(argument, channel_bytes(file->data)) : -ENOTTY;
}

static void pipe_stat(struct file *file UNUSED, struct file_stat *out)
{
	out->mode = S_IFIFO | 0600;
}

static void reader_release(struct file *file)
{
	channel_close_reader(file->data);
}

static void writer_release(struct file *file)
{
	channel_close_writer(file->data);
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

int pipe_create(uint32_t flags, struct file **reader, struct file **writer)
{
	struct channel *channel = channel_create();
	struct waitq *reads, *writes;

	if (!channel)
		return -ENOMEM;
	channel_get_queues(channel, &reads, &writes);
	*reader = file_create(&reader_ops, channel, reads, O_RDONLY | (flags & O_NONBLOCK));
	if (!*reader) {
		channel_free(channel);
		return -ENOMEM;
	}
	*writer = file_create(&writer_ops, channel, writes, O_WRONLY | (flags & O_NONBLOCK));
	if (*writer)
		return 0;
	channel_close_writer(channel);
	file_put(*reader);
	return -ENOMEM;
}
