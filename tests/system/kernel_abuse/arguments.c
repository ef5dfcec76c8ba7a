/*
 * Numbers, places, bytes and descriptors to misuse: see abuse.h.
 */
#include <string.h>
#include <unistd.h>

#include "lib/compiler.h"
#include "tests/system/kernel_abuse/abuse.h"

static int fds[FDS]; /* open, closed, of every kind; 0: none */

void *any_place(struct random *random)
{
	return arena + pick(random, ARENA_BYTES / PAGE) * PAGE;
}

uint64_t any_number(struct random *random)
{
	static const uint64_t ends[] = {
		0,
		1,
		PAGE,
		0xfff,
		UINT32_MAX,
		INT32_MAX,
		UINT64_MAX,
		1ull << 31,
		1ull << 32,
		1ull << 47,
		0xfee00000u,
		INT64_MAX,
		1ull << 63,
		1ull << 52,
		1ull << 40,
		(1ull << 47) - PAGE,
		0xffff800000000000u,
	};

	switch (pick(random, 6)) {
	case 0:
		return next(random);
	case 1:
		return ends[pick(random, ARRAY_SIZE(ends))];
	case 2:
		return ends[pick(random, ARRAY_SIZE(ends))] + pick(random, 16) - 8;
	case 3:
		return (uintptr_t)any_place(random) + (one_in(random, 3) ? pick(random, PAGE) : 0);
	case 4:
		return pick(random, 16) * PAGE;
	default:
		return pick(random, 64);
	}
}

int any_fd(struct random *random)
{
	return fds[pick(random, FDS)];
}

void keep_fd(struct random *random, int fd)
{
	uint64_t at = pick(random, FDS);

	if (fd <= 2)
		return;
	/* Half of those that lose their place are left open, and meet close() by their number. */
	if (fds[at] && one_in(random, 2))
		close(fds[at]);
	fds[at] = fd;
}

/* Bytes that are random in few places, all zero, or all random. */
void fill(struct random *random, void *bytes, size_t size)
{
	uint8_t *at = bytes;

	if (one_in(random, 3)) {
		for (size_t i = 0; i < size; i++)
			at[i] = (uint8_t)next(random);
		return;
	}
	if (one_in(random, 2))
		memset(at, 0, size);
	for (uint64_t n = pick(random, 8); n; n--)
		at[pick(random, size)] = (uint8_t)next(random);
}
