/*
 * Which ports of the bridge a frame goes to, and in what form.
 */
#include <errno.h>
#include <stdio.h>

#include "tests/support/cmocka.h"
#include "tests/support/net_world.h"

enum { PORTS = 6, UPLINK = 4, STANDBY = 5, EVERYBODY = 0xff };

static struct net_device ports[PORTS];
static int nr_ready;

static void ready(struct net_device *device UNUSED)
{
	nr_ready++;
}

static void must_not_go(struct net_device *device UNUSED)
{
	fail();
}

static const struct net_device_ops ops = { .ready = ready, .free = must_not_go };

static void init_port(struct net_device *port, const char *name)
{
	*port = (struct net_device){ .ops = &ops, .refs = 1, .is_up = true };
	snprintf(port->name, sizeof(port->name), "%s", name);
	net_queue_init(&port->queue);
}

/* Four taps and two uplinks. */
static int setup(void **state UNUSED)
{
	bridge_init(12345);
	world_now_ns += 1000000000;
	for (uint32_t i = 0; i < PORTS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "port%u", i);
		init_port(&ports[i], name);
		ports[i].is_uplink = i >= UPLINK;
		assert_int_equal(bridge_add(&ports[i]), 0);
	}
	return 0;
}

static int teardown(void **state UNUSED)
{
	for (uint32_t i = 0; i < PORTS; i++) {
		if (!ports[i].queue.is_closed)
			bridge_remove(&ports[i]);
		assert_int_equal(ports[i].refs, 1);
	}
	assert_int_equal(world_pages, 0);
	assert_int_equal(world_objects, 0);
	return 0;
}

static void send_packet(uint32_t port, struct packet *packet)
{
	bridge_forward(&ports[port], packet);
	packet_put(packet);
}

static void send(uint32_t port, uint32_t to, uint32_t from)
{
	send_packet(port, world_frame(to, from, 60));
}

/* Bit N: port N got something. Takes it. */
static uint32_t who_got(void)
{
	uint32_t got = 0;

	for (uint32_t i = 0; i < PORTS; i++) {
		struct packet *packet;

		while ((packet = net_queue_take(&ports[i].queue))) {
			got |= 1u << i;
			packet_put(packet);
		}
	}
	return got;
}

static void an_unknown_station_is_looked_for_everywhere_else(void **state UNUSED)
{
	send(0, 20, 10);
	assert_int_equal(who_got(), 0x1e);
	send(UPLINK, 30, 40);
	assert_int_equal(who_got(), 0x0f);
	send(1, EVERYBODY, 11);
	assert_int_equal(who_got(), 0x1d);
}

static void a_known_station_gets_its_frames_alone(void **state UNUSED)
{
	send(2, EVERYBODY, 12);
	(void)who_got();
	send(0, 12, 10);
	assert_int_equal(who_got(), 0x04);
	send(UPLINK, 12, 40);
	assert_int_equal(who_got(), 0x04);
	send(2, 40, 12);
	assert_int_equal(who_got(), 1 << UPLINK);
	/* Behind the port that it comes from. */
	send(2, 12, 13);
	assert_int_equal(who_got(), 0);
}

static void one_uplink_is_used_at_a_time(void **state UNUSED)
{
	send(STANDBY, EVERYBODY, 40);
	assert_int_equal(who_got(), 0);
	send(UPLINK, EVERYBODY, 41);
	assert_int_equal(who_got(), 0x0f);
	bridge_set_up(&ports[UPLINK], false);
	send(0, 41, 10);
	assert_int_equal(who_got(), 0x0e | 1 << STANDBY);
	send(STANDBY, EVERYBODY, 40);
	assert_int_equal(who_got(), 0x0f);
	bridge_set_up(&ports[STANDBY], false);
	send(0, 40, 10);
	assert_int_equal(who_got(), 0x0e);
	bridge_set_up(&ports[UPLINK], true);
	send(0, 40, 10);
	assert_int_equal(who_got(), 0x0e | 1 << UPLINK);
}

static void addresses_of_the_link_itself_go_nowhere(void **state UNUSED)
{
	static const uint8_t group[MAC_BYTES] = { 0x01, 0x80, 0xc2, 0, 0, 0 };

	for (uint8_t last = 0; last < 32; last++) {
		struct packet *packet = world_frame(EVERYBODY, 10, 60);

		memcpy(packet->first, group, MAC_BYTES);
		packet->first[5] = last;
		send_packet(0, packet);
		assert_int_equal(who_got(), last < 16 ? 0 : 0x1e);
	}
}

static void a_group_is_no_sender(void **state UNUSED)
{
	send(0, 20, EVERYBODY);
	assert_int_equal(who_got(), 0);
	assert_int_equal(ports[0].in.dropped, 1);
}

