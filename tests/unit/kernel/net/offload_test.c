/*
 * Offloads: what a header may ask for, and the work itself.
 */
#include <errno.h>

#include "tests/support/cmocka.h"
#include "tests/support/net_world.h"

enum { LARGE = 20000, SEGMENT = 1400 };

/* A large frame with @header, and @change to its bytes. Returns what came of it. */
static int try_header(struct virtio_net_hdr header, uint32_t at, uint8_t value)
{
	struct packet *packet = world_tcp(1, 2, LARGE);
	int err;

	if (at)
		packet->first[at] = value;
	err = offload_from_header(packet, &header);
	packet_put(packet);
	return err;
}

static void a_header_that_does_not_fit_its_frame_is_refused(void **state UNUSED)
{
	struct virtio_net_hdr good = world_header(VIRTIO_NET_HDR_GSO_TCPV4, SEGMENT), header;

	assert_int_equal(try_header(good, 0, 0), 0);
#define REFUSED(change)                                              \
	do {                                                         \
		header = good;                                       \
		change;                                              \
		assert_int_equal(try_header(header, 0, 0), -EINVAL); \
	} while (0)
	REFUSED(header.flags = 0);
	REFUSED(header.gso_size = 0);
	REFUSED(header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6);
	REFUSED(header.gso_type = VIRTIO_NET_HDR_GSO_UDP);
	REFUSED(header.gso_type = 5);
	REFUSED(header.gso_type = VIRTIO_NET_HDR_GSO_ECN);
	REFUSED(header.gso_type = 2);
	REFUSED(header.csum_start = WORLD_TCP + 4);
	REFUSED(header.csum_start = WORLD_IP);
	REFUSED(header.csum_start = ETH_HLEN - 1);
	REFUSED(header.csum_start = LARGE - 17);
	REFUSED(header.csum_start = UINT16_MAX);
	REFUSED(header.csum_offset = 6);
	REFUSED(header.csum_offset = UINT16_MAX);
#undef REFUSED
	/* Not IP; IPv6; options that overlap TCP; not TCP; TCP's header too short, and longer than may be. */
	assert_int_equal(try_header(good, 13, 6), -EINVAL);
	assert_int_equal(try_header(good, WORLD_IP, 0x65), -EINVAL);
	assert_int_equal(try_header(good, WORLD_IP, 0x46), -EINVAL);
	assert_int_equal(try_header(good, WORLD_IP + IPV4_PROTOCOL, 17), -EINVAL);
	assert_int_equal(try_header(good, WORLD_TCP + TCP_OFFSET, 4 << 4), -EINVAL);
}

static void a_short_frame_has_room_for_its_checksum_or_is_refused(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_NONE, 0);
	struct packet *packet = world_frame(1, 2, 60);

	header.csum_offset = 60 - WORLD_TCP - 2;
	assert_int_equal(offload_from_header(packet, &header), 0);
	header.csum_offset++;
	assert_int_equal(offload_from_header(packet, &header), -EINVAL);
	packet_put(packet);
	/* A TCP header that the frame ends in. */
	packet = world_tcp(1, 2, WORLD_PAYLOAD);
	header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, SEGMENT);
	packet->first[WORLD_TCP + TCP_OFFSET] = 6 << 4;
	assert_int_equal(offload_from_header(packet, &header), -EINVAL);
	packet_put(packet);
}

static void headers_come_out_as_they_went_in(void **state UNUSED)
{
	struct virtio_net_hdr header =
		world_header(VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, SEGMENT);
	struct packet *packet = world_tcp(1, 2, LARGE);
	struct virtio_net_hdr out;

	assert_int_equal(offload_from_header(packet, &header), 0);
	assert_int_equal(packet->offload.needs, OFFLOAD_CHECKSUM | OFFLOAD_TSO4 | OFFLOAD_ECN);
	out = offload_to_header(packet);
	header.hdr_len = WORLD_PAYLOAD;
	assert_memory_equal(&out, &header, sizeof(out));
	packet_put(packet);
}

static void what_fits_one_segment_is_not_to_be_cut(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, SEGMENT);
	struct packet *packet = world_tcp(1, 2, WORLD_PAYLOAD + SEGMENT);

	assert_int_equal(offload_from_header(packet, &header), 0);
	assert_int_equal(packet->offload.needs, OFFLOAD_CHECKSUM);
	packet_put(packet);
}

