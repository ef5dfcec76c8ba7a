/*
 * ABI tests: see abi.h. Without arguments all groups run; as the first process the machine is switched off then.
 */
#include <errno.h>
#include <linux/reboot.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/abi/abi.h"

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "memory", group_memory }, { "threads", group_threads }, { "files", group_files },
	{ "fpu", group_fpu },	    { "events", group_events },	  { "streams", group_streams },
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

int main(int argc, char *argv[])
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (argc > 1 && !is_named(groups[i].name, argv + 1))
			continue;
		current = groups[i].name;
		groups[i].run();
		say("end");
	}
	if (getpid() == 1)
		reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return 0;
}
