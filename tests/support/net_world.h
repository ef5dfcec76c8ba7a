/*
 * What the kernel's network code stands on, for tests as ordinary programs: memory that is counted and may run out, a clock that
 * the test sets, and frames to send. One test includes it once: it defines what the kernel's other parts define.
 */
#pragma once

#include <linux/if_ether.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cpu/clock.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "kernel/net/bridge.h"
#include "kernel/net/checksum.h"
#include "kernel/net/offload.h"
#include "kernel/net/wire.h"
#include "kernel/sched/thread.h"

static uint64_t world_now_ns;
static long world_pages, world_objects; /* given out; by any thread */
static long world_pages_max = 1 << 20;

void *page_alloc_dirty(void)
{
	void *page;

	if (__atomic_load_n(&world_pages, __ATOMIC_RELAXED) >= world_pages_max)
		return NULL;
	__atomic_fetch_add(&world_pages, 1, __ATOMIC_RELAXED);
	page = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
	return memset(page, 0xa5, PAGE_BYTES);
}

void page_free(void *page)
{
	__atomic_fetch_sub(&world_pages, 1, __ATOMIC_RELAXED);
	free(page);
}

void *object_alloc(struct object_cache *cache)
{
	__atomic_fetch_add(&world_objects, 1, __ATOMIC_RELAXED);
	return calloc(1, cache->size_bytes);
}

void object_free(struct object_cache *cache UNUSED, void *object)
{
	__atomic_fetch_sub(&world_objects, 1, __ATOMIC_RELAXED);
	free(object);
}

uint64_t clock_ns(void)
{
	return world_now_ns;
}

void thread_preempt(void)
{
}

/* --- frames --- */

enum {
	WORLD_IP = ETH_HLEN,
	WORLD_TCP = WORLD_IP + IPV4_HEADER_BYTES,
	WORLD_PAYLOAD = WORLD_TCP + TCP_HEADER_BYTES,
};

/* The station with this number; 0xff: everybody. */
static inline void world_mac(uint8_t *mac, uint32_t number)
{
	memset(mac, number == 0xff ? 0xff : 0, MAC_BYTES);
	if (number == 0xff)
		return;
	mac[0] = 2;
	put_be32(mac + 2, number);
}

static inline struct packet *world_frame(uint32_t to, uint32_t from, uint32_t size)
{
	struct packet *packet = packet_create(size);

	for (uint32_t at = 0, room; at < size; at += room) {
		uint8_t *bytes = packet_at(packet, at, &room);

		for (uint32_t i = 0; i < room; i++)
			bytes[i] = (uint8_t)((at + i) * 13 + ((at + i) >> 8));
	}
	world_mac(packet->first, to);
	world_mac(packet->first + MAC_BYTES, from);
	put_be16(packet->first + 12, 0x88b5);
	return packet;
}

/* TCP in IPv4 behind it, its checksum left open. */
static inline struct packet *world_tcp(uint32_t to, uint32_t from, uint32_t size)
{
	static const uint8_t ip[IPV4_HEADER_BYTES] = { 0x45, 0, 0,  0, 0, 7, 0,	 0, 64, 6,
						       0,    0, 10, 0, 0, 1, 10, 0, 0,	2 };
	struct packet *packet = world_frame(to, from, size);
	uint8_t *bytes = packet->first;

	put_be16(bytes + 12, ETH_P_IP);
	memcpy(bytes + WORLD_IP, ip, sizeof(ip));
	put_be16(bytes + WORLD_IP + IPV4_LENGTH, (uint16_t)(size - WORLD_IP));
	put_be16(bytes + WORLD_IP + IPV4_CHECKSUM,
		 (uint16_t)~checksum_sum(bytes + WORLD_IP, IPV4_HEADER_BYTES));
	memset(bytes + WORLD_TCP, 0, TCP_HEADER_BYTES);
	bytes[WORLD_TCP + TCP_OFFSET] = 5 << 4;
	bytes[WORLD_TCP + TCP_FLAGS] = TCP_FIN | TCP_PSH | TCP_CWR | 0x10;
	put_be32(bytes + WORLD_TCP + TCP_SEQUENCE, 0xfffff000);
	put_be16(bytes + WORLD_TCP + TCP_CHECKSUM,
		 checksum_fold(checksum_sum(bytes + WORLD_IP + 12, 8) + 6ull + size - WORLD_TCP));
	return packet;
}

static inline struct virtio_net_hdr world_header(uint8_t gso_type, uint16_t gso_size)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = gso_type,
		.gso_size = gso_size,
		.csum_start = WORLD_TCP,
		.csum_offset = TCP_CHECKSUM,
	};
}