static bool is_tcp_right(const struct packet *packet, uint32_t tcp, uint32_t addresses,
			 uint32_t addresses_bytes)
{
	uint32_t size = packet->size_bytes - tcp;
	uint64_t pseudo = packet_sum(packet, addresses, addresses_bytes) + 6ull + size;

	return checksum_fold(pseudo + packet_sum(packet, tcp, size)) == 0xffff;
}

static void check_segment(const struct packet *segment, const struct packet *whole, uint32_t done,
			  bool is_last)
{
	const uint8_t *ip = segment->first + WORLD_IP, *tcp = segment->first + WORLD_TCP;
	uint32_t room;

	assert_int_equal(segment->offload.needs, 0);
	assert_int_equal(checksum_sum(ip, IPV4_HEADER_BYTES), 0xffff);
	assert_int_equal(get_be16(ip + IPV4_LENGTH), segment->size_bytes - WORLD_IP);
	assert_int_equal(get_be16(ip + IPV4_ID), 7 + done / SEGMENT);
	assert_int_equal(get_be32(tcp + TCP_SEQUENCE), 0xfffff000 + done);
	assert_int_equal(!!(tcp[TCP_FLAGS] & TCP_CWR), !done);
	assert_int_equal(!!(tcp[TCP_FLAGS] & TCP_FIN), is_last);
	assert_int_equal(!!(tcp[TCP_FLAGS] & TCP_PSH), is_last);
	assert_true(is_tcp_right(segment, WORLD_TCP, WORLD_IP + 12, 8));
	for (uint32_t i = WORLD_PAYLOAD; i < segment->size_bytes; i++)
		assert_int_equal(*packet_at(segment, i, &room), *packet_at(whole, i + done, &room));
}

static void a_large_frame_is_cut_to_whole_segments(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, SEGMENT);

	/* One byte in the last; whole segments; the longest. */
	for (uint32_t i = 0; i < 4; i++) {
		static const uint32_t payloads[] = { SEGMENT + 1, 10 * SEGMENT, 19999, 65535 - 40 };
		struct packet *whole = world_tcp(1, 2, WORLD_PAYLOAD + payloads[i]), *chain;
		uint32_t done = 0;

		assert_int_equal(offload_from_header(whole, &header), 0);
		assert_int_equal(offload_finish(whole, &chain), 0);
		for (struct packet *segment = chain; segment; segment = segment->next) {
			uint32_t payload = segment->size_bytes - WORLD_PAYLOAD;

			assert_true(payload == SEGMENT || !segment->next);
			check_segment(segment, whole, done, !segment->next);
			done += payload;
		}
		assert_int_equal(done, payloads[i]);
		packet_put_chain(chain);
		packet_put(whole);
		assert_int_equal(world_pages, 0);
	}
}

/* As @packet, with @bytes more before its IP header. */
static struct packet *with_tags(struct packet *packet, uint32_t tags)
{
	struct packet *tagged = packet_create(packet->size_bytes + 4 * tags);

	packet_copy(tagged, 0, packet, 0, 12);
	for (uint32_t i = 0; i < tags; i++)
		put_be32(tagged->first + 12 + 4 * i, 0x81000005);
	packet_copy(tagged, 12 + 4 * tags, packet, 12, packet->size_bytes - 12);
	packet_put(packet);
	return tagged;
}

static void tags_of_vlans_are_kept(void **state UNUSED)
{
	for (uint32_t tags = 1; tags < 4; tags++) {
		struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, SEGMENT);
		struct packet *whole = with_tags(world_tcp(1, 2, LARGE), tags), *chain;

		header.csum_start = (uint16_t)(header.csum_start + 4 * tags);
		assert_int_equal(offload_from_header(whole, &header), tags < 3 ? 0 : -EINVAL);
		if (tags < 3) {
			assert_int_equal(offload_finish(whole, &chain), 0);
			assert_int_equal(get_be32(chain->next->first + 12), 0x81000005);
			assert_true(is_tcp_right(chain->next, header.csum_start,
						 header.csum_start - 8u, 8));
			packet_put_chain(chain);
		}
		packet_put(whole);
	}
}

