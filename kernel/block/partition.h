/*
 * Block devices: a disk, or a partition of it; each a file in /dev.
 *
 * Names: vda, vda1; where a disk's name ends in a digit, a p stands between: nvme0n1, nvme0n1p1.
 */
#pragma once

#include "kernel/block/disk.h"

/* Fields: [I] immutable */
struct block_device {
	struct disk *disk;    /* [I] */
	uint64_t start_bytes; /* [I] on the disk */
	uint64_t size_bytes;  /* [I] */
};

/* Makes the files of @disk and of its partitions. Context: thread. */
void partitions_add(struct disk *disk);
