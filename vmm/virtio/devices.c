/*
 * All kinds of virtio devices: a new one is one file and one row here.
 */
#include "vmm/virtio/blk.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/rng.h"

const struct virtio_dev_ops *const virtio_devices[] = {
	&virtio_blk_ops,
	&virtio_net_ops,
	&virtio_rng_ops,
};

const uint32_t nr_virtio_devices = ARRAY_SIZE(virtio_devices);
