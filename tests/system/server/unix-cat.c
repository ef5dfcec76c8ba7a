/*
 * unix-cat SOCKET: standard input to a Unix stream socket, and what comes from there to standard output.
 *
 * Waits up to ten seconds for somebody to listen there. Ends when the other side does; the end of
 * standard input ends only that direction.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ATTEMPTS = 500, ATTEMPT_NS = 20 * 1000 * 1000 };

static int connect_to(const char *path)
{
	const struct timespec pause = { .tv_nsec = ATTEMPT_NS };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path));
	for (int i = 0; i < ATTEMPTS; i++) {
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
		if (errno != ENOENT && errno != ECONNREFUSED)
			return -1;
		nanosleep(&pause, NULL);
	}
	return -1;
}

static int write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			n -= (size_t)written;
		}
	}
	return 0;
}

/* Returns how many bytes were moved: 0 at the end, negative on failure. */
static ssize_t move(int from, int to)
{
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n > 0 && write_all(to, bytes, (size_t)n))
		return -1;
	return n;
}

static int talk(int fd)
{
	struct pollfd ends[] = { { .fd = fd, .events = POLLIN },
				 { .fd = STDIN_FILENO, .events = POLLIN } };
	ssize_t n;

	for (;;) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		if (ends[1].revents && move(STDIN_FILENO, fd) <= 0) {
			shutdown(fd, SHUT_WR);
			ends[1].fd = -1;
		}
		if (!ends[0].revents)
			continue;
		n = move(fd, STDOUT_FILENO);
		if (n <= 0)
			return n ? EXIT_FAILURE : EXIT_SUCCESS;
	}
}

int main(int argc, char *argv[])
{
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: unix-cat SOCKET\n");
		return 2;
	}
	fd = connect_to(argv[1]);
	if (fd < 0) {
		fprintf(stderr, "unix-cat: %s: %s\n", argv[1], strerror(errno));
		return EXIT_FAILURE;
	}
	return talk(fd);
}
