/*
 * Offloads: work on a frame that its sender left to whoever does it best, as virtio-net headers describe it.
 *
 * Frames travel with that work undone as far as everybody on the way can take them so; offload_finish() does it.
 * Headers come from guests and wires: nothing in them is believed. Pure but for memory. Context: any.
 *
 * Source: virtio 1.2, 5.1.6 "Device Operation".
 */
#pragma once

#include <linux/virtio_net.h>

#include "kernel/net/packet.h"

enum {
	OFFLOAD_HEADERS_MAX = 256,  /* of a frame to be cut: Ethernet, IP and TCP */
	OFFLOAD_SEGMENTS_MAX = 128, /* one frame's: 64 KiB in the smallest that anybody sends */
};

/* Reads @header into the frame that it came with. -EINVAL: it doesn't fit the frame, or asks for what isn't done here. */
MUST_CHECK int offload_from_header(struct packet *packet, const struct virtio_net_hdr *header);

struct virtio_net_hdr offload_to_header(const struct packet *packet);

/**
 * offload_finish() - the same frame without any work left: @chain, of one or more
 *
 * Each has a reference, the caller's. -ENOMEM; -EMSGSIZE: it would be too many.
 */
MUST_CHECK int offload_finish(const struct packet *packet, struct packet **chain);

/* How long it, or each piece that it is to be cut to, is on a wire. */
static inline uint32_t offload_wire_bytes(const struct packet *packet)
{
	const struct offload *offload = &packet->offload;

	return offload->segment_bytes ? (uint32_t)offload->header_bytes + offload->segment_bytes
				      : packet->size_bytes;
}
