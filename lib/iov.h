/*
 * Scattered buffers: a list of iovecs that is consumed from either end.
 *
 * A driver may cut a request into buffers wherever it likes, so nothing may assume that a header is one
 * buffer. The functions copy at most what is there and change the list in place. Pure: no I/O.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct iov_list {
	struct iovec *at; /* borrowed; the first one that still holds bytes */
	uint32_t count;
};

uint64_t iov_bytes(const struct iov_list *list);

/* Copies up to @size bytes out of (into) the front and drops them. Returns how many. */
size_t iov_take_front(struct iov_list *list, void *buffer, size_t size);
size_t iov_put_front(struct iov_list *list, const void *buffer, size_t size);

/* Drops up to @size bytes from the front (back). Return how many. */
size_t iov_drop_front(struct iov_list *list, size_t size);
size_t iov_drop_back(struct iov_list *list, size_t size);

/* Cuts the last byte off and returns where it lies; NULL if the list is empty. */
uint8_t *iov_take_last_byte(struct iov_list *list);
