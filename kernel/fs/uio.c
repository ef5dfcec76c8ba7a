/*
 * Ring 3's buffers of one read or write: see uio.h.
 */
#include "kernel/arch/paging.h"
#include "kernel/fs/uio.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"

#define READ_MAX_BYTES UINT64_C(0x7ffff000) /* Linux's MAX_RW_COUNT */

static_assert(sizeof(struct uio_range) == 16, "as struct iovec");

int uio_open(struct uio *uio, uint64_t iovecs, uint64_t count)
{
	int err;

	*uio = (struct uio){ .count = (uint32_t)count };
	if (count > UIO_MAX)
		return -EINVAL;
	uio->ranges = count <= UIO_FEW ? uio->few : kmalloc(count * sizeof(struct uio_range));
	if (!uio->ranges)
		return -ENOMEM;
	err = copy_from_user(uio->ranges, iovecs, count * sizeof(struct uio_range));
	for (uint32_t i = 0; !err && i < count; i++) {
		if ((int64_t)uio->ranges[i].bytes < 0)
			err = -EINVAL;
		else if (uio->ranges[i].bytes > READ_MAX_BYTES - uio->left)
			uio->ranges[i].bytes = READ_MAX_BYTES - uio->left;
		uio->left += uio->ranges[i].bytes;
	}
	if (err)
		uio_close(uio);
	return err;
}

int uio_open_one(struct uio *uio, uint64_t base, uint64_t bytes)
{
	*uio = (struct uio){ .count = 1, .ranges = uio->few };
	if ((int64_t)bytes < 0)
		return -EFAULT; /* no buffer is as large */
	uio->few[0] = (struct uio_range){ base, min_u64(bytes, READ_MAX_BYTES) };
	uio->left = uio->few[0].bytes;
	return 0;
}

void uio_close(struct uio *uio)
{
	if (uio->ranges != uio->few)
		kfree(uio->ranges);
	uio->ranges = uio->few;
}

enum direction { PUT, TAKE };

static int64_t move(struct uio *uio, char *buffer, size_t size, enum direction direction)
{
	bool by_page = false;
	size_t done = 0;

	while (done < size && uio->left) {
		struct uio_range *range = &uio->ranges[uio->at];
		size_t step = min_u64(size - done, range->bytes);

		if (!step) {
			uio->at++;
			continue;
		}
		if (by_page)
			step = min_u64(step, PAGE_BYTES - range->base % PAGE_BYTES);
		if (direction == PUT ? copy_to_user(range->base, buffer + done, step)
				     : copy_from_user(buffer + done, range->base, step)) {
			if (by_page)
				return done ? (int64_t)done : -EFAULT;
			by_page = true; /* up to the page that isn't there */
			continue;
		}
		range->base += step;
		range->bytes -= step;
		uio->left -= step;
		done += step;
	}
	return (int64_t)done;
}

int64_t uio_put(struct uio *uio, const void *from, size_t size)
{
	return move(uio, (char *)(uintptr_t)from, size, PUT);
}

int64_t uio_take(struct uio *uio, void *to, size_t size)
{
	return move(uio, to, size, TAKE);
}
