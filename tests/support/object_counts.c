/*
 * The kernel's objects: see object_counts.h.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/object_counts.h"

enum { KIND_BYTES = 64 };

bool object_counts_read(struct object_counts *counts)
{
	int fd = open("/dev/objects", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, counts->lines, sizeof(counts->lines) - 1);

	if (fd >= 0)
		close(fd);
	counts->lines[length > 0 ? length : 0] = '\0';
	return length > 0;
}

/* The kind and the number of the line at *@at, which moves on to the next; false: there is none. */
static bool next_kind(const char **at, char kind[KIND_BYTES], long *number)
{
	const char *end = strchr(*at, '\n'),
		   *space = end ? memrchr(*at, ' ', (size_t)(end - *at)) : NULL;

	if (!space || space - *at >= KIND_BYTES)
		return false;
	*(char *)mempcpy(kind, *at, (size_t)(space - *at)) = '\0';
	*number = atol(space);
	*at = end + 1;
	return true;
}

static long count_of(const struct object_counts *counts, const char *wanted)
{
	char kind[KIND_BYTES];
	long number;

	for (const char *at = counts->lines; next_kind(&at, kind, &number);)
		if (!strcmp(kind, wanted))
			return number;
	return 0;
}

unsigned int object_counts_grown(const struct object_counts *before,
				 const struct object_counts *after, long nr_spare_frames,
				 void (*tell)(const char *kind, long was, long is))
{
	unsigned int grown = 0;
	char kind[KIND_BYTES];
	long is;

	for (const char *at = after->lines; next_kind(&at, kind, &is);) {
		long was = count_of(before, kind);

		if (is <= was + (strcmp(kind, "frames") ? 0 : nr_spare_frames))
			continue;
		grown++;
		if (tell)
			tell(kind, was, is);
	}
	return grown;
}
