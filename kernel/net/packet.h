/*
 * A frame of a network on its way through the host: bytes in pages, and what is left to do to them.
 *
 *   - packet_create() gives one reference. Its maker fills all of it: pages aren't zeroed. From the moment it is forwarded it
 *     is read only, and shared by everybody who gets it.
 *   - The bytes lie in pieces: packet_at() says how far they go on. The first PACKET_FIRST_BYTES are in one piece.
 *
 * Fields: [I] immutable once forwarded  [a] atomic  [H] whoever holds the only reference
 * Context: any.
 */
#pragma once

#include <linux/if_ether.h>

#include "kernel/arch/paging.h"
#include "lib/compiler.h"

enum {
	VLAN_TAG_BYTES = 4,
	/* The longest IP packet in an Ethernet frame. */
	PACKET_BYTES_MAX = UINT16_MAX + ETH_HLEN + 2 * VLAN_TAG_BYTES,
	PACKET_PAGES_MAX = 17,
};

enum {
	OFFLOAD_CHECKSUM = 1 << 0,
	OFFLOAD_TSO4 = 1 << 1,
	OFFLOAD_TSO6 = 1 << 2,
	OFFLOAD_ECN = 1 << 3,
};

/* Offsets count from the start of the frame. */
struct offload {
	uint8_t needs;		/* OFFLOAD_*; 0: the frame is as it goes on a wire */
	uint8_t is_checked;	/* whoever received it from a wire has verified its checksum */
	uint16_t checksum_from; /* where the sum begins, to the frame's end */
	uint16_t checksum_at;	/* where it goes; a pseudo header's sum is there already */
	uint16_t segment_bytes; /* of payload in each segment; 0: it isn't to be cut */
	uint16_t network_at;	/* for frames to be cut: the IP header */
	uint16_t header_bytes;	/* for frames to be cut: up to the end of the TCP header */
};

struct packet {
	uint32_t refs;				      /* [a] */
	uint32_t size_bytes;			      /* [I] */
	uint32_t nr_pages;			      /* [I] with the one that this is in */
	struct offload offload;			      /* [I] */
	struct packet *next;			      /* [H] in a chain */
	uint8_t *pages[PACKET_PAGES_MAX - 1];	      /* [I] */
	uint8_t first[] __attribute__((aligned(64))); /* [I] to the end of the page */
};

#define PACKET_FIRST_BYTES ((uint32_t)(PAGE_BYTES - sizeof(struct packet)))
/* The most that one takes. */
#define PACKET_MEMORY_BYTES ((uint32_t)(PACKET_PAGES_MAX * PAGE_BYTES))

static_assert(PAGE_BYTES * PACKET_PAGES_MAX - sizeof(struct packet) >= PACKET_BYTES_MAX,
	      "the longest one fits");

/* @size_bytes: at most PACKET_BYTES_MAX. NULL for want of memory. */
struct packet *packet_create(uint32_t size_bytes);
void packet_get(struct packet *packet);
void packet_put(struct packet *packet);

/* Of a chain: each of them. */
void packet_put_chain(struct packet *first);

/* The byte at @offset, which is inside, and how many lie there in one piece. */
uint8_t *packet_at(const struct packet *packet, uint32_t offset, uint32_t *room);

/* Inside both. */
void packet_fill(struct packet *packet, uint32_t offset, const void *from, uint32_t size);
void packet_copy(struct packet *to, uint32_t to_offset, const struct packet *from,
		 uint32_t from_offset, uint32_t size);

/* The Internet's checksum's sum (RFC 1071) over a range inside, not complemented. */
uint16_t packet_sum(const struct packet *packet, uint32_t offset, uint32_t size);

static inline uint32_t packet_memory(const struct packet *packet)
{
	return packet->nr_pages * (uint32_t)PAGE_BYTES;
}
