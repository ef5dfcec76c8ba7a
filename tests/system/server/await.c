/*
 * await FILE OFFSET TEXT SECONDS [PID]: wait until FILE holds TEXT at or behind OFFSET.
 *
 * Prints a line with the offset behind what it prints then: what FILE holds from OFFSET to the end of the
 * line that TEXT begins in. A FILE that isn't there yet is empty. Without TEXT when SECONDS are over, or when process PID has ended: prints all from
 * OFFSET, exit status 1 or 3. OFFSET, SECONDS and PID are decimal; a PID of 0 is nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_NS = 20 * 1000 * 1000, STATUS_TIMEOUT = 1, STATUS_USAGE = 2, STATUS_GONE = 3 };

struct content {
	char *bytes;
	size_t length;
};

/* What is in the file behind @offset; nothing if there is no such file. */
static struct content read_from(const char *path, off_t offset)
{
	struct content content = { 0 };
	struct stat status;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return content;
	if (!fstat(fd, &status) && status.st_size > offset) {
		content.bytes = malloc((size_t)(status.st_size - offset));
		if (content.bytes)
			got = pread(fd, content.bytes, (size_t)(status.st_size - offset), offset);
	}
	content.length = got > 0 ? (size_t)got : 0;
	close(fd);
	return content;
}

/* The length up to the end of the line in which @text begins; 0: not there, or not a whole line yet. */
static size_t find_line_end(const struct content *content, const char *text)
{
	const char *found, *end;

	if (!content->length)
		return 0;
	found = memmem(content->bytes, content->length, text, strlen(text));
	if (!found)
		return 0;
	end = memchr(found, '\n', content->length - (size_t)(found - content->bytes));
	return end ? (size_t)(end + 1 - content->bytes) : 0;
}

static bool is_gone(pid_t pid)
{
	return pid && kill(pid, 0) < 0 && errno == ESRCH;
}

static int finish(const struct content *content, off_t offset, size_t length, int status)
{
	printf("%lld\n", (long long)offset + (long long)length);
	return fwrite(content->bytes, 1, length, stdout) == length && !fflush(stdout)
		       ? status
		       : STATUS_USAGE;
}

static int await(const char *path, off_t offset, const char *text, time_t seconds, pid_t pid)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	time_t end = time(NULL) + seconds;

	for (;;) {
		bool was_gone = is_gone(pid); /* what it wrote last is read after this */
		bool is_late = time(NULL) > end;
		struct content content = read_from(path, offset);
		size_t length = find_line_end(&content, text);

		if (length)
			return finish(&content, offset, length, EXIT_SUCCESS);
		if (was_gone || is_late)
			return finish(&content, offset, content.length,
				      was_gone ? STATUS_GONE : STATUS_TIMEOUT);
		free(content.bytes);
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char *argv[])
{
	if (argc < 5 || argc > 6) {
		fprintf(stderr, "usage: await FILE OFFSET TEXT SECONDS [PID]\n");
		return STATUS_USAGE;
	}
	return await(argv[1], atol(argv[2]), argv[3], atol(argv[4]), argc > 5 ? atoi(argv[5]) : 0);
}
