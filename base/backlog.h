/*
 * The newest bytes of a stream that nobody has taken yet: a ring that forgets its oldest when full.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { BACKLOG_BYTES = 64 * 1024 };

/* Zero-initialised is empty. */
struct backlog {
	size_t start; /* of the oldest byte in bytes[] */
	size_t length;
	uint64_t dropped_bytes;
	uint8_t bytes[BACKLOG_BYTES];
};

void backlog_append(struct backlog *backlog, const uint8_t *bytes, size_t n);

/* The oldest bytes, as many as lie in one piece: 0 only where there are none. */
size_t backlog_oldest(const struct backlog *backlog, const uint8_t **bytes);

/* Forgets the oldest @n bytes, which were delivered. @n is at most the length. */
void backlog_consume(struct backlog *backlog, size_t n);

/* Copies the newest bytes, at most @size, in order. Returns how many. */
size_t backlog_copy_newest(const struct backlog *backlog, uint8_t *out, size_t size);
