/*
 * ABI tests: see abi.h. Without arguments all groups run; as the first process the machine is switched off then.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/abi.h"
#include "tests/support/object_counts.h"

enum {
	SPARE_FRAMES = 16,
	SETTLE_MS = 30, /* the last thread's stack goes when another runs on its CPU */
};

static const char *current;

void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int length = snprintf(line, sizeof(line), "abi %s: ", current);

	va_start(args, format);
	length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, args);
	va_end(args);
	line[length++] = '\n';
	(void)!write(STDOUT_FILENO, line, (size_t)length);
}

long result(const char *name, long value)
{
	int err = errno;

	if (value == -1)
		say("%s: -%s", name, strerrorname_np(err) ?: "?");
	else
		say("%s: %ld", name, value);
	errno = err;
	return value;
}

long worked(const char *name, long value)
{
	return value == -1 ? result(name, value) : (say("%s: ok", name), value);
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static int is_named(const char *name, char *const names[])
{
	for (; *names; names++)
		if (!strcmp(name, *names))
			return 1;
	return 0;
}

const char *abi_program(void)
{
	static char path[256];

	return readlink("/proc/self/exe", path, sizeof(path) - 1) > 0 ? path : "/sbin/init";
}

/* In a process of its own, whose end gives everything back. */
static void run_group(const struct group *group, bool is_quiet)
{
	pid_t pid = fork();

	if (!pid) {
		if (is_quiet)
			dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		group->run();
		say("end");
		_exit(0);
	}
	while (waitpid(-1, NULL, 0) > 0) /* as the first process: orphans too */
		;
}

static void tell_leak(const char *kind, long was, long is)
{
	say("leak: %s: %ld before, %ld after", kind, was, is);
}

/* Where the kernel counts its objects: once to warm up, then again, and as many objects must be there after as before. */
static void run_measured(const struct group *group)
{
	static struct object_counts before, after;

	current = group->name;
	if (access("/dev/objects", R_OK)) {
		run_group(group, false);
		return;
	}
	run_group(group, true);
	sleep_ms(SETTLE_MS);
	object_counts_read(&before);
	run_group(group, false);
	sleep_ms(SETTLE_MS);
	object_counts_read(&after);
	object_counts_grown(&before, &after, SPARE_FRAMES, tell_leak);
}

int main(int argc, char *argv[])
{
	char byte;

	if (argc > 1 && !strcmp(argv[1], "--say") && started_anew) {
		current = "processes";
		return started_anew(argc, argv, environ);
	}
	if (argc > 1 && !strcmp(argv[1], "--wait"))
		return (int)read(STDIN_FILENO, &byte, 1);
	if (argc > 1 && !strcmp(argv[1], "--end"))
		return (int)write(STDOUT_FILENO, "end", 3);
	for (size_t i = 0; i < nr_groups; i++)
		if (argc == 1 || is_named(groups[i].name, argv + 1))
			run_measured(&groups[i]);
	if (getpid() == 1)
		reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return 0;
}