static void ipv6_is_cut_too(void **state UNUSED)
{
	enum { TCP6 = WORLD_IP + IPV6_HEADER_BYTES };
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV6, SEGMENT);
	struct packet *whole = world_frame(1, 2, LARGE), *chain;
	uint8_t *bytes = whole->first;

	put_be16(bytes + 12, ETH_P_IPV6);
	bytes[WORLD_IP] = 0x60;
	bytes[WORLD_IP + 6] = 6;
	bytes[TCP6 + TCP_OFFSET] = 8 << 4;
	put_be16(bytes + TCP6 + TCP_CHECKSUM,
		 checksum_fold(checksum_sum(bytes + WORLD_IP + 8, 32) + 6ull + LARGE - TCP6));
	header.csum_start = TCP6;
	assert_int_equal(offload_from_header(whole, &header), 0);
	assert_int_equal(whole->offload.header_bytes, TCP6 + 32);
	assert_int_equal(offload_finish(whole, &chain), 0);
	for (struct packet *segment = chain; segment; segment = segment->next) {
		assert_int_equal(get_be16(segment->first + WORLD_IP + IPV6_LENGTH),
				 segment->size_bytes - TCP6);
		assert_true(is_tcp_right(segment, TCP6, WORLD_IP + 8, 32));
	}
	packet_put_chain(chain);
	packet_put(whole);
}

static void an_open_checksum_is_filled_in_a_copy(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_NONE, 0);
	struct packet *packet = world_tcp(1, 2, 1001), *copy;
	uint16_t before = get_be16(packet->first + WORLD_TCP + TCP_CHECKSUM);

	assert_int_equal(offload_from_header(packet, &header), 0);
	assert_int_equal(offload_finish(packet, &copy), 0);
	assert_true(is_tcp_right(copy, WORLD_TCP, WORLD_IP + 12, 8));
	assert_int_equal(get_be16(packet->first + WORLD_TCP + TCP_CHECKSUM), before);
	assert_null(copy->next);
	packet_put(copy);
	packet_put(packet);
}

/* For UDP a checksum of 0 says that there is none. */
static void a_sum_that_comes_to_0_is_written_otherwise(void **state UNUSED)
{
	struct virtio_net_hdr header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					 .csum_start = 50,
					 .csum_offset = 4 };
	struct packet *packet = world_frame(1, 2, 60), *copy;

	memset(packet->first + 50, 0, 10);
	put_be16(packet->first + 50, 0xffff);
	assert_int_equal(offload_from_header(packet, &header), 0);
	assert_int_equal(offload_finish(packet, &copy), 0);
	assert_int_equal(get_be16(copy->first + 54), 0xffff);
	packet_put(copy);
	packet_put(packet);
}

static void nobody_has_a_frame_cut_to_dust(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, 1);
	struct packet *packet = world_tcp(1, 2, WORLD_PAYLOAD + OFFLOAD_SEGMENTS_MAX), *chain;

	assert_int_equal(offload_from_header(packet, &header), 0);
	assert_int_equal(offload_finish(packet, &chain), 0);
	packet_put_chain(chain);
	packet_put(packet);
	packet = world_tcp(1, 2, WORLD_PAYLOAD + OFFLOAD_SEGMENTS_MAX + 1);
	assert_int_equal(offload_from_header(packet, &header), 0);
	assert_int_equal(offload_finish(packet, &chain), -EMSGSIZE);
	packet_put(packet);
}

static void without_memory_there_is_an_error_and_nothing_is_kept(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, SEGMENT);
	struct packet *packet = world_tcp(1, 2, LARGE), *chain;
	long own = world_pages;

	assert_int_equal(offload_from_header(packet, &header), 0);
	for (long more = 0; more < 15; more++) {
		world_pages_max = own + more;
		assert_int_equal(offload_finish(packet, &chain), -ENOMEM);
		assert_int_equal(world_pages, own);
	}
	world_pages_max = 1 << 20;
	packet_put(packet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_that_does_not_fit_its_frame_is_refused),
		cmocka_unit_test(a_short_frame_has_room_for_its_checksum_or_is_refused),
		cmocka_unit_test(headers_come_out_as_they_went_in),
		cmocka_unit_test(what_fits_one_segment_is_not_to_be_cut),
		cmocka_unit_test(a_large_frame_is_cut_to_whole_segments),
		cmocka_unit_test(tags_of_vlans_are_kept),
		cmocka_unit_test(ipv6_is_cut_too),
		cmocka_unit_test(an_open_checksum_is_filled_in_a_copy),
		cmocka_unit_test(a_sum_that_comes_to_0_is_written_otherwise),
		cmocka_unit_test(nobody_has_a_frame_cut_to_dust),
		cmocka_unit_test(without_memory_there_is_an_error_and_nothing_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
