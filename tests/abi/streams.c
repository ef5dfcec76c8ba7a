/*
 * Pipes, Unix sockets, memory files.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/abi/abi.h"

#define PATH "/tmp/abi-socket"

static void events_of(const char *what, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	poll(&pollfd, 1, 0);
	say("%s: %#x", what, pollfd.revents);
}

static long fill(int fd)
{
	static char bytes[4096];
	long total = 0, done;

	while ((done = write(fd, bytes, sizeof(bytes))) > 0)
		total += done;
	return total;
}

static void pipes(void)
{
	int ends[2], available = 0;
	struct stat status;
	char text[128] = "";

	RESULT(pipe2(ends, 12345));
	RESULT(syscall(SYS_pipe2, BAD_POINTER, 0));
	RESULT(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
	say("flags: %d %d", fcntl(ends[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK),
	    fcntl(ends[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	events_of("empty reader", ends[0]);
	events_of("empty writer", ends[1]);
	RESULT(read(ends[0], text, 5));
	RESULT(write(ends[1], "some text", 9));
	RESULT(ioctl(ends[0], FIONREAD, &available));
	say("available: %d", available);
	events_of("reader", ends[0]);
	RESULT(read(ends[0], text, 4));
	RESULT(read(ends[0], text, sizeof(text)));
	say("read: %s", text);
	RESULT(write(ends[0], "x", 1));
	RESULT(read(ends[1], text, 1));
	RESULT(lseek(ends[0], 0, SEEK_SET));
	RESULT(write(ends[1], BAD_POINTER, 4));
	RESULT(write(ends[1], text, 0));
	say("fits: %ld", fill(ends[1]));
	events_of("full writer", ends[1]);
	RESULT(write(ends[1], "x", 1));
	RESULT(read(ends[0], BAD_POINTER, 4));
	RESULT(fstat(ends[0], &status));
	say("fifo: %d", S_ISFIFO(status.st_mode));
	close(ends[1]);
	events_of("writer gone", ends[0]);
	while (read(ends[0], text, sizeof(text)) > 0)
		;
	RESULT(read(ends[0], text, 1));
	events_of("writer gone, empty", ends[0]);
	close(ends[0]);
}

static void *write_much(void *argument)
{
	static char bytes[300000];
	long done;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	done = write(*(int *)argument, bytes, sizeof(bytes));
	close(*(int *)argument);
	return (void *)done;
}

/* More than fits, through blocking ends. */
static void much(const char *what, int reader, int writer)
{
	static char bytes[5000];
	unsigned long total = 0, wrong = 0;
	pthread_t thread;
	void *written;
	long got;

	pthread_create(&thread, NULL, write_much, &writer);
	while ((got = read(reader, bytes, sizeof(bytes))) > 0) {
		for (long i = 0; i < got; i++)
			wrong += bytes[i] != (char)((total + (unsigned long)i) * 7);
		total += (unsigned long)got;
	}
	pthread_join(thread, &written);
	say("%s: wrote %ld, read %lu, wrong %lu", what, (long)written, total, wrong);
	close(reader);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	return name;
}

static void say_name(const char *what, long err, const struct sockaddr_un *name, socklen_t size)
{
	say("%s: %ld, family %d, size %u, path %s", what, err, name->sun_family, size,
	    size > 2 ? name->sun_path : "-");
}

