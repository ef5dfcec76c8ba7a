/*
 * The work that offloads leave, done in software: checksums, and TCP cut to segments. See offload.h.
 */
#include <string.h>

#include "kernel/net/checksum.h"
#include "kernel/net/offload.h"
#include "kernel/net/wire.h"

/* The field holds the pseudo header's sum. A result of 0 is written as its other form: UDP takes 0 for "none". */
static void fill_checksum(struct packet *packet, uint32_t from, uint32_t at)
{
	uint16_t sum = (uint16_t)~packet_sum(packet, from, packet->size_bytes - from);
	uint8_t field[2];

	put_be16(field, sum ?: 0xffff);
	packet_fill(packet, at, field, sizeof(field));
}

static struct packet *copy_of(const struct packet *packet)
{
	struct packet *copy = packet_create(packet->size_bytes);

	if (copy)
		packet_copy(copy, 0, packet, 0, packet->size_bytes);
	return copy;
}

/* --- segments --- */

/* IPv4 counts the whole packet, names each by a number and sums its header; IPv6 counts what follows. */
static void fix_network(uint8_t *bytes, const struct packet *whole, uint32_t size, uint32_t index)
{
	const struct offload *offload = &whole->offload;
	uint32_t at = offload->network_at, header_bytes;

	if (offload->needs & OFFLOAD_TSO6) {
		put_be16(bytes + at + IPV6_LENGTH, (uint16_t)(size - at - IPV6_HEADER_BYTES));
		return;
	}
	header_bytes = offload->checksum_from - at;
	put_be16(bytes + at + IPV4_LENGTH, (uint16_t)(size - at));
	put_be16(bytes + at + IPV4_ID, (uint16_t)(get_be16(bytes + at + IPV4_ID) + index));
	put_be16(bytes + at + IPV4_CHECKSUM, 0);
	put_be16(bytes + at + IPV4_CHECKSUM, (uint16_t)~checksum_sum(bytes + at, header_bytes));
}

/* The pseudo header's sum has the length in it: the whole's is taken out and the segment's put in. */
static void fix_transport(uint8_t *bytes, const struct packet *whole, uint32_t size, uint32_t done,
			  bool is_last)
{
	uint32_t from = whole->offload.checksum_from;
	uint8_t *tcp = bytes + from;
	uint16_t old_bytes = checksum_fold(whole->size_bytes - from);

	put_be32(tcp + TCP_SEQUENCE, get_be32(tcp + TCP_SEQUENCE) + done);
	if (!is_last)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (done)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	put_be16(tcp + TCP_CHECKSUM, checksum_fold((uint64_t)get_be16(tcp + TCP_CHECKSUM) +
						   (uint16_t)~old_bytes + (size - from)));
}

/* The segment whose payload begins @done bytes into the whole's. */
static struct packet *make_segment(const struct packet *whole, uint32_t done)
{
	const struct offload *offload = &whole->offload;
	uint32_t header_bytes = offload->header_bytes;
	uint32_t left = whole->size_bytes - header_bytes - done;
	uint32_t payload = (uint32_t)min_u64(left, offload->segment_bytes);
	struct packet *segment = packet_create(header_bytes + payload);

	if (!segment)
		return NULL;
	packet_copy(segment, 0, whole, 0, header_bytes);
	packet_copy(segment, header_bytes, whole, header_bytes + done, payload);
	fix_network(segment->first, whole, segment->size_bytes, done / offload->segment_bytes);
	fix_transport(segment->first, whole, segment->size_bytes, done, payload == left);
	fill_checksum(segment, offload->checksum_from, offload->checksum_at);
	return segment;
}

static int cut(const struct packet *whole, struct packet **chain)
{
	uint32_t payload = whole->size_bytes - whole->offload.header_bytes;
	uint32_t step = whole->offload.segment_bytes;
	struct packet *first = NULL, **last = &first;

	if ((payload + step - 1) / step > OFFLOAD_SEGMENTS_MAX)
		return -EMSGSIZE;
	for (uint32_t done = 0; done < payload; done += step) {
		*last = make_segment(whole, done);
		if (!*last) {
			packet_put_chain(first);
			return -ENOMEM;
		}
		last = &(*last)->next;
	}
	*chain = first;
	return 0;
}

int offload_finish(const struct packet *packet, struct packet **chain)
{
	const struct offload *offload = &packet->offload;
	struct packet *copy;

	if (offload->segment_bytes)
		return cut(packet, chain);
	copy = copy_of(packet);
	if (!copy)
		return -ENOMEM;
	if (offload->needs & OFFLOAD_CHECKSUM)
		fill_checksum(copy, offload->checksum_from, offload->checksum_at);
	*chain = copy;
	return 0;
}
