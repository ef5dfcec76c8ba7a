/*
 * virtio-blk: a disk. (virtio 1.2, 5.2 "Block Device".)
 */
#pragma once

#include "vmm/config.h"
#include "vmm/virtio/device.h"

extern const struct virtio_dev_ops virtio_blk_ops;

/* Opens and locks the disk. @config is borrowed for the device's life. */
MUST_CHECK int virtio_blk_create(const struct disk_config *config,
				 const struct guest_memory *memory, struct virtio_dev **out,
				 struct errmsg *why);
