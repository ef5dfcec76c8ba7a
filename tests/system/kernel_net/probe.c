/*
 * The first program on the machine under test: what goes through taps, the bridge and network cards.
 *
 * /etc/tasks names the tasks, a line each; test_kernel_net.py reads what is said, and is the wire where there is one. Frames are
 * made by hand here: there is no other end of the network on this machine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_MAX = 70000,
	WAIT_MS = 20000,
	TRIES = 200,
	TRY_MS = 100,
	STAGES = 4,
	STALL_TRIES = 600,
	BURST = 100,
	ARP_BYTES = 42,
	ETHERTYPE_TEST = 0x88b5, /* IEEE 802 local experimental */
	MEETING = 0xffff,
};

struct tap {
	int fd;
	uint8_t mac[ETH_ALEN];
};

struct frame {
	struct virtio_net_hdr_v1 header;
	uint8_t bytes[FRAME_MAX];
	size_t size;
};

static const uint8_t everybody[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t wire[ETH_ALEN] = { 0x52, 0x54, 0, 0, 0, 0xee };
static const char *task;

static void claim(int holds, const char *what)
{
	printf("%s %s: %s\n", holds ? "PASS" : "FAIL", task, what);
}

static struct tap tap_open(const char *name, uint8_t number)
{
	struct tap tap = { .fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK),
			   .mac = { 0x52, 0x54, 0, 0, 1, number } };
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header_bytes = sizeof(struct virtio_net_hdr_v1);

	strcpy(request.ifr_name, name);
	if (tap.fd < 0 || ioctl(tap.fd, TUNSETIFF, &request) ||
	    ioctl(tap.fd, TUNSETVNETHDRSZ, &header_bytes))
		printf("FAIL %s: tap %s: %s\n", task, name, strerror(errno));
	return tap;
}

static int tap_send(const struct tap *tap, const struct frame *frame)
{
	return write(tap->fd, frame, sizeof(frame->header) + frame->size) ==
	       (ssize_t)(sizeof(frame->header) + frame->size);
}

/* 0: nothing in time. */
static int tap_receive(const struct tap *tap, struct frame *frame, int wait_ms)
{
	struct pollfd pollfd = { .fd = tap->fd, .events = POLLIN };
	ssize_t got;

	if (wait_ms && poll(&pollfd, 1, wait_ms) != 1)
		return 0;
	got = read(tap->fd, frame, sizeof(frame->header) + FRAME_MAX);
	frame->size = got > 0 ? (size_t)got - sizeof(frame->header) : 0;
	return got > 0;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint16_t sum(const uint8_t *bytes, size_t size, uint32_t begin)
{
	for (size_t i = 0; i < size; i++)
		begin += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (begin >> 16)
		begin = (begin & 0xffff) + (begin >> 16);
	return (uint16_t)begin;
}

static uint8_t *begin_frame(struct frame *frame, const uint8_t *to, const struct tap *from,
			    uint16_t type)
{
	memset(&frame->header, 0, sizeof(frame->header));
	memcpy(frame->bytes, to, ETH_ALEN);
	memcpy(frame->bytes + ETH_ALEN, from->mac, ETH_ALEN);
	put16(frame->bytes + 12, type);
	frame->size = ETH_HLEN;
	return frame->bytes + ETH_HLEN;
}

/* --- the gateway of QEMU's user network answers --- */

static int resolve(const struct tap *tap, struct in_addr own, struct in_addr other, uint8_t *mac)
{
	static const uint8_t start[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	static struct frame frame;
	uint8_t *arp = begin_frame(&frame, everybody, tap, ETH_P_ARP);

	memcpy(arp, start, sizeof(start));
	memcpy(arp + 8, tap->mac, ETH_ALEN);
	memcpy(arp + 14, &own, 4);
	memset(arp + 18, 0, ETH_ALEN);
	memcpy(arp + 24, &other, 4);
	frame.size = ARP_BYTES;
	if (!tap_send(tap, &frame))
		return 0;
	while (tap_receive(tap, &frame, WAIT_MS)) {
		if (get16(frame.bytes + 12) != ETH_P_ARP || get16(arp + 6) != 2 ||
		    memcmp(arp + 14, &other, 4))
			continue;
		memcpy(mac, arp + 8, ETH_ALEN);
		return 1;
	}
	return 0;
}

enum { ECHO_BYTES = 1000 };

static uint8_t *put_ipv4(uint8_t *ip, struct in_addr from, struct in_addr to, uint8_t protocol,
			 size_t payload)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(20 + payload));
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, &from, 4);
	memcpy(ip + 16, &to, 4);
	put16(ip + 10, (uint16_t)~sum(ip, 20, 0));
	return ip + 20;
}

