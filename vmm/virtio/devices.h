/*
 * All kinds of virtio devices, in one visible array.
 */
#pragma once

#include "vmm/virtio/device.h"

extern const struct virtio_dev_ops *const virtio_devices[];
extern const uint32_t nr_virtio_devices;
