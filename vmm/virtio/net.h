/*
 * virtio-net: a network card on a tap. (virtio 1.2, 5.1 "Network Device".)
 */
#pragma once

#include "vmm/config.h"
#include "vmm/virtio/device.h"

extern const struct virtio_dev_ops virtio_net_ops;

/* Opens the tap. @config is borrowed for the device's life. */
MUST_CHECK int virtio_net_create(const struct net_config *config, const struct guest_memory *memory,
				 struct virtio_dev **out, struct errmsg *why);

/* The same on a descriptor that is a tap, or behaves like one; taken over on success. For tests. */
MUST_CHECK int virtio_net_create_on(int tap, const struct net_config *config,
				    const struct guest_memory *memory, struct virtio_dev **out,
				    struct errmsg *why);
