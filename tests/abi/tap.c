/*
 * /dev/net/tun: taps, and frames between two of them.
 *
 * On Linux the bridge is made by whoever runs this program, in a network of its own, with two taps on it that outlive
 * their descriptors: abi0 and abi1. The Bulkhead kernel has a bridge that all taps are on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/abi.h"

enum {
	TAP = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	HEADER = sizeof(struct virtio_net_hdr_v1),
	SMALL = 60,
	LARGE = 20000,
	TYPE = 0x88b5, /* IEEE 802 local experimental */
	TRIES = 100,
	TRY_MS = 20,
};

struct frame {
	struct virtio_net_hdr_v1 header;
	uint8_t bytes[66000];
};

static struct frame sent, got;

static int open_tun(void)
{
	return open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

static long set_interface(int fd, const char *name, int flags, char out[IFNAMSIZ])
{
	struct ifreq request = { .ifr_flags = (short)flags };
	long done;

	memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ)); /* terminated or not */
	done = ioctl(fd, TUNSETIFF, &request);
	if (out)
		memcpy(out, request.ifr_name, IFNAMSIZ);
	return done;
}

static int attach(const char *name)
{
	int fd = open_tun(), size = HEADER;

	WORKED(set_interface(fd, name, TAP, NULL));
	RESULT(ioctl(fd, TUNSETVNETHDRSZ, &size));
	return fd;
}

static void events_of(const char *what, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLOUT };

	poll(&pollfd, 1, 0);
	say("%s: %#x", what, pollfd.revents);
}

/* --- names and requests --- */

static void unattached(void)
{
	int fd = (int)WORKED(open_tun()), size = 12;
	struct ifreq request = { 0 };
	unsigned int features = 0;
	struct stat status;
	char byte = 0;

	fstat(fd, &status);
	say("character device: %d, number %u:%u", S_ISCHR(status.st_mode), major(status.st_rdev),
	    minor(status.st_rdev));
	RESULT(read(fd, &byte, 1));
	RESULT(write(fd, &byte, 1));
	RESULT(ioctl(fd, TUNGETIFF, &request));
	RESULT(ioctl(fd, TUNSETVNETHDRSZ, &size));
	RESULT(ioctl(fd, TUNGETVNETHDRSZ, &size));
	RESULT(ioctl(fd, TUNSETOFFLOAD, 0));
	RESULT(ioctl(fd, TUNSETPERSIST, 0));
	RESULT(ioctl(fd, 0x1234, 0));
	RESULT(ioctl(fd, TUNSETIFF, BAD_POINTER));
	RESULT(ioctl(fd, TUNGETFEATURES, BAD_POINTER));
	RESULT(ioctl(fd, TUNGETFEATURES, &features));
	say("features: %#x", features & TAP);
	RESULT(lseek(fd, 0, SEEK_SET));
	events_of("unattached", fd);
	close(fd);
}

static void names(void)
{
	static const char *const bad[] = { ".", "..", "a/b", "a b", "a:b", "a\tb", "a%s", "%d%d" };
	int a = open_tun(), b = open_tun();
	struct ifreq request = { 0 };
	char name[IFNAMSIZ];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		RESULT(set_interface(a, bad[i], TAP, NULL));
	RESULT(set_interface(a, "", IFF_NO_PI, NULL));
	WORKED(set_interface(a, "xy%dz", TAP, name));
	say("it is %s", name);
	RESULT(set_interface(a, "other", TAP, NULL));
	RESULT(set_interface(b, "xy0z", TAP, NULL));
	WORKED(set_interface(b, "xy%dz", TAP, name));
	say("it is %s", name);
	RESULT(ioctl(a, TUNGETIFF, &request));
	say("%s, %#x", request.ifr_name, (unsigned short)request.ifr_flags);
	close(a);
	a = open_tun();
	WORKED(set_interface(a, "xy%dz", TAP, name));
	say("the lowest number again: %s", name);
	close(a);
	a = open_tun();
	WORKED(set_interface(a, "xy0z", TAP, name));
	close(a);
	a = open_tun();
	WORKED(set_interface(a, "", TAP, name));
	say("it is %s", name);
	close(a);
	a = open_tun();
	WORKED(set_interface(a, "fifteen-letters-and-more", TAP, name));
	say("it is %s", name);
	close(a);
	close(b);
}

