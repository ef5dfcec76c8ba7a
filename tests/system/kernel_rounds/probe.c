/*
 * The first program on a server where virtual machines are started and ended, one after the other: `probe ROUNDS`.
 *
 * Each is a bhvm with a disk, a network card and a small guest, and ends in the next of the ways in the table below.
 * When all have had their turn once, the kernel's objects, frames and the descriptors are counted, and in the end again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/object_counts.h"

enum {
	PATIENCE_MS = 60 * 1000,
	SETTLE_TRIES = 1000,
	MS = 1000, /* in microseconds */
	STEPS = 40,
};

#define API_PATH "/run/api"

static bool has_failed;

static void __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("FAILED: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	has_failed = true;
}

/* --- a virtual machine --- */

struct vm {
	pid_t pid;
	int console; /* what its guest prints */
};

static void run_monitor(int console, const char *words)
{
	int null = open("/dev/null", O_RDONLY);

	dup2(null, STDIN_FILENO);
	dup2(console, STDOUT_FILENO);
	execl("/bin/bhvm", "bhvm", "--kernel", "/tests/neighbour.elf", "--cmdline", words,
	      "--memory", "32M", "--disk", "/tests/own.img", "--net", "tap=lan", "--api-socket",
	      API_PATH, NULL);
	_exit(127);
}

static struct vm start(const char *words)
{
	struct vm vm = { 0 };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		fail("pipe: %s", strerror(errno));
	vm.pid = fork();
	if (!vm.pid)
		run_monitor(ends[1], words);
	if (vm.pid < 0)
		fail("fork: %s", strerror(errno));
	close(ends[1]);
	vm.console = ends[0];
	return vm;
}

static void await(const struct vm *vm, const char *text)
{
	char printed[4096] = { 0 };
	size_t length = 0;

	while (!strstr(printed, text)) {
		struct pollfd readable = { vm->console, POLLIN, 0 };
		ssize_t n = 0;

		if (poll(&readable, 1, PATIENCE_MS) == 1)
			n = read(vm->console, printed + length, sizeof(printed) - 1 - length);
		if (n <= 0) {
			fail("waited for '%s', found '%s'", text, printed);
			return;
		}
		length += (size_t)n;
	}
}

/* The control socket is there before the guest runs. */
static void command(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = API_PATH };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd readable = { fd, POLLIN, 0 };
	char text[256] = { 0 };

	snprintf(text, sizeof(text), "{\"command\": \"%s\"}\n", name);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    write(fd, text, strlen(text)) < 0 || poll(&readable, 1, PATIENCE_MS) != 1 ||
	    read(fd, text, sizeof(text) - 1) <= 0 || !strstr(text, "\"ok\":true"))
		fail("%s: %s: %s", name, strerror(errno), text);
	close(fd);
}

/* What waitpid() tells of its end. */
static int await_end(const struct vm *vm)
{
	int status = -1;

	for (int waited = 0; waited < PATIENCE_MS && !waitpid(vm->pid, &status, WNOHANG); waited++)
		usleep(MS);
	close(vm->console);
	return status;
}

/* --- how they end --- */

static bool has_exited(int status)
{
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool was_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void be_killed(const struct vm *vm, int round)
{
	(void)round;
	await(vm, "payload: up");
	kill(vm->pid, SIGKILL);
}

/* On its way, wherever it is. */
static void be_killed_early(const struct vm *vm, int round)
{
	usleep((unsigned int)(round % STEPS) * MS);
	kill(vm->pid, SIGKILL);
}

static void be_asked_to_end(const struct vm *vm, int round)
{
	(void)round;
	await(vm, "payload: up");
	kill(vm->pid, SIGTERM);
}

static void power_off(const struct vm *vm, int round)
{
	(void)round;
	await(vm, "payload: done");
}

static void quit(const struct vm *vm, int round)
{
	(void)round;
	await(vm, "payload: up");
	command("quit");
}

static void quit_while_paused(const struct vm *vm, int round)
{
	(void)round;
	await(vm, "payload: up");
	command("pause");
	command("quit");
}

static const struct way {
	const char *name, *words; /* of the guest: see tests/guest/neighbour.c */
	void (*end)(const struct vm *vm, int round);
	bool (*is_right)(int status);
} ways[] = {
	{ "SIGKILL", "answer", be_killed, was_killed },
	{ "power-off", "once", power_off, has_exited },
	{ "quit", "disk", quit, has_exited },
	{ "SIGKILL on its way", "answer", be_killed_early, was_killed },
	{ "SIGTERM", "spin", be_asked_to_end, has_exited },
	{ "quit while paused", "net", quit_while_paused, has_exited },
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void run_round(int round)
{
	const struct way *way = &ways[round % WAYS];
	struct vm vm = start(way->words);
	int status;

	way->end(&vm, round);
	status = await_end(&vm);
	unlink(API_PATH); /* which one that was killed has left behind */
	if (!way->is_right(status))
		fail("round %d, %s: ended with status %#x", round, way->name, status);
}

/* --- before and after --- */

struct counts {
	struct object_counts objects;
	unsigned long descriptors;
};

static unsigned long count_descriptors(void)
{
	unsigned long count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void read_counts(struct counts *counts)
{
	if (!object_counts_read(&counts->objects))
		fail("no counts: %s", strerror(errno));
	counts->descriptors = count_descriptors();
}

/* What is counted before may have been about to go: stacks of threads, mostly. */
static bool has_grown(const struct counts *before, const struct counts *after)
{
	return after->descriptors > before->descriptors ||
	       object_counts_grown(&before->objects, &after->objects, 0, NULL);
}

static bool has_settled(const struct counts *before, struct counts *after)
{
	for (int tries = 0; tries < SETTLE_TRIES; tries++) {
		read_counts(after);
		if (!has_grown(before, after))
			return true;
		usleep(MS);
	}
	return false;
}

int main(int argc, char *argv[])
{
	static struct counts before, after;
	int rounds = argc > 1 ? atoi(argv[1]) : 1;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (int round = 0; round < WAYS; round++)
		run_round(round);
	usleep(100 * MS);
	/* Once for nothing: what these touch is to be there before it is counted. */
	read_counts(&after);
	has_grown(&after, &after);
	read_counts(&before);
	for (int round = 0; round < rounds && !has_failed; round++)
		run_round(round);
	if (!has_settled(&before, &after))
		fail("%lu descriptors and before:\n%s\n%lu and after:\n%s", before.descriptors,
		     before.objects.lines, after.descriptors, after.objects.lines);
	printf("%d rounds: %s\n", rounds, has_failed ? "not well" : "all is well");
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return 0;
}