static int ping(const struct tap *tap, struct in_addr own, struct in_addr other, const uint8_t *mac,
		uint16_t sequence)
{
	static struct frame frame;
	uint8_t *ip = begin_frame(&frame, mac, tap, ETH_P_IP);
	uint8_t *icmp = put_ipv4(ip, own, other, IPPROTO_ICMP, 8 + ECHO_BYTES);

	memset(icmp, 0, 8);
	icmp[0] = 8;
	put16(icmp + 4, 0x4242);
	put16(icmp + 6, sequence);
	for (int i = 0; i < ECHO_BYTES; i++)
		icmp[8 + i] = (uint8_t)(i * 7 + sequence);
	put16(icmp + 2, (uint16_t)~sum(icmp, 8 + ECHO_BYTES, 0));
	frame.size = (size_t)(icmp + 8 + ECHO_BYTES - frame.bytes);
	if (!tap_send(tap, &frame))
		return 0;
	while (tap_receive(tap, &frame, WAIT_MS)) {
		if (get16(frame.bytes + 12) != ETH_P_IP || ip[9] != IPPROTO_ICMP || icmp[0] != 0 ||
		    get16(icmp + 6) != sequence)
			continue;
		for (int i = 0; i < ECHO_BYTES; i++)
			if (icmp[8 + i] != (uint8_t)(i * 7 + sequence))
				return 0;
		return sum(icmp, 8 + ECHO_BYTES, 0) == 0xffff;
	}
	return 0;
}

static void gateway(const char *own_text, const char *other_text)
{
	struct tap tap = tap_open("tap%d", 1);
	struct in_addr own, other;
	uint8_t mac[ETH_ALEN];
	uint16_t answers = 0;

	inet_aton(own_text, &own);
	inet_aton(other_text, &other);
	claim(resolve(&tap, own, other, mac), "the gateway tells its address");
	for (uint16_t i = 0; i < 5; i++)
		answers = (uint16_t)(answers + ping(&tap, own, other, mac, i));
	claim(answers == 5, "the gateway answers echo requests");
	close(tap.fd);
}

/* --- frames of this test's own --- */

static void send_test(const struct tap *from, const uint8_t *to, uint16_t number)
{
	static struct frame frame;

	put16(begin_frame(&frame, to, from, ETHERTYPE_TEST), number);
	frame.size = 60;
	if (!tap_send(from, &frame))
		printf("FAIL %s: write: %s\n", task, strerror(errno));
}

static int is_from_wire(const struct frame *frame)
{
	return get16(frame->bytes + 12) == ETHERTYPE_TEST &&
	       !memcmp(frame->bytes + ETH_ALEN, wire, ETH_ALEN);
}

/* Opens a tap and calls until the wire, which may come up later, answers. */
static struct tap tap_meet(const char *name)
{
	struct tap tap = tap_open(name, 1);
	static struct frame frame;

	for (int i = 0; i < TRIES; i++) {
		send_test(&tap, everybody, MEETING);
		if (tap_receive(&tap, &frame, TRY_MS) && is_from_wire(&frame))
			return tap;
	}
	claim(0, "the wire answers");
	return tap;
}

/* --- a flood leaves others their share --- */

enum { FLOOD = 5000, HONEST = 50 };

