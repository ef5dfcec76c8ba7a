/*
 * The newest bytes of a stream: see backlog.h.
 */
#include <string.h>

#include "lib/compiler.h"
#include "base/backlog.h"

static void make_room(struct backlog *backlog, size_t n)
{
	size_t room = BACKLOG_BYTES - backlog->length;

	if (n > room) {
		backlog->dropped_bytes += n - room;
		backlog_consume(backlog, n - room);
	}
}

void backlog_append(struct backlog *backlog, const uint8_t *bytes, size_t n)
{
	size_t end, piece;

	if (n > BACKLOG_BYTES) {
		backlog->dropped_bytes += n - BACKLOG_BYTES;
		bytes += n - BACKLOG_BYTES;
		n = BACKLOG_BYTES;
	}
	make_room(backlog, n);

	end = (backlog->start + backlog->length) % BACKLOG_BYTES;
	piece = min_u64(n, BACKLOG_BYTES - end);
	memcpy(backlog->bytes + end, bytes, piece);
	memcpy(backlog->bytes, bytes + piece, n - piece);
	backlog->length += n;
}

size_t backlog_oldest(const struct backlog *backlog, const uint8_t **bytes)
{
	*bytes = backlog->bytes + backlog->start;
	return min_u64(backlog->length, BACKLOG_BYTES - backlog->start);
}

void backlog_consume(struct backlog *backlog, size_t n)
{
	backlog->start = (backlog->start + n) % BACKLOG_BYTES;
	backlog->length -= n;
}

size_t backlog_copy_newest(const struct backlog *backlog, uint8_t *out, size_t size)
{
	size_t n = min_u64(size, backlog->length);
	size_t start = (backlog->start + backlog->length - n) % BACKLOG_BYTES;
	size_t piece = min_u64(n, BACKLOG_BYTES - start);

	memcpy(out, backlog->bytes + start, piece);
	memcpy(out + piece, backlog->bytes, n - piece);
	return n;
}
