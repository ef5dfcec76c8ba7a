/*
 * Waiting for several requests at once: see transfer.h.
 */
#include "kernel/arch/paging.h"
#include "kernel/block/transfer.h"

void disk_wait_init(struct disk_wait *wait)
{
	*wait = (struct disk_wait){ 0 };
	waitq_init(&wait->queue);
}

static void one_done(struct disk_request *request, int err)
{
	struct disk_wait *wait = request->context;
	uint64_t flags = spin_lock_irqsave(&wait->lock);

	if (!wait->err)
		wait->err = err;
	if (!__atomic_sub_fetch(&wait->nr_left, 1, __ATOMIC_RELEASE))
		waitq_wake(&wait->queue);
	spin_unlock_irqrestore(&wait->lock, flags);
}

void disk_wait_submit(struct disk_wait *wait, struct disk *disk, struct disk_request *request)
{
	request->done = one_done;
	request->context = wait;
	__atomic_fetch_add(&wait->nr_left, 1, __ATOMIC_RELAXED);
	disk_submit(disk, request);
}

int disk_wait_end(struct disk_wait *wait)
{
	uint64_t flags;
	int err;

	waitq_wait(&wait->queue, !__atomic_load_n(&wait->nr_left, __ATOMIC_ACQUIRE));
	/* The last one may still be on its way out of one_done(): @wait is the caller's stack. */
	flags = spin_lock_irqsave(&wait->lock);
	err = wait->err;
	spin_unlock_irqrestore(&wait->lock, flags);
	return err;
}

int disk_transfer(struct disk *disk, enum disk_op op, uint64_t offset_bytes, void *buffer,
		  uint32_t size_bytes)
{
	const struct disk_segment segment = { buffer ? direct_hpa(buffer) : hpa(0), size_bytes };
	struct disk_request request = {
		.op = op,
		.offset_bytes = offset_bytes,
		.size_bytes = size_bytes,
		.nr_segments = size_bytes ? 1 : 0,
		.segments = &segment,
	};
	struct disk_wait wait;

	disk_wait_init(&wait);
	disk_wait_submit(&wait, disk, &request);
	return disk_wait_end(&wait);
}