static void requests(void)
{
	int fd = attach("abi0"), size = 0;

	RESULT(ioctl(fd, TUNGETVNETHDRSZ, &size));
	say("header: %d", size);
	size = 9;
	RESULT(ioctl(fd, TUNSETVNETHDRSZ, &size));
	size = 10;
	RESULT(ioctl(fd, TUNSETVNETHDRSZ, &size));
	RESULT(ioctl(fd, TUNSETVNETHDRSZ, BAD_POINTER));
	RESULT(ioctl(fd, TUNGETVNETHDRSZ, BAD_POINTER));
	for (unsigned long flags = 0; flags < 32; flags++)
		say("offloads %#lx: %d", flags, ioctl(fd, TUNSETOFFLOAD, flags));
	RESULT(ioctl(fd, TUNSETOFFLOAD, 1ul << 31));
	RESULT(ioctl(fd, 0x1234, 0));
	close(fd);
}

/* --- frames --- */

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void begin_frame(uint8_t to, uint8_t from, unsigned int type)
{
	static const uint8_t station[5] = { 0x52, 0x54, 0, 0, 2 };

	memset(&sent, 0, HEADER + ETH_HLEN);
	memset(sent.bytes, 0xff, ETH_ALEN);
	if (to != 0xff) {
		memcpy(sent.bytes, station, sizeof(station));
		sent.bytes[5] = to;
	}
	memcpy(sent.bytes + ETH_ALEN, station, sizeof(station));
	sent.bytes[ETH_ALEN + 5] = from;
	put16(sent.bytes + 12, type);
	for (size_t i = ETH_HLEN; i < sizeof(sent.bytes); i++)
		sent.bytes[i] = (uint8_t)(i * 7 + (i >> 8));
}

static long send_frame(int fd, size_t size)
{
	return write(fd, &sent, HEADER + size);
}

/* The next frame that this program sent: Linux has some of its own on a bridge. */
static long receive(int fd, size_t room)
{
	for (int i = 0; i < TRIES; i++) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		long size;

		memset(&got, 0, HEADER + ETH_HLEN);
		if (poll(&pollfd, 1, TRY_MS) != 1)
			continue;
		size = read(fd, &got, room);
		if (size < HEADER + ETH_HLEN || !memcmp(got.bytes + 6, sent.bytes + 6, 4))
			return size;
	}
	return 0;
}

static void say_frame(const char *what, int fd, size_t room)
{
	long size = receive(fd, room);
	size_t bytes = size > HEADER ? (size_t)size - HEADER : 0;

	say("%s: %ld bytes, flags %d, gso %d of %d, checksum from %d at %d, %s", what, size,
	    got.header.flags, got.header.gso_type, got.header.gso_size, got.header.csum_start,
	    got.header.csum_offset, memcmp(got.bytes, sent.bytes, bytes) ? "changed" : "the same");
}

/* A bridge's new port may take a moment on Linux. */
static void warm_up(int a, int b)
{
	struct pollfd pollfd = { .fd = b, .events = POLLIN };
	int i = 0;

	do {
		begin_frame(0xff, 1, TYPE);
		send_frame(a, SMALL);
	} while (poll(&pollfd, 1, TRY_MS) != 1 && i++ < TRIES);
	sleep_ms(TRY_MS);
	while (read(b, &got, sizeof(got)) > 0)
		;
}

