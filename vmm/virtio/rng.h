/*
 * virtio-rng: entropy from the host. (virtio 1.2, 5.4 "Entropy Device".)
 */
#pragma once

#include "vmm/virtio/device.h"

extern const struct virtio_dev_ops virtio_rng_ops;

MUST_CHECK int virtio_rng_create(const char *id, const struct guest_memory *memory,
				 struct virtio_dev **out, struct errmsg *why);
