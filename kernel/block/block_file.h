/*
 * Block devices as files.
 *
 * There is no page cache. Transfers that are aligned to the device's blocks (offset, size, and the buffer)
 * go straight between the device and ring 3's pages, which are pinned for that long. Others go through a buffer of the
 * kernel's; a write that begins or ends inside a block reads the block first, with the disk's `unaligned` lock held:
 * such writes don't disturb one another, but one beside an aligned write to the same block may undo it. With
 * O_DIRECT, what isn't aligned (of the buffer: to 512 bytes) is -EINVAL, as on Linux.
 *
 * A disk that can't be written is opened for it all the same, as on Linux: then each write() is -EPERM. O_EXCL: see claim.h.
 *
 * What write() has put is on the device, and on the medium after fdatasync(), or at once with O_DSYNC or O_SYNC.
 */
#pragma once

#include "kernel/fs/node.h"

/* For node_make_special(): the node's data is a struct block_device. */
int block_file_open(struct node *node, uint32_t flags, struct file **out);
