/*
 * Several processors on one bridge at once, while ports come and go: no frame, port or lock is lost. For `make unit-tsan` as
 * much as for itself.
 */
#include <pthread.h>
#include <stdio.h>

#include "tests/support/cmocka.h"
#include "tests/support/net_world.h"

enum { SENDERS = 2, FRAMES = 800, VISITS = 100, CABLES = 60, EVERYBODY = 0xff };

static struct net_device senders[SENDERS], uplink;
static uint32_t freed;

static void ready(struct net_device *device UNUSED)
{
}

static void free_visitor(struct net_device *device)
{
	__atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
	free(device);
}

static const struct net_device_ops ops = { .ready = ready, .free = free_visitor };

static void init_port(struct net_device *port, const char *name, uint32_t number)
{
	*port = (struct net_device){ .ops = &ops, .refs = 1, .is_up = true };
	snprintf(port->name, sizeof(port->name), "%s%u", name, number);
	net_queue_init(&port->queue);
}

static void drain(struct net_device *port)
{
	struct packet *packet;

	while ((packet = net_queue_take(&port->queue)))
		packet_put(packet);
}

/* Every other frame is for everybody, and every fourth has to be cut. */
static void *send_frames(void *argument)
{
	struct virtio_net_hdr header = world_header(VIRTIO_NET_HDR_GSO_TCPV4, 1400);
	struct net_device *port = argument;
	uint32_t own = (uint32_t)(port - senders);

	for (uint32_t i = 0; i < FRAMES; i++) {
		uint32_t to = i % 2 ? EVERYBODY : (own + 1) % SENDERS;
		struct packet *packet = i % 4 ? world_frame(to, own, 60) : world_tcp(to, own, 6000);

		if (i % 4 == 0 && offload_from_header(packet, &header))
			abort();
		bridge_forward(port, packet);
		packet_put(packet);
		if (i % 8 == 0)
			drain(port);
	}
	return NULL;
}

/* The same name each time, and an address that it leaves behind. */
static void *visit(void *argument UNUSED)
{
	for (uint32_t i = 0; i < VISITS; i++) {
		struct net_device *port = malloc(sizeof(*port));
		struct packet *packet = world_frame(EVERYBODY, SENDERS, 60);

		init_port(port, "visitor", 0);
		if (bridge_add(port))
			abort();
		bridge_forward(port, packet);
		packet_put(packet);
		drain(port);
		bridge_remove(port);
		net_device_put(port);
	}
	return NULL;
}

static void *pull_cable(void *argument UNUSED)
{
	for (uint32_t i = 0; i < CABLES; i++) {
		bridge_set_up(&uplink, i % 2);
		drain(&uplink);
	}
	return NULL;
}

static void nothing_is_lost_when_all_happens_at_once(void **state UNUSED)
{
	pthread_t threads[SENDERS + 2];

	bridge_init(7);
	for (uint32_t i = 0; i < SENDERS; i++) {
		init_port(&senders[i], "sender", i);
		assert_int_equal(bridge_add(&senders[i]), 0);
	}
	init_port(&uplink, "uplink", 0);
	uplink.is_uplink = true;
	assert_int_equal(bridge_add(&uplink), 0);

	for (uint32_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_frames, &senders[i]), 0);
	assert_int_equal(pthread_create(&threads[SENDERS], NULL, visit, NULL), 0);
	assert_int_equal(pthread_create(&threads[SENDERS + 1], NULL, pull_cable, NULL), 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);

	for (uint32_t i = 0; i < SENDERS; i++) {
		bridge_remove(&senders[i]);
		assert_int_equal(senders[i].refs, 1);
	}
	bridge_remove(&uplink);
	assert_int_equal(freed, VISITS);
	assert_int_equal(world_pages, 0);
	assert_int_equal(world_objects, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_when_all_happens_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