static void named(void)
{
	const struct sockaddr_un name = address(PATH), other = address("/tmp/abi-nobody");
	struct sockaddr_un back = { 0 };
	int server = (int)WORKED(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int client = (int)WORKED(socket(AF_UNIX, SOCK_STREAM, 0)), accepted, value;
	socklen_t size = sizeof(back);
	struct stat status;
	char text[64] = "";

	unlink(PATH);
	events_of("unconnected", client);
	RESULT(listen(server, 5));
	RESULT(connect(client, (const void *)&other, sizeof(other)));
	RESULT(fchmod(server, 0600));
	RESULT(bind(server, (const void *)&name, sizeof(name)));
	RESULT(bind(client, (const void *)&name, sizeof(name)));
	RESULT(connect(client, (const void *)&name, sizeof(name)));
	RESULT(accept4(server, NULL, NULL, 0));
	RESULT(listen(server, 5));
	RESULT(accept4(server, NULL, NULL, 0));
	RESULT(stat(PATH, &status));
	say("a socket: %d", S_ISSOCK(status.st_mode));
	RESULT(open(PATH, O_RDWR));
	events_of("listening", server);
	RESULT(connect(client, (const void *)&name, sizeof(name)));
	RESULT(connect(client, (const void *)&name, sizeof(name)));
	events_of("somebody there", server);
	RESULT(send(client, "early", 5, 0));
	accepted = (int)WORKED(accept4(server, (void *)&back, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
	say("accepted: nonblocking %d, cloexec %d, name %u",
	    (fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0, fcntl(accepted, F_GETFD), size);
	RESULT(recv(accepted, text, sizeof(text), MSG_PEEK));
	RESULT(recv(accepted, text, 3, 0));
	RESULT(read(accepted, text + 3, sizeof(text) - 3));
	say("received: %s", text);
	RESULT(recv(accepted, text, sizeof(text), 0));
	size = sizeof(back);
	say_name("sockname", getsockname(accepted, (void *)&back, &size), &back, size);
	size = sizeof(back);
	say_name("peername", getpeername(client, (void *)&back, &size), &back, size);
	size = sizeof(back);
	say_name("peername", getpeername(accepted, (void *)&back, &size), &back, size);
	RESULT(getpeername(server, (void *)&back, &size));
	size = sizeof(value);
	RESULT(getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &size));
	RESULT(getsockopt(client, SOL_SOCKET, SO_TYPE, &value, &size));
	RESULT(getsockopt(client, SOL_SOCKET, 9999, &value, &size));
	{
		struct ucred peer = { 0 };

		size = sizeof(peer);
		RESULT(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &size));
		say("peer is me: %d", peer.pid == getpid());
	}
	RESULT(write(accepted, "answer", 6));
	RESULT(recv(client, text, sizeof(text), 0));
	RESULT(shutdown(accepted, SHUT_WR));
	events_of("client, peer has said all", client);
	RESULT(recv(client, text, sizeof(text), 0));
	RESULT(send(accepted, "x", 1, MSG_NOSIGNAL));
	RESULT(send(client, "more", 4, 0));
	RESULT(recv(accepted, text, sizeof(text), 0));
	close(client);
	events_of("client closed", accepted);
	RESULT(recv(accepted, text, sizeof(text), 0));
	close(accepted);
	close(server);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	RESULT(connect(client, (const void *)&name, sizeof(name)));
	RESULT(unlink(PATH));
	RESULT(connect(client, (const void *)&name, sizeof(name)));
	RESULT(send(client, "x", 1, MSG_NOSIGNAL));
	RESULT(recv(client, text, 1, 0));
	close(client);
}

static void bad_calls(void)
{
	const struct sockaddr_un name = address(PATH);
	struct sockaddr_un inet = { .sun_family = AF_INET };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), event = eventfd(0, 0);

	RESULT(socket(AF_UNIX, 99, 0));
	RESULT(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0));
	RESULT(socket(AF_UNIX, SOCK_STREAM, 77));
	RESULT(socket(12345, SOCK_STREAM, 0));
	RESULT(bind(99, (const void *)&name, sizeof(name)));
	RESULT(bind(event, (const void *)&name, sizeof(name)));
	RESULT(bind(fd, (const void *)&name, 1));
	RESULT(bind(fd, (const void *)&name, 500));
	RESULT(bind(fd, BAD_POINTER, sizeof(name)));
	RESULT(bind(fd, (const void *)&inet, sizeof(inet)));
	RESULT(listen(event, 1));
	RESULT(shutdown(fd, SHUT_RD));
	RESULT(shutdown(fd, 99));
	RESULT(send(event, "x", 1, 0));
	RESULT(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD_POINTER));
	close(fd);
	close(event);
}

