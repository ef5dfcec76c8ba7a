/*
 * Between a disk and ring 3's own pages: see direct_io.h.
 */
#include "kernel/block/direct_io.h"
#include "kernel/block/transfer.h"
#include "kernel/mem/mm.h"
#include "kernel/mem/object.h"
#include "kernel/proc/process.h"

#define AT_ONCE_BYTES (UINT64_C(1) << 20)

enum { REQUESTS_MAX = 16 };

/* The pages of one piece of memory, and the requests that cover it. */
struct piece {
	struct disk_request requests[REQUESTS_MAX];
	uint32_t nr_pages;
	struct mm_page *pages;		/* pinned; behind the segments */
	struct disk_segment segments[]; /* one per page */
};

static struct piece *piece_create(uint64_t nr_pages)
{
	struct piece *piece = kmalloc(
		sizeof(*piece) + nr_pages * (sizeof(struct disk_segment) + sizeof(struct mm_page)));

	if (piece)
		piece->pages = (struct mm_page *)(piece->segments + nr_pages);
	return piece;
}

static void piece_destroy(struct piece *piece)
{
	for (uint32_t i = 0; i < piece->nr_pages; i++)
		mm_unpin_page(&piece->pages[i]);
	kfree(piece);
}

/* Pins as much of [address, address + size) as there is. Returns how many bytes. */
static int64_t pin(struct piece *piece, uint64_t address, uint64_t size, bool is_write)
{
	uint64_t done = 0;

	while (done < size) {
		uint64_t at = address + done,
			 step = min_u64(size - done, PAGE_BYTES - at % PAGE_BYTES);
		struct mm_page *page = &piece->pages[piece->nr_pages];
		int err = mm_pin_page(current_process()->mm, at, is_write, page);

		if (err)
			return done ? (int64_t)done : err;
		piece->segments[piece->nr_pages++] =
			(struct disk_segment){ hpa(page->frame.v + at % PAGE_BYTES),
					       (uint32_t)step };
		done += step;
	}
	return (int64_t)done;
}

/* The next pages, up to what the disk takes at once. Returns how many. */
static uint32_t fill_request(const struct disk *disk, struct disk_request *request,
			     const struct disk_segment *segments, uint32_t nr_pages)
{
	uint32_t count = 0, size = 0;

	while (count < nr_pages && size + segments[count].size_bytes <= disk->request_bytes_max)
		size += segments[count++].size_bytes;
	request->segments = segments;
	request->nr_segments = count;
	request->size_bytes = size;
	return count;
}

/* Submits all there is, and waits. Returns how many bytes that was; -EIO if any part failed. */
static int64_t move(struct disk *disk, enum disk_op op, uint64_t offset, struct piece *piece)
{
	struct disk_wait wait;
	uint64_t done = 0;
	uint32_t page = 0;
	int err;

	disk_wait_init(&wait);
	for (uint32_t i = 0; i < REQUESTS_MAX && page < piece->nr_pages; i++) {
		struct disk_request *request = &piece->requests[i];

		request->op = op;
		request->offset_bytes = offset + done;
		page += fill_request(disk, request, piece->segments + page, piece->nr_pages - page);
		done += request->size_bytes;
		disk_wait_submit(&wait, disk, request);
	}
	err = disk_wait_end(&wait);
	return err ? err : (int64_t)done;
}

int64_t direct_io(struct disk *disk, enum disk_op op, uint64_t offset, uint64_t address,
		  uint64_t size)
{
	uint64_t nr_pages;
	struct piece *piece;
	int64_t moved;

	size = min_u64(size, AT_ONCE_BYTES);
	nr_pages =
		(align_up(address + size, PAGE_BYTES) - (address & ~(PAGE_BYTES - 1))) / PAGE_BYTES;
	piece = piece_create(nr_pages);
	if (!piece)
		return -ENOMEM;
	moved = pin(piece, address, size, op == DISK_READ);
	if (moved > 0) {
		/* A buffer that ends inside a block: its last, partial block can't be moved straight. */
		uint64_t partial = (uint64_t)moved % disk->block_bytes;

		moved = partial ? -EFAULT : move(disk, op, offset, piece);
	}
	piece_destroy(piece);
	return moved;
}
