/*
 * Offloads: see offload.h. Headers here; segment.c does the work.
 */
#include <linux/in.h>

#include "kernel/net/offload.h"
#include "kernel/net/wire.h"

static bool is_vlan_tag(uint16_t ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD;
}

/* Where the network's header begins, behind up to two tags. @size: bytes that there are, at least ETH_HLEN. */
static uint32_t find_network(const uint8_t *bytes, uint32_t size, uint16_t *ethertype)
{
	uint32_t at = ETH_HLEN;

	*ethertype = get_be16(bytes + at - 2);
	for (uint32_t i = 0; i < 2 && is_vlan_tag(*ethertype) && at + VLAN_TAG_BYTES <= size; i++) {
		at += VLAN_TAG_BYTES;
		*ethertype = get_be16(bytes + at - 2);
	}
	return at;
}

/* Is there an IPv4 header from @at right up to a TCP header at @tcp? The frame goes on for a TCP header at least. */
static bool is_tcp4(const uint8_t *bytes, uint32_t at, uint32_t tcp)
{
	uint32_t header_bytes;

	if (at + IPV4_HEADER_BYTES > tcp || bytes[at] >> 4 != 4)
		return false;
	header_bytes = (bytes[at] & 0xfu) * 4;
	return at + header_bytes == tcp && bytes[at + IPV4_PROTOCOL] == IPPROTO_TCP;
}

/* Extension headers in between are copied as they are. */
static bool is_tcp6(const uint8_t *bytes, uint32_t at, uint32_t tcp)
{
	return at + IPV6_HEADER_BYTES <= tcp && bytes[at] >> 4 == 6;
}

/* A frame to be cut is TCP, and its checksum is left open at the place where TCP has it. */
static int parse_tcp(const struct packet *packet, const struct virtio_net_hdr *header,
		     struct offload *offload)
{
	uint8_t type = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t size = (uint32_t)min_u64(packet->size_bytes, OFFLOAD_HEADERS_MAX);
	uint32_t tcp = offload->checksum_from, network, end;
	const uint8_t *bytes = packet->first;
	uint16_t ethertype;
	bool is_right;

	if (type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6)
		return -EINVAL;
	if (!offload->needs || !header->gso_size || tcp + TCP_HEADER_BYTES > size ||
	    offload->checksum_at != tcp + TCP_CHECKSUM)
		return -EINVAL;
	network = find_network(bytes, size, &ethertype);
	is_right = type == VIRTIO_NET_HDR_GSO_TCPV4
			   ? ethertype == ETH_P_IP && is_tcp4(bytes, network, tcp)
			   : ethertype == ETH_P_IPV6 && is_tcp6(bytes, network, tcp);
	end = tcp + (bytes[tcp + TCP_OFFSET] >> 4) * 4u;
	if (!is_right || end < tcp + TCP_HEADER_BYTES || end > size)
		return -EINVAL;
	if (packet->size_bytes - end <= header->gso_size)
		return 0; /* there is nothing to cut */
	offload->needs |= type == VIRTIO_NET_HDR_GSO_TCPV4 ? OFFLOAD_TSO4 : OFFLOAD_TSO6;
	if (header->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		offload->needs |= OFFLOAD_ECN;
	offload->segment_bytes = header->gso_size;
	offload->network_at = (uint16_t)network;
	offload->header_bytes = (uint16_t)end;
	return 0;
}

int offload_from_header(struct packet *packet, const struct virtio_net_hdr *header)
{
	struct offload offload = { 0 };
	uint32_t at = (uint32_t)header->csum_start + header->csum_offset;
	int err = 0;

	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (header->csum_start < ETH_HLEN || at + sizeof(uint16_t) > packet->size_bytes ||
		    at > UINT16_MAX)
			return -EINVAL;
		offload.needs = OFFLOAD_CHECKSUM;
		offload.checksum_from = header->csum_start;
		offload.checksum_at = (uint16_t)at;
	}
	offload.is_checked = !!(header->flags & VIRTIO_NET_HDR_F_DATA_VALID);
	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		err = parse_tcp(packet, header, &offload);
	if (!err)
		packet->offload = offload;
	return err;
}

struct virtio_net_hdr offload_to_header(const struct packet *packet)
{
	const struct offload *offload = &packet->offload;
	struct virtio_net_hdr header = { 0 };

	if (offload->needs & OFFLOAD_CHECKSUM) {
		header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header.csum_start = offload->checksum_from;
		header.csum_offset = (uint16_t)(offload->checksum_at - offload->checksum_from);
	} else if (offload->is_checked) {
		header.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (offload->segment_bytes) {
		header.gso_type = offload->needs & OFFLOAD_TSO4 ? VIRTIO_NET_HDR_GSO_TCPV4
								: VIRTIO_NET_HDR_GSO_TCPV6;
		if (offload->needs & OFFLOAD_ECN)
			header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
		header.gso_size = offload->segment_bytes;
		header.hdr_len = offload->header_bytes;
	}
	return header;
}
