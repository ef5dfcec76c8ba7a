/*
 * A frame of a network: see packet.h.
 */
#include <string.h>

#include "kernel/mem/frame.h"
#include "kernel/net/checksum.h"
#include "kernel/net/packet.h"

static uint32_t pages_for(uint32_t size_bytes)
{
	return (uint32_t)((sizeof(struct packet) + size_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
}

struct packet *packet_create(uint32_t size_bytes)
{
	struct packet *packet = page_alloc_dirty();

	if (!packet)
		return NULL;
	*packet = (struct packet){ .refs = 1, .size_bytes = size_bytes, .nr_pages = 1 };
	for (; packet->nr_pages < pages_for(size_bytes); packet->nr_pages++) {
		uint8_t *page = page_alloc_dirty();

		if (!page) {
			packet_put(packet);
			return NULL;
		}
		packet->pages[packet->nr_pages - 1] = page;
	}
	return packet;
}

void packet_get(struct packet *packet)
{
	__atomic_fetch_add(&packet->refs, 1, __ATOMIC_RELAXED);
}

void packet_put(struct packet *packet)
{
	if (__atomic_sub_fetch(&packet->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (uint32_t i = 0; i + 1 < packet->nr_pages; i++)
		page_free(packet->pages[i]);
	page_free(packet);
}

void packet_put_chain(struct packet *first)
{
	while (first) {
		struct packet *next = first->next;

		packet_put(first);
		first = next;
	}
}

uint8_t *packet_at(const struct packet *packet, uint32_t offset, uint32_t *room)
{
	uint32_t left = packet->size_bytes - offset, page, within;

	if (offset < PACKET_FIRST_BYTES) {
		*room = (uint32_t)min_u64(left, PACKET_FIRST_BYTES - offset);
		return (uint8_t *)packet + sizeof(*packet) + offset;
	}
	page = (offset - PACKET_FIRST_BYTES) / (uint32_t)PAGE_BYTES;
	within = (offset - PACKET_FIRST_BYTES) % (uint32_t)PAGE_BYTES;
	*room = (uint32_t)min_u64(left, PAGE_BYTES - within);
	return packet->pages[page] + within;
}

void packet_fill(struct packet *packet, uint32_t offset, const void *from, uint32_t size)
{
	const uint8_t *bytes = from;

	while (size) {
		uint32_t room;
		uint8_t *to = packet_at(packet, offset, &room);
		uint32_t step = (uint32_t)min_u64(room, size);

		memcpy(to, bytes, step);
		bytes += step;
		offset += step;
		size -= step;
	}
}

void packet_copy(struct packet *to, uint32_t to_offset, const struct packet *from,
		 uint32_t from_offset, uint32_t size)
{
	while (size) {
		uint32_t room;
		const uint8_t *bytes = packet_at(from, from_offset, &room);
		uint32_t step = (uint32_t)min_u64(room, size);

		packet_fill(to, to_offset, bytes, step);
		to_offset += step;
		from_offset += step;
		size -= step;
	}
}

/* A piece that begins in the middle of a 16-bit word has its bytes the other way round. */
uint16_t packet_sum(const struct packet *packet, uint32_t offset, uint32_t size)
{
	uint32_t sum = 0, end = offset + size;

	for (uint32_t at = offset; at < end;) {
		uint32_t room;
		const uint8_t *bytes = packet_at(packet, at, &room);
		uint32_t step = (uint32_t)min_u64(room, end - at);
		uint16_t piece = checksum_sum(bytes, step);

		sum += (at - offset) % 2 ? __builtin_bswap16(piece) : piece;
		at += step;
	}
	return checksum_fold(sum);
}