static void frames_longer_than_a_wire_takes_are_dropped(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, 1500);
	struct packet *packet;

	send_packet(0, world_frame(EVERYBODY, 10, BRIDGE_FRAME_MAX));
	assert_int_equal(who_got(), 0x1e);
	send_packet(0, world_frame(EVERYBODY, 10, BRIDGE_FRAME_MAX + 1));
	assert_int_equal(who_got(), 0);
	send_packet(0, world_frame(EVERYBODY, 10, ETH_HLEN - 1));
	assert_int_equal(who_got(), 0);
	packet = world_tcp(EVERYBODY, 10, 20000);
	assert_int_equal(offload_from_header(packet, &header), 0);
	send_packet(0, packet);
	assert_int_equal(who_got(), 0);
	assert_int_equal(ports[0].in.dropped, 3);
}

/* How many frames, and what is left to do to them. */
static uint32_t count_forms(struct net_device *port, uint8_t *needs)
{
	struct packet *packet;
	uint32_t count = 0;

	for (*needs = 0; (packet = net_queue_take(&port->queue)); count++) {
		*needs |= packet->offload.needs;
		packet_put(packet);
	}
	return count;
}

static void everybody_gets_the_form_that_he_takes(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, 1400);
	struct packet *packet = world_tcp(EVERYBODY, 10, 20000);
	uint8_t needs;

	ports[1].offloads = OFFLOAD_CHECKSUM | OFFLOAD_TSO4;
	ports[2].offloads = OFFLOAD_CHECKSUM | OFFLOAD_TSO6;
	assert_int_equal(offload_from_header(packet, &header), 0);
	nr_ready = 0;
	send_packet(0, packet);
	assert_int_equal(nr_ready, 4);
	assert_int_equal(count_forms(&ports[1], &needs), 1);
	assert_int_equal(needs, OFFLOAD_CHECKSUM | OFFLOAD_TSO4);
	for (uint32_t i = 2; i <= UPLINK; i++) {
		assert_int_equal(count_forms(&ports[i], &needs), 15);
		assert_int_equal(needs, 0);
	}
}

/* All who need it cut share the pieces. */
static void a_flood_of_large_frames_is_cut_once(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, 1400);
	struct packet *packet = world_tcp(EVERYBODY, 10, 20000);

	assert_int_equal(offload_from_header(packet, &header), 0);
	send_packet(0, packet);
	assert_int_equal(world_pages, 15);
}

static void a_frame_that_nobody_can_finish_is_lost_where_it_is_needed(void **state UNUSED)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, 1);
	struct packet *packet = world_tcp(EVERYBODY, 10, 20000);

	ports[1].offloads = OFFLOAD_CHECKSUM | OFFLOAD_TSO4;
	assert_int_equal(offload_from_header(packet, &header), 0);
	send_packet(0, packet);
	assert_int_equal(who_got(), 0x02);
	assert_int_equal(ports[2].out.dropped, 1);
}

static void a_port_that_goes_takes_its_name_and_addresses_along(void **state UNUSED)
{
	struct net_device other;

	send(2, EVERYBODY, 12);
	send(0, 12, 10);
	assert_non_null(bridge_find("port2"));
	net_device_put(&ports[2]);
	bridge_remove(&ports[2]);
	assert_null(bridge_find("port2"));
	(void)who_got();
	init_port(&other, "port2");
	assert_int_equal(bridge_add(&other), 0);
	assert_int_equal(other.port, ports[2].port);
	send(0, 12, 10);
	assert_int_equal(who_got(), 0x1a);
	assert_false(net_queue_is_empty(&other.queue));
	bridge_remove(&other);
}

static void names_are_taken_once(void **state UNUSED)
{
	struct net_device other;

	init_port(&other, "port3");
	assert_int_equal(bridge_add(&other), -EEXIST);
}

static void there_are_so_many_ports_and_no_more(void **state UNUSED)
{
	static struct net_device more[BRIDGE_PORTS_MAX - PORTS + 1];

	for (uint32_t i = 0; i < ARRAY_SIZE(more); i++) {
		char name[16];

		snprintf(name, sizeof(name), "more%u", i);
		init_port(&more[i], name);
		assert_int_equal(bridge_add(&more[i]), i + 1 < ARRAY_SIZE(more) ? 0 : -ENFILE);
	}
	send(0, EVERYBODY, 10);
	assert_int_equal(world_pages, 1);
	for (uint32_t i = 0; i + 1 < ARRAY_SIZE(more); i++) {
		assert_false(net_queue_is_empty(&more[i].queue));
		bridge_remove(&more[i]);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_unknown_station_is_looked_for_everywhere_else),
		TEST(a_known_station_gets_its_frames_alone),
		TEST(one_uplink_is_used_at_a_time),
		TEST(addresses_of_the_link_itself_go_nowhere),
		TEST(a_group_is_no_sender),
		TEST(frames_longer_than_a_wire_takes_are_dropped),
		TEST(everybody_gets_the_form_that_he_takes),
		TEST(a_flood_of_large_frames_is_cut_once),
		TEST(a_frame_that_nobody_can_finish_is_lost_where_it_is_needed),
		TEST(a_port_that_goes_takes_its_name_and_addresses_along),
		TEST(names_are_taken_once),
		TEST(there_are_so_many_ports_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
