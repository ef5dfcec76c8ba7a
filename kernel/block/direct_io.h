/*
 * Between a disk and ring 3's own pages, without a copy.
 */
#pragma once

#include "kernel/block/disk.h"

enum { DIRECT_IO_ALIGNMENT = 512 }; /* of a buffer's address */

/**
 * direct_io() - read or write, and wait
 * @offset: on the disk; in whole blocks, as @size
 * @address: of the calling process; a multiple of DIRECT_IO_ALIGNMENT. Its pages are pinned until the disk is done with them
 *
 * Returns how many bytes: fewer than @size where that is more than is done at once, or where the buffer ends;
 * -EFAULT, -EIO, -ENOMEM. Context: thread of a process.
 */
MUST_CHECK int64_t direct_io(struct disk *disk, enum disk_op op, uint64_t offset, uint64_t address,
			     uint64_t size);
