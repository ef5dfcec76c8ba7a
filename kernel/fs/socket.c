/*
 * Unix sockets: see socket.h. A connection is two channels; connect() makes the other side's socket too, which waits in the
 * listener's backlog for accept() to give it a file.
 */
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/stat.h>

#include "kernel/fs/socket.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/proc/signal.h"

enum { BACKLOG_MAX = 4096 };

/* Fields: [L] lock  [N] names_lock  [a] atomic */
struct socket {
	struct mutex lock;
	struct waitq ready;
	struct channel *in, *out;     /* [L, a] set once; NULL: not connected */
	bool is_listening;	      /* [N, a] */
	struct node *node;	      /* [N] its name's, counted; NULL: it has none */
	uint32_t mode;		      /* [a] rights: of its name, when it gets one */
	struct socket_name name;      /* [N] */
	struct socket_name peer_name; /* [L] */
	struct socket_peer peer;      /* [L] */
	struct list backlog;	      /* [N] of a listener: sockets to be accepted */
	uint32_t nr_backlog;	      /* [N, a] */
	uint32_t backlog_max;	      /* [N] */
	struct list siblings;	      /* [N] in a backlog */
};

static struct object_cache socket_cache = OBJECT_CACHE("socket", struct socket);
static struct mutex names_lock = MUTEX(names_lock);
/* Who waits to connect: rare, so one for all. */
static struct waitq backlog_changed = WAITQ(backlog_changed);

static const struct file_ops socket_ops;

bool socket_is(const struct file *file)
{
	return file->ops == &socket_ops;
}

static struct channel *in_of(const struct socket *socket)
{
	return __atomic_load_n(&socket->in, __ATOMIC_ACQUIRE);
}

static struct channel *out_of(const struct socket *socket)
{
	return __atomic_load_n(&socket->out, __ATOMIC_ACQUIRE);
}

/* --- making and ending --- */

static struct socket *socket_new(void)
{
	struct socket *socket = object_alloc(&socket_cache);

	if (!socket)
		return NULL;
	socket->mode = 0777;
	mutex_init(&socket->lock);
	waitq_init(&socket->ready);
	list_init(&socket->backlog);
	list_init(&socket->siblings);
	return socket;
}

static void socket_free(struct socket *socket)
{
	if (socket->in)
		channel_close_reader(socket->in);
	if (socket->out)
		channel_close_writer(socket->out);
	object_free(&socket_cache, socket);
}

/* Takes the name away: the file stays, as on every Unix. Who waited to be accepted is turned away. */
static void leave_name(struct socket *socket)
{
	struct list waiting, *node;

	list_init(&waiting);
	mutex_lock(&names_lock);
	__atomic_store_n(&socket->is_listening, false, __ATOMIC_RELEASE);
	if (socket->node)
		socket->node->socket = NULL;
	node_put(socket->node);
	while ((node = list_take_first(&socket->backlog)))
		list_append(&waiting, node);
	mutex_unlock(&names_lock);
	waitq_wake(&backlog_changed);
	/* Files that were sent to them may be sockets that leave their names: not under the lock. */
	while ((node = list_take_first(&waiting)))
		socket_free(list_entry(node, struct socket, siblings));
}

static void socket_release(struct file *file)
{
	struct socket *socket = file->data;

	leave_name(socket);
	socket_free(socket);
}

/* Takes @socket, on failure too; NULL for want of memory, or of a socket. */
static struct file *socket_open(struct socket *socket, uint32_t flags)
{
	struct file *file;

	if (!socket)
		return NULL;
	file = file_create(&socket_ops, socket, &socket->ready, O_RDWR | (flags & SOCK_NONBLOCK));
	if (!file)
		socket_free(socket);
	return file;
}

struct file *socket_create(uint32_t flags)
{
	return socket_open(socket_new(), flags);
}

static struct socket_peer self(void)
{
	return (struct socket_peer){ .pid = current_process()->pid };
}

/* Two channels between @a and @b, which nobody else sees yet but for @a's polls. */
static int join(struct socket *a, struct socket *b)
{
	struct channel *to_a = channel_create(), *to_b = channel_create();

	if (!to_a || !to_b) {
		channel_free(to_a);
		channel_free(to_b);
		return -ENOMEM;
	}
	channel_set_queues(to_a, &a->ready, &b->ready);
	channel_set_queues(to_b, &b->ready, &a->ready);
	b->in = to_b;
	b->out = to_a;
	__atomic_store_n(&a->out, to_b, __ATOMIC_RELEASE);
	__atomic_store_n(&a->in, to_a, __ATOMIC_RELEASE);
	return 0;
}