static void fair(void)
{
	struct tap flooder = tap_open("flooder", 1), honest = tap_open("honest", 2),
		   sink = tap_open("sink", 3);
	int got = 0, of_honest = 0, in_order = 1, last_honest = 0;
	static struct frame frame;

	for (int i = 0; i < FLOOD; i++)
		send_test(&flooder, sink.mac, (uint16_t)i);
	for (int i = 0; i < HONEST; i++)
		send_test(&honest, sink.mac, (uint16_t)i);
	for (int i = 0; i < FLOOD; i++)
		send_test(&flooder, sink.mac, (uint16_t)i);
	while (tap_receive(&sink, &frame, 0)) {
		got++;
		if (memcmp(frame.bytes + ETH_ALEN, honest.mac, ETH_ALEN))
			continue;
		in_order &= get16(frame.bytes + ETH_HLEN) == of_honest++;
		last_honest = got;
	}
	claim(of_honest == HONEST && in_order, "who sends little loses nothing");
	claim(got < 2 * FLOOD && got > HONEST, "who floods loses the rest");
	claim(last_honest < 4 * HONEST, "who sends little doesn't wait for the flood");
	printf("NET fair: %d received, the last of the honest was number %d\n", got, last_honest);
	close(flooder.fd);
	close(honest.fd);
	close(sink.fd);
}

/* --- frames that are to be cut --- */

enum { PAYLOAD = 30000, SEGMENT = 1400, TCP_BYTES = 20 };

static void fill_tcp(uint8_t *tcp, uint16_t pseudo)
{
	memset(tcp, 0, TCP_BYTES);
	put16(tcp, 1000);
	put16(tcp + 2, 2000);
	put16(tcp + 4, 0xffff);
	put16(tcp + 6, 0xf000); /* the sequence wraps on the way */
	tcp[12] = 5 << 4;
	tcp[13] = 0x80 | 0x18 | 1; /* CWR, ACK, PSH, FIN */
	put16(tcp + 16, pseudo);
	for (int i = 0; i < PAYLOAD; i++)
		tcp[TCP_BYTES + i] = (uint8_t)(i * 11 + (i >> 8));
}

static void send_large(const struct tap *tap, struct frame *frame, uint8_t *tcp, uint8_t type)
{
	frame->header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	frame->header.gso_type = type;
	frame->header.gso_size = SEGMENT;
	frame->header.csum_start = (uint16_t)(tcp - frame->bytes);
	frame->header.csum_offset = 16;
	frame->header.hdr_len = (uint16_t)(frame->header.csum_start + TCP_BYTES);
	frame->size = (size_t)(tcp + TCP_BYTES + PAYLOAD - frame->bytes);
	claim(tap_send(tap, frame), "a large frame is taken");
}

static void segments4(const struct tap *tap)
{
	struct in_addr from = { htonl(0x0a000001) }, to = { htonl(0x0a000002) };
	static struct frame frame;
	uint8_t *ip = begin_frame(&frame, wire, tap, ETH_P_IP);
	uint8_t *tcp = put_ipv4(ip, from, to, IPPROTO_TCP, TCP_BYTES + PAYLOAD);

	put16(ip + 4, 0xfffe);
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~sum(ip, 20, 0));
	fill_tcp(tcp, sum(ip + 12, 8, IPPROTO_TCP + TCP_BYTES + PAYLOAD));
	send_large(tap, &frame, tcp, VIRTIO_NET_HDR_GSO_TCPV4);
}

static void segments6(const struct tap *tap)
{
	static struct frame frame;
	uint8_t *ip = begin_frame(&frame, wire, tap, ETH_P_IPV6), *tcp = ip + 40;

	memset(ip, 0, 40);
	ip[0] = 0x60;
	put16(ip + 4, TCP_BYTES + PAYLOAD);
	ip[6] = IPPROTO_TCP;
	ip[7] = 64;
	ip[8] = ip[24] = 0xfd;
	ip[23] = 1;
	ip[39] = 2;
	fill_tcp(tcp, sum(ip + 8, 32, IPPROTO_TCP + TCP_BYTES + PAYLOAD));
	send_large(tap, &frame, tcp, VIRTIO_NET_HDR_GSO_TCPV6);
}

