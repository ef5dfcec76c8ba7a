/*
 * Claims: block devices that an open file has for itself, by O_EXCL. They keep out other claims only: of the same device, of
 * the disk that a partition is of, and of a disk's partitions.
 */
#pragma once

#include "kernel/block/partition.h"

struct claim;

/* -EBUSY: it, or a part of it, is claimed; -ENOMEM. Context: thread. */
MUST_CHECK int claim_take(const struct block_device *device, struct claim **out);
void claim_drop(struct claim *claim);