int socket_create_pair(uint32_t flags, struct file **a, struct file **b)
{
	struct file *first = socket_create(flags), *second = socket_create(flags);
	int err = -ENOMEM;

	if (first && second)
		err = join(first->data, second->data);
	if (err) {
		file_put(first);
		file_put(second);
		return err;
	}
	((struct socket *)first->data)->peer = self();
	((struct socket *)second->data)->peer = self();
	*a = first;
	*b = second;
	return 0;
}

/* --- names --- */

int socket_bind(struct file *file, const struct socket_name *name)
{
	struct socket *socket = file->data;
	int err = -EINVAL;

	mutex_lock(&names_lock);
	if (!socket->node && name->path[0]) {
		err = node_make(root_node, name->path,
				S_IFSOCK | (socket->mode & ~(uint32_t)NODE_UMASK), &socket->node);
		if (!err) {
			socket->node->socket = socket;
			socket->name = *name;
		}
	}
	mutex_unlock(&names_lock);
	return err == -EEXIST ? -EADDRINUSE : err;
}

int socket_listen(struct file *file, int backlog)
{
	struct socket *socket = file->data;
	int err = 0;

	mutex_lock(&names_lock);
	if (!socket->node || in_of(socket)) {
		err = -EINVAL;
	} else {
		socket->backlog_max =
			(uint32_t)(backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog);
		__atomic_store_n(&socket->is_listening, true, __ATOMIC_RELEASE);
	}
	mutex_unlock(&names_lock);
	return err;
}

/* --- connecting --- */

/* Puts a socket that is connected with @socket into the backlog of the listener that @node names; names_lock is held. */
static int knock(struct socket *socket, struct node *node)
{
	struct socket *listener = node->socket, *other;
	int err;

	if (!S_ISSOCK(node->mode) || !listener || !listener->is_listening)
		return -ECONNREFUSED;
	if (listener->nr_backlog > listener->backlog_max)
		return -EAGAIN;
	other = socket_new();
	if (!other)
		return -ENOMEM;
	other->name = listener->name;
	other->peer_name = socket->name;
	other->peer = self();
	err = join(socket, other);
	if (err) {
		socket_free(other);
		return err;
	}
	socket->peer_name = listener->name;
	socket->peer = listener->peer;
	list_append(&listener->backlog, &other->siblings);
	__atomic_store_n(&listener->nr_backlog, listener->nr_backlog + 1, __ATOMIC_RELEASE);
	waitq_wake_for(&listener->ready, EPOLLIN | EPOLLRDNORM);
	return 0;
}

static int try_connect(struct socket *socket, struct node *node)
{
	int err;

	mutex_lock(&socket->lock);
	mutex_lock(&names_lock);
	if (socket->is_listening)
		err = -EINVAL;
	else if (in_of(socket))
		err = -EISCONN;
	else
		err = knock(socket, node);
	mutex_unlock(&names_lock);
	mutex_unlock(&socket->lock);
	return err;
}

int socket_connect(struct file *file, const struct socket_name *name)
{
	struct socket *socket = file->data;
	struct node *node;
	int err = name->path[0] ? node_find(root_node, name->path, true, &node) : -EINVAL;

	if (err)
		return err;
	err = try_connect(socket, node);
	if (err == -EAGAIN && !file_is_nonblocking(file)) {
		int interrupted = waitq_wait_killable(&backlog_changed,
						      (err = try_connect(socket, node)) != -EAGAIN);

		err = interrupted ? interrupted : err;
	}
	node_put(node);
	if (!err)
		waitq_wake(&socket->ready);
	return err;
}

static struct socket *take_waiting(struct socket *listener)
{
	struct list *node;

	mutex_lock(&names_lock);
	node = list_take_first(&listener->backlog);
	if (node)
		__atomic_store_n(&listener->nr_backlog, listener->nr_backlog - 1, __ATOMIC_RELEASE);
	mutex_unlock(&names_lock);
	if (node)
		waitq_wake(&backlog_changed);
	return node ? list_entry(node, struct socket, siblings) : NULL;
}

int socket_accept(struct file *file, uint32_t flags, struct file **out)
{
	struct socket *listener = file->data, *socket;
	int err = 0;

	if (!__atomic_load_n(&listener->is_listening, __ATOMIC_ACQUIRE))
		return -EINVAL;
	while (!(socket = take_waiting(listener)) && !err)
		err = file_wait(file, &listener->ready,
				__atomic_load_n(&listener->nr_backlog, __ATOMIC_ACQUIRE));
	if (!socket)
		return err;
	*out = socket_open(socket, flags);
	return *out ? 0 : -ENOMEM;
}