static void wrong_frames(int fd)
{
	begin_frame(0xff, 1, TYPE);
	RESULT(write(fd, &sent, 0));
	RESULT(write(fd, &sent, HEADER - 1));
	RESULT(write(fd, &sent, HEADER));
	RESULT(send_frame(fd, ETH_HLEN - 1));
	RESULT(write(fd, BAD_POINTER, HEADER + SMALL));
	sent.header.hdr_len = SMALL + HEADER;
	RESULT(send_frame(fd, SMALL));
	sent.header.hdr_len = 1;
	RESULT(send_frame(fd, SMALL));
	sent.header.hdr_len = 0;
	sent.header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	sent.header.csum_start = 34;
	sent.header.csum_offset = SMALL - 34 - 1;
	RESULT(send_frame(fd, SMALL));
	sent.header.csum_start = 65535;
	sent.header.csum_offset = 65535;
	RESULT(send_frame(fd, SMALL));
	sent.header.flags = 0;
	sent.header.gso_type = 2;
	sent.header.gso_size = 100;
	RESULT(send_frame(fd, SMALL));
	sent.header.gso_type = VIRTIO_NET_HDR_GSO_ECN;
	RESULT(send_frame(fd, SMALL));
	sent.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	sent.header.gso_size = 0;
	RESULT(send_frame(fd, SMALL));
}

static void plain_frames(int a, int b)
{
	struct iovec pieces[3] = { { &sent, 5 },
				   { (char *)&sent + 5, 20 },
				   { sent.bytes + 13, 1 } };

	begin_frame(0xff, 1, TYPE);
	RESULT(send_frame(a, SMALL));
	say_frame("to everybody", b, sizeof(got));
	begin_frame(1, 2, TYPE);
	RESULT(send_frame(b, SMALL));
	say_frame("to one that is known", a, sizeof(got));
	begin_frame(2, 1, TYPE);
	RESULT(send_frame(a, ETH_FRAME_LEN));
	events_of("waiting", b);
	say_frame("the longest", b, sizeof(got));
	events_of("taken", b);
	RESULT(send_frame(a, 500));
	say_frame("with room for a part", b, 100);
	RESULT(read(b, &got, sizeof(got)));
	RESULT(send_frame(a, SMALL));
	RESULT(send_frame(a, SMALL));
	sleep_ms(TRY_MS);
	RESULT(read(b, &got, 0));
	RESULT(read(b, &got, HEADER - 1));
	say_frame("the next", b, sizeof(got));
	RESULT(writev(a, pieces, 3));
	say_frame("of pieces", b, sizeof(got));
	/* What is behind a port isn't sent back to it. */
	begin_frame(1, 1, TYPE);
	RESULT(send_frame(a, SMALL));
	begin_frame(2, 0x81, TYPE);
	sent.bytes[6] |= 1;
	RESULT(send_frame(a, SMALL));
	begin_frame(2, 1, TYPE);
	memcpy(sent.bytes, "\x01\x80\xc2\0\0\x0e", ETH_ALEN);
	RESULT(send_frame(a, SMALL));
	begin_frame(2, 1, TYPE);
	RESULT(send_frame(a, 1600));
	RESULT(send_frame(a, SMALL + 1));
	say_frame("only the last", b, sizeof(got));
}

enum { IP = ETH_HLEN, TCP = IP + 20, PAYLOAD = TCP + 20 };

static unsigned int sum(const uint8_t *bytes, size_t size, unsigned int value)
{
	for (size_t i = 0; i < size; i++)
		value += i % 2 ? bytes[i] : (unsigned int)bytes[i] << 8;
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return value;
}

/* TCP in IPv4, its checksum left open. */
static void begin_tcp(size_t size)
{
	static const uint8_t ip[] = { 0x45, 0, 0,  0, 0, 1, 0,	0, 64, 6,
				      0,    0, 10, 0, 0, 1, 10, 0, 0,  2 };

	begin_frame(2, 1, ETH_P_IP);
	memcpy(sent.bytes + IP, ip, sizeof(ip));
	put16(sent.bytes + IP + 2, (unsigned int)(size - IP));
	put16(sent.bytes + IP + 10, ~sum(sent.bytes + IP, 20, 0));
	memset(sent.bytes + TCP, 0, 20);
	sent.bytes[TCP + 12] = 5 << 4;
	sent.bytes[TCP + 13] = 0x10;
	put16(sent.bytes + TCP + 16, sum(sent.bytes + IP + 12, 8, (unsigned int)(6 + size - TCP)));
	sent.header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	sent.header.csum_start = TCP;
	sent.header.csum_offset = 16;
}

