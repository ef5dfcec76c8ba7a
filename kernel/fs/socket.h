/*
 * Unix sockets: streams between processes of this machine, with names in the file tree. Descriptors can be sent over them.
 *
 * Only AF_UNIX and SOCK_STREAM. No abstract names. Two sockets that are sent over each other and then closed are never freed.
 * Context: threads.
 */
#pragma once

#include "kernel/fs/channel.h"
#include "kernel/fs/node.h"

/* As socket(2) and its kin have them: the kernel's UAPI headers leave these to the C library. */
enum {
	AF_UNSPEC = 0,
	AF_UNIX = 1,
	SOCK_STREAM = 1,
	SOCK_TYPE_MASK = 0xf,
	SOCK_NONBLOCK = 04000,
	SOCK_CLOEXEC = 02000000,
	SHUT_RD = 0,
	SHUT_WR = 1,
	SHUT_RDWR = 2,
	MSG_PEEK = 0x2,
	MSG_CTRUNC = 0x8,
	MSG_TRUNC = 0x20,
	MSG_DONTWAIT = 0x40,
	MSG_WAITALL = 0x100,
	MSG_NOSIGNAL = 0x4000,
	MSG_CMSG_CLOEXEC = 0x40000000,
	SCM_RIGHTS = 1,
	SOCKET_PATH_BYTES = 108,
};

struct socket_name {
	char path[SOCKET_PATH_BYTES + 1]; /* "": it has none */
};

/* SO_PEERCRED's */
struct socket_peer {
	uint32_t pid, uid, gid;
};

/* One reference; NULL for want of memory. @flags: SOCK_NONBLOCK. */
struct file *socket_create(uint32_t flags);
/* Two that are connected. -ENOMEM. */
MUST_CHECK int socket_create_pair(uint32_t flags, struct file **a, struct file **b);

bool socket_is(const struct file *file);

/* -EINVAL it has a name; -EADDRINUSE; -ENOENT, -ENOTDIR. */
MUST_CHECK int socket_bind(struct file *file, const struct socket_name *name);
/* -EINVAL: it has no name, or is connected. */
MUST_CHECK int socket_listen(struct file *file, int backlog);
/* -ECONNREFUSED, -EISCONN, -EINVAL it listens, -EAGAIN, -EINTR, and as the path is walked. */
MUST_CHECK int socket_connect(struct file *file, const struct socket_name *name);
/* -EINVAL it doesn't listen; -EAGAIN; -EINTR; -ENOMEM. */
MUST_CHECK int socket_accept(struct file *file, uint32_t flags, struct file **out);
/* -EINVAL. Nothing, if it isn't connected. */
MUST_CHECK int socket_shutdown(struct file *file, int how);

/* As channel_write() and channel_read(); not connected: -ENOTCONN and -EINVAL. @flags: MSG_*. */
MUST_CHECK int64_t socket_send(struct file *file, struct uio *uio, uint32_t flags,
			       struct channel_files *files);
MUST_CHECK int64_t socket_receive(struct file *file, struct uio *uio, uint32_t flags,
				  struct channel_files **files);

/* Its own, or whom it is connected with: -ENOTCONN. */
MUST_CHECK int socket_get_name(struct file *file, bool is_peers, struct socket_name *out);
struct socket_peer socket_get_peer(struct file *file);
bool socket_is_listening(struct file *file);
