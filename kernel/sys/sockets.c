/*
 * System calls about sockets.
 */
#include <asm/socket.h>
#include <linux/un.h>
#include <string.h>

#include "kernel/fs/socket.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/install.h"

static_assert(UNIX_PATH_MAX == SOCKET_PATH_BYTES, "socket.h");

/* As recvmsg(2) passes it. */
struct message {
	uint64_t name;
	uint32_t name_bytes, padding;
	uint64_t iovecs, nr_iovecs;
	uint64_t control, control_bytes;
	uint32_t flags, padding_2;
};
static_assert(sizeof(struct message) == 56, "struct msghdr");

/* Ahead of each piece of ancillary data. */
struct control_header {
	uint64_t bytes; /* with the header */
	int32_t level, type;
};

/* --- addresses --- */

static int get_name(uint64_t address, uint64_t size, struct socket_name *out)
{
	struct sockaddr_un from = { 0 };

	if (size > sizeof(from) || size < sizeof(from.sun_family))
		return -EINVAL;
	if (copy_from_user(&from, address, size))
		return -EFAULT;
	if (from.sun_family != AF_UNIX)
		return -EINVAL;
	memcpy(out->path, from.sun_path, sizeof(from.sun_path));
	out->path[SOCKET_PATH_BYTES] = '\0';
	return 0;
}

/* As much as there is room for; the size is what it would be. */
static int put_name(uint64_t address, uint64_t size_address, const struct socket_name *name)
{
	struct sockaddr_un out = { .sun_family = AF_UNIX };
	uint32_t bytes = sizeof(out.sun_family), room;

	if (!address)
		return 0;
	if (copy_from_user(&room, size_address, sizeof(room)))
		return -EFAULT;
	if ((int32_t)room < 0)
		return -EINVAL;
	if (name->path[0]) {
		uint32_t length = (uint32_t)strnlen(name->path, SOCKET_PATH_BYTES);

		memcpy(out.sun_path, name->path, length);
		bytes += length + (length < SOCKET_PATH_BYTES);
	}
	if (copy_to_user(address, &out, min_u64(room, bytes)))
		return -EFAULT;
	return put_user_u32(size_address, bytes);
}

/* --- making, naming, connecting --- */

