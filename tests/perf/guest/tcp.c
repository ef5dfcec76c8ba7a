/*
 * TCP between the guest and the server that it runs on, or another guest: a byte there and back, and
 * a stream each way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/perf/guest/figures.h"
#include "tests/perf/guest/jobs.h"
#include "tests/perf/peer.h"

enum {
	ROUND_TRIPS = 2000,
	STREAM_BYTES = 64 << 20,
	ROUNDS = 3,

	CONNECT_TRIES = 600, /* the other guest may still be booting */
	TRY_AGAIN_US = 100000,
};

static char chunk[PEER_CHUNK_BYTES];

static struct sockaddr_in address_of(const char *text, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = inet_addr(text) };
}

static int set_address(int fd, unsigned long request, const char *text)
{
	struct ifreq ifreq = { .ifr_name = "eth0" };
	struct sockaddr_in address = address_of(text, 0);

	memcpy(&ifreq.ifr_addr, &address, sizeof(address));
	return ioctl(fd, request, &ifreq);
}

static int bring_up(const char *own_address)
{
	struct ifreq flags = { .ifr_name = "eth0", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return complain("socket");
	if (set_address(fd, SIOCSIFADDR, own_address) < 0 ||
	    set_address(fd, SIOCSIFNETMASK, GUEST_NETMASK) < 0 ||
	    ioctl(fd, SIOCSIFFLAGS, &flags) < 0)
		err = complain("eth0");
	close(fd);
	return err;
}

static int connect_once(void)
{
	struct sockaddr_in address = address_of(PEER_ADDRESS, PEER_PORT);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0 || !connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static int connect_for(char what)
{
	int one = 1;
	int fd = connect_once();

	for (int i = 0; fd < 0 && i < CONNECT_TRIES; i++) {
		usleep(TRY_AGAIN_US);
		fd = connect_once();
	}
	if (fd >= 0 && !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) &&
	    write(fd, &what, 1) == 1)
		return fd;
	return complain("connection to the peer");
}

static int time_round_trips(int fd)
{
	struct figures trips = { 0 };
	char byte = 1;

	for (int i = 0; i < ROUND_TRIPS; i++) {
		uint64_t start = now();

		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			return complain("round trip");
		figures_add(&trips, now() - start);
	}
	figures_say(&trips, "tcp-round-trip");
	return 0;
}

/* Until the last byte has arrived, which the peer confirms. */
static int time_send(int fd)
{
	uint64_t start = now();
	char byte;

	for (uint64_t sent = 0; sent < STREAM_BYTES;) {
		ssize_t n = write(fd, chunk, sizeof(chunk));

		if (n <= 0)
			return complain("send");
		sent += (uint64_t)n;
	}
	if (shutdown(fd, SHUT_WR) < 0 || read(fd, &byte, 1) != 1)
		return complain("send");
	rate_say("tcp-send", STREAM_BYTES, now() - start);
	return 0;
}

static int time_receive(int fd)
{
	uint64_t start = now();

	for (uint64_t received = 0; received < STREAM_BYTES;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n <= 0)
			return complain("receive");
		received += (uint64_t)n;
	}
	rate_say("tcp-receive", STREAM_BYTES, now() - start);
	return 0;
}

static int time_connection(char what, int (*job)(int fd))
{
	int fd = connect_for(what);
	int err;

	if (fd < 0)
		return fd;
	err = job(fd);
	close(fd);
	return err;
}

int job_tcp(void)
{
	int err = bring_up(GUEST_ADDRESS);

	if (!err)
		err = time_connection(PEER_ECHO, time_round_trips);
	for (int i = 0; i < ROUNDS && !err; i++)
		err = time_connection(PEER_SINK, time_send);
	for (int i = 0; i < ROUNDS && !err; i++)
		err = time_connection(PEER_SOURCE, time_receive);
	return err;
}

int job_peer(void)
{
	int err = bring_up(PEER_ADDRESS);

	return err ? err : peer_serve();
}
