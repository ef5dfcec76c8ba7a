/*
 * Scattered buffers: see iov.h.
 */
#include <string.h>

#include "lib/compiler.h"
#include "lib/iov.h"

uint64_t iov_bytes(const struct iov_list *list)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < list->count; i++)
		total += list->at[i].iov_len;
	return total;
}

enum direction { TAKE, PUT, DROP };

static size_t iov_consume(struct iov_list *list, char *buffer, size_t size,
			  enum direction direction)
{
	size_t done = 0;

	while (done < size && list->count) {
		struct iovec *front = list->at;
		size_t step = min_u64(size - done, front->iov_len);

		if (direction == TAKE)
			memcpy(buffer + done, front->iov_base, step);
		else if (direction == PUT)
			memcpy(front->iov_base, buffer + done, step);
		front->iov_base = (char *)front->iov_base + step;
		front->iov_len -= step;
		done += step;
		if (!front->iov_len) {
			list->at++;
			list->count--;
		}
	}
	return done;
}

size_t iov_take_front(struct iov_list *list, void *buffer, size_t size)
{
	return iov_consume(list, buffer, size, TAKE);
}

size_t iov_put_front(struct iov_list *list, const void *buffer, size_t size)
{
	return iov_consume(list, (char *)(uintptr_t)buffer, size, PUT);
}

size_t iov_drop_front(struct iov_list *list, size_t size)
{
	size_t done = 0;

	/* Whole buffers first, which is all there is to do after most transfers. */
	while (list->count && list->at->iov_len <= size - done) {
		done += list->at->iov_len;
		list->at++;
		list->count--;
	}
	return done + iov_consume(list, NULL, size - done, DROP);
}

size_t iov_drop_back(struct iov_list *list, size_t size)
{
	size_t done = 0;

	while (done < size && list->count) {
		struct iovec *back = &list->at[list->count - 1];
		size_t step = min_u64(size - done, back->iov_len);

		back->iov_len -= step;
		done += step;
		if (!back->iov_len)
			list->count--;
	}
	return done;
}

uint8_t *iov_take_last_byte(struct iov_list *list)
{
	struct iovec *back;

	if (!list->count)
		return NULL;
	back = &list->at[list->count - 1];
	if (!back->iov_len)
		return NULL;
	back->iov_len--;
	if (!back->iov_len)
		list->count--;
	return (uint8_t *)back->iov_base + back->iov_len;
}