int socket_shutdown(struct file *file, int how)
{
	const struct socket *socket = file->data;
	struct channel *in = in_of(socket);

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (!in)
		return 0;
	if (how != SHUT_WR)
		channel_end_reading(in);
	if (how != SHUT_RD)
		channel_end_writing(out_of(socket));
	waitq_wake(&((struct socket *)file->data)->ready);
	return 0;
}

/* --- what is said --- */

int64_t socket_send(struct file *file, struct uio *uio, uint32_t flags, struct channel_files *files)
{
	const struct socket *socket = file->data;
	int64_t done;

	if (!in_of(socket))
		return -ENOTCONN;
	done = channel_write(out_of(socket), uio,
			     file_is_nonblocking(file) || (flags & MSG_DONTWAIT), files);
	if (done == -EPIPE && !(flags & MSG_NOSIGNAL))
		signal_send_self(SIGPIPE);
	return done;
}

int64_t socket_receive(struct file *file, struct uio *uio, uint32_t flags,
		       struct channel_files **files)
{
	const struct socket *socket = file->data;
	bool is_nonblocking = file_is_nonblocking(file) || (flags & MSG_DONTWAIT);
	int64_t done = 0, got;

	if (!in_of(socket))
		return -EINVAL;
	do {
		got = channel_read(in_of(socket), uio, is_nonblocking, flags & MSG_PEEK, files);
		if (got > 0)
			done += got;
	} while (got > 0 && uio->left && (flags & MSG_WAITALL) && !(flags & MSG_PEEK) &&
		 !is_nonblocking && !(files && *files));
	return done ? done : got;
}

static int64_t socket_read(struct file *file, struct uio *uio)
{
	return socket_receive(file, uio, 0, NULL);
}

static int64_t socket_write(struct file *file, struct uio *uio)
{
	return socket_send(file, uio, 0, NULL);
}

/* --- what is told --- */

int socket_get_name(struct file *file, bool is_peers, struct socket_name *out)
{
	struct socket *socket = file->data;

	if (is_peers && !in_of(socket))
		return -ENOTCONN;
	mutex_lock(&names_lock);
	*out = is_peers ? socket->peer_name : socket->name;
	mutex_unlock(&names_lock);
	return 0;
}

struct socket_peer socket_get_peer(struct file *file)
{
	return ((const struct socket *)file->data)->peer;
}

bool socket_is_listening(struct file *file)
{
	return __atomic_load_n(&((struct socket *)file->data)->is_listening, __ATOMIC_ACQUIRE);
}

static uint32_t connected_poll(const struct socket *socket)
{
	struct channel *in = in_of(socket), *out = out_of(socket);
	bool has_end = channel_has_no_writer(in), has_no_reader = channel_has_no_reader(out);
	uint32_t events = channel_poll_reader(in) | channel_poll_writer(out);

	if (has_end)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (has_no_reader)
		events |= EPOLLOUT | EPOLLWRNORM;
	if (has_end && (has_no_reader || channel_has_no_writer(out)))
		events |= EPOLLHUP;
	return events;
}

static uint32_t socket_poll(struct file *file)
{
	const struct socket *socket = file->data;

	if (in_of(socket))
		return connected_poll(socket);
	if (__atomic_load_n(&socket->is_listening, __ATOMIC_ACQUIRE))
		return __atomic_load_n(&socket->nr_backlog, __ATOMIC_ACQUIRE)
			       ? EPOLLIN | EPOLLRDNORM
			       : 0;
	return EPOLLOUT | EPOLLWRNORM | EPOLLHUP;
}

static int64_t socket_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	const struct socket *socket = file->data;

	if (request != FIONREAD)
		return -ENOTTY;
	if (!in_of(socket))
		return -EINVAL;
	return put_user_u32(argument, channel_bytes(in_of(socket)));
}

static void socket_stat(struct file *file, struct file_stat *out)
{
	out->mode = S_IFSOCK | ((const struct socket *)file->data)->mode;
}

static int socket_set_mode(struct file *file, uint32_t mode)
{
	struct socket *socket = file->data;

	__atomic_store_n(&socket->mode, mode, __ATOMIC_RELAXED);
	return 0;
}

static const struct file_ops socket_ops = {
	.read = socket_read,
	.write = socket_write,
	.ioctl = socket_ioctl,
	.poll = socket_poll,
	.stat = socket_stat,
	.set_mode = socket_set_mode,
	.release = socket_release,
};
