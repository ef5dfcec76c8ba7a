/*
 * Unix stream sockets: one that this process listens on, for its user alone (mode 0600), and connections
 * to those of others.
 */
#pragma once

#include <sys/un.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

struct unix_socket {
	int fd; /* does not block */
	struct sockaddr_un address;
};

/**
 * unix_socket_listen() - create the socket at @path
 *
 * The socket file of a process that is gone is replaced. One that somebody listens on, and any other
 * kind of file, is an error. Returns 0, or -errno with @why.
 */
MUST_CHECK int unix_socket_listen(struct unix_socket *listener, const char *path,
				  struct errmsg *why);

/* The next client, which doesn't block: a descriptor, or -errno (-EAGAIN: none is waiting). */
MUST_CHECK int unix_socket_accept(const struct unix_socket *listener);

/* Removes the socket file too. */
void unix_socket_close(struct unix_socket *listener);

/* Connects to who listens at @path: a descriptor that doesn't block, or -errno (-ENOENT, -ECONNREFUSED: nobody). */
MUST_CHECK int unix_socket_connect(const char *path);

/*
 * Which process listens where the connection @fd leads to: its number, or -errno. -EACCES: another user's; -ENOTCONN: it has
 * closed the connection.
 */
MUST_CHECK int unix_socket_peer(int fd);
