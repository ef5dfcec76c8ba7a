/*
 * The far end of the TCP figures: see peer.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/perf/peer.h"

static char chunk[PEER_CHUNK_BYTES];

static void echo(int fd)
{
	ssize_t n;

	do {
		n = read(fd, chunk, sizeof(chunk));
	} while (n > 0 && write(fd, chunk, (size_t)n) == n);
}

static void sink(int fd)
{
	ssize_t n;

	do {
		n = read(fd, chunk, sizeof(chunk));
	} while (n > 0);
	if (!n && write(fd, chunk, 1) != 1)
		perror("tcp-peer");
}

static void source(int fd)
{
	while (write(fd, chunk, sizeof(chunk)) > 0)
		;
}

static void serve(int fd)
{
	int one = 1;
	char wish;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (read(fd, &wish, 1) != 1)
		return;
	switch (wish) {
	case PEER_ECHO:
		echo(fd);
		break;
	case PEER_SINK:
		sink(fd);
		break;
	case PEER_SOURCE:
		source(fd);
		break;
	}
}

static int listen_on(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		return -1;
	return fd;
}

int peer_serve(void)
{
	int listener = listen_on(PEER_PORT);

	signal(SIGPIPE, SIG_IGN);
	while (listener >= 0) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			break;
		serve(fd);
		close(fd);
	}
	perror("tcp-peer");
	return -errno;
}