static long send_fds(int socket, const int *fds, size_t count, const char *text)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = "";
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	return sendmsg(socket, &message, 0);
}

static int receive_fds(int socket, int *fds, size_t room)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = "", text[64] = "";
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = room ? CMSG_LEN(room * sizeof(int)) : 0 };
	long got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int count = 0;

	if (got >= 0 && message.msg_controllen >= sizeof(*header) && header) {
		count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(header), (size_t)count * sizeof(int));
	}
	say("received %ld (%s), flags %#x, descriptors %d", got, text,
	    message.msg_flags & MSG_CTRUNC, count);
	return count;
}

static void passing(void)
{
	int pair[2], fds[8], event = eventfd(41, EFD_NONBLOCK);
	uint64_t value = 0;

	RESULT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fds[0] = event;
	fds[1] = 99;
	RESULT(send_fds(pair[0], fds, 2, "bad"));
	RESULT(write(pair[0], "plain", 5));
	fds[1] = event;
	RESULT(send_fds(pair[0], fds, 1, "with one"));
	RESULT(send_fds(pair[0], fds, 2, "with two"));
	RESULT(send_fds(pair[0], fds, 2, "with two"));
	RESULT(write(pair[0], "plain", 5));
	receive_fds(pair[1], fds, 8);
	if (receive_fds(pair[1], fds, 8) == 1) {
		RESULT(read(fds[0], &value, 8));
		say("the same file: %lu, cloexec %d", (unsigned long)value, fcntl(fds[0], F_GETFD));
		close(fds[0]);
	}
	if (receive_fds(pair[1], fds, 1) == 1)
		close(fds[0]);
	receive_fds(pair[1], fds, 0);
	receive_fds(pair[1], fds, 8);
	receive_fds(pair[1], fds, 8);
	/* Some that are never received. */
	fds[0] = fds[1] = event;
	send_fds(pair[0], fds, 2, "lost");
	close(pair[0]);
	close(pair[1]);
	close(event);
}

static void say_edge(int set, const char *what)
{
	struct epoll_event event = { 0 };
	int count = epoll_wait(set, &event, 1, 0);

	say("%s: %d %#x", what, count, event.events);
}

static void edges(void)
{
	int pair[2], set = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	char text[16];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
	epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event);
	say_edge(set, "first");
	say_edge(set, "nothing new");
	write(pair[1], "a", 1);
	say_edge(set, "written");
	write(pair[1], "a", 1);
	say_edge(set, "written again");
	read(pair[0], text, sizeof(text));
	say_edge(set, "read");
	close(pair[1]);
	say_edge(set, "closed");
	close(pair[0]);
	close(set);
}

static void memory_files(void)
{
	int fd = (int)WORKED(memfd_create("abi", MFD_CLOEXEC));
	struct stat status;
	char *map;

	RESULT(memfd_create("x", 0x4000));
	RESULT(syscall(SYS_memfd_create, BAD_POINTER, 0));
	RESULT(ftruncate(fd, 8192));
	RESULT(fstat(fd, &status));
	say("size %ld, regular %d", (long)status.st_size, S_ISREG(status.st_mode));
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	strcpy(map + 4096, "in memory");
	{
		char text[16] = "";

		RESULT(pread(fd, text, 9, 4096));
		say("read: %s", text);
	}
	munmap(map, 8192);
	RESULT(ftruncate(fd, 4096));
	RESULT(pwrite(fd, "x", 1, 9000));
	RESULT(fstat(fd, &status));
	say("size %ld", (long)status.st_size);
	close(fd);
}

void group_streams(void)
{
	int ends[2];

	pipes();
	pipe2(ends, 0);
	much("pipe", ends[0], ends[1]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	much("socket", ends[0], ends[1]);
	named();
	bad_calls();
	passing();
	edges();
	memory_files();
}
