/*
 * The bridge between guests and wires that do anything: frames of any bytes and sizes behind any virtio-net header, ports that
 * come and go, cables that are pulled, receivers that are slow, memory that runs out. What must hold: nobody gets what he didn't
 * agree to take, or what is longer than a wire takes; nothing goes from an uplink to an uplink, or back to its port; queues stay
 * within their bound; what was taken is given back.
 */
#include <stdio.h>

#include "tests/support/fuzz_script.h"
#include "tests/support/net_world.h"

enum { PORTS = 6, FIRST_UPLINK = 4 };

struct port {
	struct net_device device;
	bool is_there;
	uint8_t took; /* OFFLOAD_* that it has ever taken since it came */
};

static struct port ports[PORTS];

static void ready(struct net_device *device)
{
	struct port *port = container_of(device, struct port, device);

	fuzz_claim(port->is_there);
	fuzz_claim(device->queue.memory_bytes <= NET_QUEUE_BYTES);
}

static void must_not_go(struct net_device *device UNUSED)
{
	fuzz_claim(false);
}

static const struct net_device_ops ops = { .ready = ready, .free = must_not_go };

static void plug(uint32_t number)
{
	struct port *port = &ports[number];

	if (port->is_there)
		return;
	*port = (struct port){ .device = { .ops = &ops, .refs = 1, .is_up = true } };
	snprintf(port->device.name, sizeof(port->device.name), "port%u", number);
	port->device.is_uplink = number >= FIRST_UPLINK;
	net_queue_init(&port->device.queue);
	fuzz_claim(!bridge_add(&port->device));
	port->is_there = true;
}

static void check_taken(const struct port *port, const struct packet *packet)
{
	const struct offload *offload = &packet->offload;

	fuzz_claim(!(offload->needs & ~port->took));
	fuzz_claim(packet->size_bytes >= ETH_HLEN && packet->size_bytes <= PACKET_BYTES_MAX);
	fuzz_claim(offload_wire_bytes(packet) <= BRIDGE_FRAME_MAX);
	if (offload->needs)
		fuzz_claim(offload->checksum_at + 2u <= packet->size_bytes);
	if (offload->segment_bytes)
		fuzz_claim(offload->needs & (OFFLOAD_TSO4 | OFFLOAD_TSO6) &&
			   offload->header_bytes < packet->size_bytes);
}

/* What was delivered makes a header that would be taken again, and says the same. */
static void check_header(struct packet *packet)
{
	struct virtio_net_hdr header = offload_to_header(packet), again;

	fuzz_claim(!offload_from_header(packet, &header));
	again = offload_to_header(packet);
	fuzz_claim(!memcmp(&header, &again, sizeof(header)));
}

static void drain(struct port *port, uint32_t count)
{
	struct packet *packet;

	while (count-- && (packet = net_queue_take(&port->device.queue))) {
		check_taken(port, packet);
		check_header(packet);
		packet_put(packet);
	}
}

static void unplug(uint32_t number)
{
	struct port *port = &ports[number];

	if (!port->is_there)
		return;
	port->is_there = false;
	bridge_remove(&port->device);
	fuzz_claim(port->device.refs == 1 && net_queue_is_empty(&port->device.queue));
}

/* One that is right, to be made wrong in some places, or just bytes. */
static struct packet *make_frame(struct fuzz_script *script, struct virtio_net_hdr *header)
{
	uint8_t how = (uint8_t)fuzz_take(script, 1), to = (uint8_t)fuzz_take(script, 1);
	uint32_t size = ETH_HLEN + (uint32_t)fuzz_take(script, 2), room;
	bool is_tcp = how & 1 && size >= WORLD_PAYLOAD;
	struct packet *packet;

	if (size > PACKET_BYTES_MAX)
		size = PACKET_BYTES_MAX;
	to = to % 9 == 8 ? 0xff : to % 9;
	world_pages_max = 1 << 20;
	packet = is_tcp ? world_tcp(to, (how >> 4) % 8, size)
			: world_frame(to, (how >> 4) % 8, size);
	*header = world_header(is_tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE, 1400);
	for (uint32_t changes = (how >> 1) % 4; changes; changes--) {
		uint32_t at = (uint32_t)fuzz_take(script, 1) % (uint32_t)min_u64(size, 100);

		*packet_at(packet, at, &room) = (uint8_t)fuzz_take(script, 1);
	}
	if (how & 8)
		for (size_t i = 0; i < sizeof(*header); i++)
			((uint8_t *)header)[i] ^= (uint8_t)fuzz_take(script, 1);
	return packet;
}

static void send(struct fuzz_script *script, struct port *port)
{
	struct net_stats before = port->device.out;
	struct virtio_net_hdr header;
	struct packet *packet;

	if (!port->is_there)
		return;
	packet = make_frame(script, &header);
	if (fuzz_take(script, 1) % 16 == 0)
		world_pages_max = world_pages + (long)fuzz_take(script, 1) % 32;
	if (!offload_from_header(packet, &header)) {
		bridge_forward(&port->device, packet);
		fuzz_claim(!memcmp(&before, &port->device.out, sizeof(before)));
	}
	packet_put(packet);
}

/* An uplink got nothing from another. */
static void send_checked(struct fuzz_script *script, struct port *port)
{
	uint64_t before[PORTS];

	for (uint32_t i = 0; i < PORTS; i++)
		before[i] = ports[i].device.out.packets;
	send(script, port);
	for (uint32_t i = FIRST_UPLINK; i < PORTS && port->device.is_uplink; i++)
		fuzz_claim(before[i] == ports[i].device.out.packets);
}

static void step(struct fuzz_script *script)
{
	uint8_t what = (uint8_t)fuzz_take(script, 1);
	uint32_t number = (what >> 4) % PORTS;
	struct port *port = &ports[number];

	switch (what & 15) {
	case 0:
		plug(number);
		break;
	case 1:
		unplug(number);
		break;
	case 2:
		if (port->is_there)
			bridge_set_up(&port->device, fuzz_take(script, 1) & 1);
		break;
	case 3:
		port->device.offloads = (uint32_t)fuzz_take(script, 1) & 15;
		port->took |= (uint8_t)port->device.offloads;
		break;
	case 4:
	case 5:
		if (port->is_there)
			drain(port, 1 + (uint32_t)fuzz_take(script, 1));
		break;
	case 6:
		world_now_ns += fuzz_take(script, 2) * 100000000;
		break;
	default:
		send_checked(script, port);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct fuzz_script script = { .bytes = bytes, .left = n };

	bridge_init(fuzz_take(&script, 2));
	world_now_ns = 0;
	for (uint32_t i = 0; i < PORTS; i++)
		plug(i);
	while (fuzz_has_more(&script))
		step(&script);
	for (uint32_t i = 0; i < PORTS; i++) {
		if (ports[i].is_there)
			drain(&ports[i], UINT32_MAX);
		unplug(i);
	}
	fuzz_claim(!world_pages && !world_objects);
	return 0;
}
