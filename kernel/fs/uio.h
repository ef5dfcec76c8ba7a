/*
 * Ring 3's buffers of one read or write: a list of ranges, used up from the front.
 *
 * uio_open() copies and checks the list; after it, only the buffers themselves are ring 3's.
 */
#pragma once

#include "lib/compiler.h"

enum {
	UIO_FEW = 8,
	UIO_MAX = 1024, /* IOV_MAX */
};

struct uio_range {
	uint64_t base;
	uint64_t bytes;
};

struct uio {
	struct uio_range few[UIO_FEW];
	struct uio_range *ranges; /* few, or allocated */
	uint32_t count, at;
	uint64_t left; /* bytes */
};

/* -EINVAL too many, or one of more than SSIZE_MAX; -EFAULT; -ENOMEM. Undone by uio_close(). */
MUST_CHECK int uio_open(struct uio *uio, uint64_t iovecs, uint64_t count);
MUST_CHECK int uio_open_one(struct uio *uio, uint64_t base, uint64_t bytes);
void uio_close(struct uio *uio);

/* Copy as much of @size as there is room for. Return how much; -EFAULT if nothing could be. */
MUST_CHECK int64_t uio_put(struct uio *uio, const void *from, size_t size);
MUST_CHECK int64_t uio_take(struct uio *uio, void *to, size_t size);
