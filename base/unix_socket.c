/*
 * Unix stream sockets: see unix_socket.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unix_socket.h"

enum { WAITING_CLIENTS = 8 };

static int socket_create(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int socket_bind(int fd, const struct sockaddr_un *address)
{
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* Only a refused connection proves that nobody listens. */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat status;
	bool is_refused;
	int fd;

	if (lstat(address->sun_path, &status) || !S_ISSOCK(status.st_mode))
		return false; /* connecting to a plain file is refused as well */
	fd = socket_create();
	if (fd < 0)
		return false;
	is_refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		     errno == ECONNREFUSED;
	close(fd);
	return is_refused;
}

static int bind_or_replace(int fd, const struct sockaddr_un *address)
{
	int err = socket_bind(fd, address);

	if (err != -EADDRINUSE || !is_stale(address))
		return err;
	if (unlink(address->sun_path) < 0)
		return -errno;
	return socket_bind(fd, address);
}

int unix_socket_listen(struct unix_socket *listener, const char *path, struct errmsg *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return errmsg_user(why, -ENAMETOOLONG,
				   "%s: expected a socket's path of at most %zu bytes", path,
				   sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));

	fd = socket_create();
	if (fd < 0)
		return errmsg_system(why, fd, "can't create a socket: %s", strerror(-fd));

	/* Before bind(), which takes the file's mode from here: there is no moment in which it is wider. */
	err = fchmod(fd, S_IRUSR | S_IWUSR) < 0 ? -errno : bind_or_replace(fd, &address);
	if (!err && listen(fd, WAITING_CLIENTS) < 0)
		err = -errno;
	if (err) {
		close(fd);
		if (err == -EADDRINUSE)
			return errmsg_user(
				why, err,
				"%s: exists; another process listens there, or it isn't a socket",
				path);
		return errmsg_user(why, err, "%s: can't listen there: %s", path, strerror(-err));
	}
	*listener = (struct unix_socket){ .fd = fd, .address = address };
	return 0;
}

int unix_socket_accept(const struct unix_socket *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void unix_socket_close(struct unix_socket *listener)
{
	close(listener->fd);
	unlink(listener->address.sun_path);
}

int unix_socket_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket_create();
	if (fd < 0 || !connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static bool is_closed(int fd)
{
	char byte;

	return !recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
}

int unix_socket_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (is_closed(fd))
		return -ENOTCONN;
	return peer.uid == geteuid() && peer.pid > 0 ? peer.pid : -EACCES;
}
