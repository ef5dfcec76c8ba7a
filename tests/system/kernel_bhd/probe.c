/*
 * A monitor that runs no virtual machine: bhd starts it in bhvm's place, and its name says what it does.
 *
 *	crash    says a line and aborts
 *	leave    says a line and ends with status 1
 *	burn     takes memory and processor time until it is ended
 *	wait     sleeps until SIGTERM, then ends with status 0
 *	hog      takes all memory that it can get
 *	orphans  leaves children behind, then waits
 *	flood    says more than anybody wants to know, then waits
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BURN_BYTES = 40 << 20, ORPHANS = 50, FLOOD_LINES = 20000 };

static const char *value_of(int argc, char *argv[], const char *option)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], option))
			return i + 1 < argc ? argv[i + 1] : "";
	return NULL;
}

static int dump(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	return n <= 0 || write(STDOUT_FILENO, text, (size_t)n) != n;
}

static int say(const char *text)
{
	return write(STDERR_FILENO, text, strlen(text)) < 0;
}

static void on_term(int signal)
{
	(void)signal;
	say("asked to end\n");
	_exit(0);
}

static void burn(void)
{
	volatile char *memory =
		mmap(NULL, BURN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t at = 0;; at = (at + 4096) % BURN_BYTES)
		memory[at]++;
}

static void hog(void)
{
	for (;;) {
		volatile char *memory = mmap(NULL, BURN_BYTES, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t at = 0; memory != MAP_FAILED && at < BURN_BYTES; at += 4096)
			memory[at] = 1;
	}
}

static void leave_orphans(void)
{
	for (int i = 0; i < ORPHANS; i++) {
		pid_t pid = fork();

		if (!pid) {
			if (!fork())
				usleep(1000);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	say("orphans are on their own\n");
}

static void flood(void)
{
	char line[64];

	for (int i = 0; i < FLOOD_LINES; i++) {
		snprintf(line, sizeof(line), "line %d of very many\n", i);
		if (say(line))
			return;
	}
}

int main(int argc, char *argv[])
{
	const char *name = value_of(argc, argv, "--name"), *path = value_of(argc, argv, "--config");

	if (!name || !path)
		return 2;
	if (value_of(argc, argv, "--dump-config"))
		return dump(path);
	signal(SIGTERM, on_term);
	if (!strcmp(name, "crash")) {
		say("this won't go well\n");
		abort();
	}
	if (!strcmp(name, "leave"))
		return say("error: nothing to do here\n") || 1;
	if (!strcmp(name, "burn"))
		burn();
	if (!strcmp(name, "hog"))
		hog();
	if (!strcmp(name, "orphans"))
		leave_orphans();
	if (!strcmp(name, "flood"))
		flood();
	say("waiting\n");
	for (;;)
		pause();
}