static void begin_large(void)
{
	begin_tcp(LARGE);
	sent.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	sent.header.gso_size = 1400;
	sent.header.hdr_len = PAYLOAD;
}

static int is_whole_tcp(long size)
{
	unsigned int tcp_bytes = (unsigned int)size - HEADER - TCP;

	return sum(got.bytes + IP, 20, 0) == 0xffff &&
	       sum(got.bytes + TCP, tcp_bytes, sum(got.bytes + IP + 12, 8, 6 + tcp_bytes)) ==
		       0xffff;
}

static void offloads(int a, int b)
{
	long size, total = 0;
	int count = 0, right = 0;

	RESULT(ioctl(b, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4));
	begin_tcp(1000);
	RESULT(send_frame(a, 1000));
	say_frame("a checksum left open", b, sizeof(got));
	begin_large();
	RESULT(send_frame(a, LARGE));
	say_frame("a large frame", b, sizeof(got));
	RESULT(ioctl(b, TUNSETOFFLOAD, TUN_F_CSUM));
	RESULT(send_frame(a, LARGE));
	while (total < LARGE - PAYLOAD && (size = receive(b, sizeof(got))) > 0) {
		count++;
		total += size - HEADER - PAYLOAD;
	}
	say("cut: %d frames, %ld bytes", count, total);
	RESULT(ioctl(b, TUNSETOFFLOAD, 0));
	RESULT(send_frame(a, LARGE));
	for (total = count = 0; total < LARGE - PAYLOAD && (size = receive(b, sizeof(got))) > 0;) {
		right += is_whole_tcp(size) && !got.header.flags && !got.header.gso_type;
		count++;
		total += size - HEADER - PAYLOAD;
	}
	say("cut and summed: %d frames, %d right, %ld bytes", count, right, total);
	begin_tcp(1000);
	RESULT(send_frame(a, 1000));
	size = receive(b, sizeof(got));
	say("summed: %ld bytes, right %d, flags %d", size, is_whole_tcp(size), got.header.flags);
}

/* --- waiting --- */

static void *send_later(void *argument)
{
	sleep_ms(30);
	begin_frame(2, 1, TYPE);
	send_frame(*(int *)argument, SMALL);
	return NULL;
}

static void waits(int a, int b)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, out[4];
	int set = epoll_create1(0);
	pthread_t thread;

	fcntl(b, F_SETFL, 0);
	pthread_create(&thread, NULL, send_later, &a);
	say("a read that waits: %ld", (long)read(b, &got, sizeof(got)));
	pthread_join(thread, NULL);
	fcntl(b, F_SETFL, O_NONBLOCK);
	RESULT(read(b, &got, sizeof(got)));

	RESULT(epoll_ctl(set, EPOLL_CTL_ADD, b, &event));
	say("nothing: %d", epoll_wait(set, out, 4, 0));
	send_frame(a, SMALL);
	say("edge: %d", epoll_wait(set, out, 4, 1000));
	say("only once: %d", epoll_wait(set, out, 4, 0));
	send_frame(a, SMALL);
	say("each frame is one: %d", epoll_wait(set, out, 4, 1000));
	event.events = EPOLLIN;
	RESULT(epoll_ctl(set, EPOLL_CTL_MOD, b, &event));
	say("level: %d", epoll_wait(set, out, 4, 1000));
	say("still: %d", epoll_wait(set, out, 4, 0));
	say_frame("first", b, sizeof(got));
	say_frame("second", b, sizeof(got));
	say("no more: %d", epoll_wait(set, out, 4, 0));
	close(set);
}

void group_tap(void)
{
	int a, b;

	unattached();
	names();
	requests();
	a = attach("abi0");
	b = attach("abi1");
	RESULT(ioctl(a, TUNSETOFFLOAD, 0));
	RESULT(ioctl(b, TUNSETOFFLOAD, 0));
	RESULT(read(a, &got, sizeof(got)) < 0 && errno == EAGAIN);
	warm_up(a, b);
	events_of("idle", a);
	wrong_frames(a);
	plain_frames(a, b);
	offloads(a, b);
	waits(a, b);
	close(a);
	close(b);
}