/* The wire answers when it has seen all, so that the machine isn't switched off before. */
static void segments(void)
{
	struct tap tap = tap_meet("seg0");
	static struct frame frame;

	segments4(&tap);
	segments6(&tap);
	claim(tap_receive(&tap, &frame, WAIT_MS), "the wire has got them");
	close(tap.fd);
}

static void set_offloads(const struct tap *tap, unsigned long flags)
{
	if (ioctl(tap->fd, TUNSETOFFLOAD, flags))
		printf("FAIL %s: TUNSETOFFLOAD: %s\n", task, strerror(errno));
}

static int is_payload(const uint8_t *bytes, size_t size, size_t done)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != (uint8_t)((done + i) * 11 + ((done + i) >> 8)))
			return 0;
	return 1;
}

enum { IP_AT = ETH_HLEN, TCP_AT = IP_AT + 20, DATA_AT = TCP_AT + TCP_BYTES };

static int is_tcp_right(const struct frame *frame)
{
	uint32_t size = (uint32_t)frame->size - TCP_AT;
	const uint8_t *ip = frame->bytes + IP_AT;

	return sum(ip, 20, 0) == 0xffff &&
	       sum(frame->bytes + TCP_AT, size, sum(ip + 12, 8, IPPROTO_TCP + size)) == 0xffff;
}

/* The wire sends the same large frame twice: it is taken whole, and then cut and summed. */
static void large(void)
{
	struct tap tap = tap_meet("large0");
	static struct frame frame;
	size_t done = 0;
	int right = 1;

	set_offloads(&tap, TUN_F_CSUM | TUN_F_TSO4);
	send_test(&tap, everybody, 0);
	claim(tap_receive(&tap, &frame, WAIT_MS) && frame.size == DATA_AT + PAYLOAD,
	      "a large frame comes in one piece");
	claim(frame.header.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 &&
		      frame.header.gso_size == SEGMENT &&
		      frame.header.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		      frame.header.csum_start == TCP_AT && frame.header.csum_offset == 16,
	      "its header says what is left to do");
	claim(is_payload(frame.bytes + DATA_AT, PAYLOAD, 0), "its payload is right");
	set_offloads(&tap, 0);
	send_test(&tap, everybody, 1);
	while (done < PAYLOAD && tap_receive(&tap, &frame, WAIT_MS)) {
		size_t size = frame.size - DATA_AT;

		right &= is_tcp_right(&frame) && is_payload(frame.bytes + DATA_AT, size, done);
		right &= !frame.header.flags && !frame.header.gso_type;
		done += size;
	}
	claim(done == PAYLOAD && right, "it is cut for who doesn't take it");
	close(tap.fd);
}

/* --- cables that are pulled --- */

/* Calls, saying the number of the stage, until the wire answers with it: then comes the next one. */
static void links(void)
{
	struct tap tap = tap_open("link0", 1);
	static struct frame frame;
	uint8_t stage = 0;

	for (int i = 0; i < TRIES && stage < STAGES; i++) {
		send_test(&tap, everybody, stage);
		if (!tap_receive(&tap, &frame, TRY_MS) || !is_from_wire(&frame) ||
		    frame.bytes[ETH_HLEN] != stage)
			continue;
		printf("NET links: stage %d was answered\n", stage);
		stage++;
	}
	claim(stage == STAGES, "all stages were answered");
	close(tap.fd);
}

/* --- echo: what comes is sent back; one more frame says that it has arrived --- */

static void echo(int count)
{
	struct tap tap = tap_meet("echo0");
	static struct frame frame;
	int done = 0;

	while (done < count && tap_receive(&tap, &frame, WAIT_MS)) {
		if (!is_from_wire(&frame))
			continue;
		memcpy(frame.bytes, wire, ETH_ALEN);
		memcpy(frame.bytes + ETH_ALEN, tap.mac, ETH_ALEN);
		done += tap_send(&tap, &frame);
	}
	claim(done == count && tap_receive(&tap, &frame, WAIT_MS), "all were sent back");
	close(tap.fd);
}

