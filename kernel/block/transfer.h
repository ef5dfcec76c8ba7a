/*
 * Waiting for several requests at once.
 *
 *	disk_wait_init(&wait);
 *	disk_wait_submit(&wait, disk, &request);     any number; op, offset, size and segments are filled in
 *	err = disk_wait_end(&wait);                  the first error, once all are done
 */
#pragma once

#include "kernel/block/disk.h"
#include "kernel/sched/waitq.h"

/* Fields: [L] lock */
struct disk_wait {
	struct spinlock lock;
	struct waitq queue;
	uint32_t nr_left; /* [L, a] */
	int err;	  /* [L] the first one */
};

void disk_wait_init(struct disk_wait *wait);
void disk_wait_submit(struct disk_wait *wait, struct disk *disk, struct disk_request *request);
MUST_CHECK int disk_wait_end(struct disk_wait *wait);