static int check_kind(const struct call *call)
{
	if (call->a[1] & ~(uint64_t)(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	if (call->a[0] != AF_UNIX)
		return -EAFNOSUPPORT;
	if (call->a[2] && call->a[2] != AF_UNIX)
		return -EPROTONOSUPPORT;
	return (call->a[1] & SOCK_TYPE_MASK) == SOCK_STREAM ? 0 : -ESOCKTNOSUPPORT;
}

SYSCALL(socket)
{
	int err = check_kind(call);

	return err ? err : install_new(socket_create((uint32_t)call->a[1]), call->a[1]);
}

SYSCALL(socketpair)
{
	struct file *a, *b;
	int err = check_kind(call);

	if (!err)
		err = socket_create_pair((uint32_t)call->a[1], &a, &b);
	return err ? err : install_pair(a, b, call->a[1], call->a[3]);
}

SYSCALL(bind)
{
	struct socket_name name;
	int err = get_name(call->a[1], call->a[2], &name);

	return err ? err : socket_bind(call->file, &name);
}

SYSCALL(listen)
{
	return socket_listen(call->file, (int)call->a[1]);
}

SYSCALL(connect)
{
	struct socket_name name;
	int err = get_name(call->a[1], call->a[2], &name);

	return err ? err : socket_connect(call->file, &name);
}

static int tell_name(struct file *file, bool is_peers, const struct call *call)
{
	struct socket_name name;
	int err = socket_get_name(file, is_peers, &name);

	return err ? err : put_name(call->a[1], call->a[2], &name);
}

SYSCALL(accept4)
{
	struct file *file;
	int err;

	if (call->a[3] & ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	err = socket_accept(call->file, (uint32_t)call->a[3], &file);
	if (err)
		return err;
	err = tell_name(file, true, call);
	if (err) {
		file_put(file);
		return err;
	}
	return install_new(file, call->a[3]);
}

SYSCALL(shutdown)
{
	return socket_shutdown(call->file, (int)call->a[1]);
}

SYSCALL(getsockname)
{
	return tell_name(call->file, false, call);
}

SYSCALL(getpeername)
{
	return tell_name(call->file, true, call);
}

/* -ENOPROTOOPT: there is no such option. */
static int64_t option_value(struct file *file, uint64_t option)
{
	switch (option) {
	case SO_ERROR: /* connections come about at once or not at all */
	case SO_PROTOCOL:
		return 0;
	case SO_TYPE:
		return SOCK_STREAM;
	case SO_DOMAIN:
		return AF_UNIX;
	case SO_ACCEPTCONN:
		return socket_is_listening(file);
	case SO_SNDBUF:
	case SO_RCVBUF:
		return CHANNEL_BYTES;
	default:
		return -ENOPROTOOPT;
	}
}

SYSCALL(getsockopt)
{
	bool is_peer = call->a[2] == SO_PEERCRED;
	const struct socket_peer peer = socket_get_peer(call->file);
	int64_t value = is_peer ? 0 : option_value(call->file, call->a[2]);
	uint32_t room, bytes;

	if (call->a[1] != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (copy_from_user(&room, call->a[4], sizeof(room)))
		return -EFAULT;
	if (value < 0)
		return value;
	bytes = (uint32_t)min_u64(is_peer ? sizeof(peer) : sizeof(uint32_t), room);
	if (copy_to_user(call->a[3], is_peer ? (const void *)&peer : &value, bytes))
		return -EFAULT;
	return put_user_u32(call->a[4], bytes);
}

/* --- plain data --- */

SYSCALL(sendto)
{
	struct uio uio;
	int err = uio_open_one(&uio, call->a[1], call->a[2]);

	if (!err && call->a[4])
		err = -EISCONN;
	return err ? err : socket_send(call->file, &uio, (uint32_t)call->a[3], NULL);
}

SYSCALL(recvfrom)
{
	const struct socket_name none = { "" };
	struct uio uio;
	int64_t done = uio_open_one(&uio, call->a[1], call->a[2]);

	if (!done)
		done = socket_receive(call->file, &uio, (uint32_t)call->a[3], NULL);
	if (done >= 0 && call->a[4] && put_name(call->a[4], call->a[5], &none))
		return -EFAULT;
	return done;
}

/* --- messages --- */

/* The files behind the descriptors of an SCM_RIGHTS. */
static int get_files(uint64_t address, uint64_t bytes, struct channel_files *files)
{
	while (bytes >= sizeof(int32_t)) {
		int32_t fd;

		if (files->count == CHANNEL_FILES_MAX)
			return -EINVAL;
		if (copy_from_user(&fd, address, sizeof(fd)))
			return -EFAULT;
		files->files[files->count] = fd_get(&current_process()->fds, (uint64_t)(int64_t)fd);
		if (!files->files[files->count])
			return -EBADF;
		files->count++;
		address += sizeof(fd);
		bytes -= sizeof(fd);
	}
	return 0;
}

static int walk_control(const struct message *message, struct channel_files *files)
{
	uint64_t at = 0;

	while (message->control_bytes - at >= sizeof(struct control_header)) {
		struct control_header header;
		int err;

		if (copy_from_user(&header, message->control + at, sizeof(header)))
			return -EFAULT;
		if (header.bytes < sizeof(header) || header.bytes > message->control_bytes - at ||
		    header.level != SOL_SOCKET || header.type != SCM_RIGHTS)
			return -EINVAL;
		err = get_files(message->control + at + sizeof(header),
				header.bytes - sizeof(header), files);
		if (err)
			return err;
		at = min_u64(at + align_up(header.bytes, 8), message->control_bytes);
	}
	return 0;
}

static int get_control(const struct message *message, struct channel_files **out)
{
	struct channel_files *files;
	int err;

	*out = NULL;
	if (!message->control || !message->control_bytes)
		return 0;
	files = kmalloc(sizeof(*files));
	if (!files)
		return -ENOMEM;
	err = walk_control(message, files);
	if (err || !files->count) {
		channel_files_free(files);
		return err;
	}
	*out = files;
	return 0;
}

SYSCALL(sendmsg)
{
	struct channel_files *files = NULL;
	struct message message;
	struct uio uio;
	int64_t done;

	if (copy_from_user(&message, call->a[1], sizeof(message)))
		return -EFAULT;
	done = get_control(&message, &files);
	if (!done)
		done = uio_open(&uio, message.iovecs, message.nr_iovecs);
	if (!done) {
		done = message.name ? -EISCONN
				    : socket_send(call->file, &uio, (uint32_t)call->a[2], files);
		uio_close(&uio);
	}
	if (done <= 0)
		channel_files_free(files); /* nothing was sent that it could travel with */
	return done;
}

/* Descriptors for as many files as there is room for; the rest is dropped. */
static int put_control(struct message *message, struct channel_files *files, bool closes_on_exec)
{
	struct control_header header = { .level = SOL_SOCKET, .type = SCM_RIGHTS };
	uint64_t room = message->control_bytes, count = 0;

	if (room > sizeof(header))
		count = min_u64((room - sizeof(header)) / sizeof(int32_t), files->count);
	if (count < files->count)
		message->flags |= MSG_CTRUNC;
	message->control_bytes = 0;
	if (!count)
		return 0;
	for (uint64_t i = 0; i < count; i++) {
		int32_t fd;

		fd = fd_install(&current_process()->fds, file_get(files->files[i]), closes_on_exec,
				0);
		if (fd < 0 || copy_to_user(message->control + sizeof(header) + i * sizeof(fd), &fd,
					   sizeof(fd))) {
			message->flags |= MSG_CTRUNC;
			count = i;
		}
	}
	header.bytes = sizeof(header) + count * sizeof(int32_t);
	message->control_bytes = min_u64(align_up(header.bytes, 8), room);
	return copy_to_user(message->control, &header, sizeof(header));
}

SYSCALL(recvmsg)
{
	struct channel_files *files = NULL;
	struct message message;
	struct uio uio;
	int64_t done;

	if (copy_from_user(&message, call->a[1], sizeof(message)))
		return -EFAULT;
	done = uio_open(&uio, message.iovecs, message.nr_iovecs);
	if (done)
		return done;
	done = socket_receive(call->file, &uio, (uint32_t)call->a[2], &files);
	uio_close(&uio);
	if (done < 0)
		return done;
	message.flags = (uint32_t)call->a[2] & MSG_CMSG_CLOEXEC;
	message.name_bytes = 0;
	if (!files)
		message.control_bytes = 0;
	else if (put_control(&message, files, call->a[2] & MSG_CMSG_CLOEXEC))
		done = -EFAULT;
	channel_files_free(files);
	return copy_to_user(call->a[1], &message, sizeof(message)) ?: done;
}