/* --- a card that stops sending --- */

/* Sends as much as it can until a wire answers. */
static void stall(void)
{
	struct tap tap = tap_open("stall0", 1);
	static struct frame frame;
	int is_answered = 0;

	for (int i = 0; i < STALL_TRIES && !is_answered; i++) {
		for (int j = 0; j < BURST; j++) {
			put16(begin_frame(&frame, everybody, &tap, ETHERTYPE_TEST), MEETING);
			frame.size = ETH_FRAME_LEN;
			(void)tap_send(&tap, &frame);
		}
		is_answered = tap_receive(&tap, &frame, TRY_MS) && is_from_wire(&frame);
	}
	claim(is_answered, "another card stands in");
	close(tap.fd);
}

/* --- two guests, each on a monitor of its own --- */

/* Both know the other's address; the second one fetches a file of the first's, and says when it has. */
#define NETWORK(address) "ip address add 10.0.0." address "/24 dev eth0; ip link set eth0 up; "
static const char *const guests[][2] = {
	{ "a", NETWORK("11") "dd if=/dev/urandom of=/tmp/file bs=1M count=8 2> /dev/null; "
			     "md5sum < /tmp/file; httpd -p 5000 -h /tmp; nc -l -p 6000" },
	{ "b",
	  NETWORK("12") "until ping -c 1 -W 2 10.0.0.11 > /dev/null; do true; done; "
			"until nc 10.0.0.11 5000 < /dev/null; do sleep 1; done; "
			"wget -q -O /tmp/file http://10.0.0.11:5000/file; md5sum < /tmp/file; "
			"ping -c 3 -W 30 10.0.0.1; cat /proc/net/dev; echo bye | nc 10.0.0.11 6000" },
};

static pid_t start_guest(const char *name, const char *commands)
{
	char console[32], cmdline[1024], net[32];
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(console, sizeof(console), "file:/tmp/%s", name);
	snprintf(net, sizeof(net), "tap=tap-%s", name);
	snprintf(cmdline, sizeof(cmdline),
		 "console=ttyS0 quiet tsc=reliable no_timer_check lsm= 8250.nr_uarts=1 "
		 "tiny.run=\"%s\"",
		 commands);
	execl("/sbin/bhvm", "bhvm", "--name", name, "--kernel", "/guest/vmlinux", "--initrd",
	      "/guest/initrd", "--memory", "192M", "--cmdline", cmdline, "--net", net, "--console",
	      console, NULL);
	_exit(127);
}

static void show_file(const char *prefix, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		printf("%s %s", prefix, line);
	if (file)
		fclose(file);
}

static void run_guests(void)
{
	int right = 0, status;

	for (int i = 0; i < 2; i++)
		start_guest(guests[i][0], guests[i][1]);
	while (wait(&status) > 0)
		right += !status;
	claim(right == 2, "both guests have run and powered off");
	show_file("A", "/tmp/a");
	show_file("B", "/tmp/b");
}

int main(void)
{
	char name[16], a[32], b[32], line[128];
	FILE *list = fopen("/etc/tasks", "r");

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (list && fgets(line, sizeof(line), list)) {
		int words = sscanf(line, "%15s %31s %31s", name, a, b);

		task = name;
		if (words == 3 && !strcmp(name, "gateway"))
			gateway(a, b);
		else if (words == 2 && !strcmp(name, "echo"))
			echo(atoi(a));
		else if (!strcmp(name, "fair"))
			fair();
		else if (!strcmp(name, "segments"))
			segments();
		else if (!strcmp(name, "guests"))
			run_guests();
		else if (!strcmp(name, "stall"))
			stall();
		else if (!strcmp(name, "large"))
			large();
		else if (!strcmp(name, "links"))
			links();
		else
			printf("FAIL no such task: %s\n", line);
	}
	show_file("NET", "/proc/net/dev");
	printf("DONE\n");
	reboot(RB_POWER_OFF);
	return 1;
}
