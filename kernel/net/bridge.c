/*
 * The bridge: see bridge.h.
 */
#include <string.h>

#include "kernel/cpu/clock.h"
#include "kernel/net/bridge.h"
#include "kernel/net/offload.h"
#include "kernel/sched/thread.h"

enum { PORT_NONE = 0xffff };

/* Fields: [L] lock  [a] atomic */
static struct {
	struct spinlock lock;
	struct net_device *ports[BRIDGE_PORTS_MAX]; /* [L] */
	uint32_t nr_slots;			    /* [L, a] ports from here on were never used */
	uint32_t uplink;			    /* [L, a] the port of the one in use */
	struct fdb fdb;
} bridge;

static const uint8_t reserved_group[MAC_BYTES] = { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x00 };

void bridge_init(uint64_t key)
{
	bridge.uplink = PORT_NONE;
	fdb_init(&bridge.fdb, key);
}

/* --- ports --- */

/* With the lock. */
static struct net_device *find_named(const char *name)
{
	for (uint32_t i = 0; i < bridge.nr_slots; i++)
		if (bridge.ports[i] && !strncmp(bridge.ports[i]->name, name, NET_NAME_BYTES))
			return bridge.ports[i];
	return NULL;
}

static bool is_uplink_up(uint32_t port)
{
	const struct net_device *device = bridge.ports[port];

	return device && device->is_uplink && device->is_up;
}

/* With the lock. What was learned from one that isn't used any more is behind another now. */
static void choose_uplink(void)
{
	uint32_t old = bridge.uplink, new = 0;

	while (new < bridge.nr_slots && !is_uplink_up(new))
		new ++;
	if (new == bridge.nr_slots)
		new = PORT_NONE;
	__atomic_store_n(&bridge.uplink, new, __ATOMIC_RELEASE);
	if (old != PORT_NONE && old != new)
		fdb_forget(&bridge.fdb, (uint16_t)old);
}

/* With the lock. */
static int add_port(struct net_device *device)
{
	uint32_t port = 0;

	if (find_named(device->name))
		return -EEXIST;
	while (port < BRIDGE_PORTS_MAX && bridge.ports[port])
		port++;
	if (port == BRIDGE_PORTS_MAX)
		return -ENFILE;
	device->port = (uint16_t)port;
	bridge.ports[port] = device;
	if (port == bridge.nr_slots)
		__atomic_store_n(&bridge.nr_slots, port + 1, __ATOMIC_RELEASE);
	choose_uplink();
	return 0;
}

int bridge_add(struct net_device *device)
{
	uint64_t flags = spin_lock_irqsave(&bridge.lock);
	int err = add_port(device);

	spin_unlock_irqrestore(&bridge.lock, flags);
	return err;
}

void bridge_remove(struct net_device *device)
{
	uint64_t flags = spin_lock_irqsave(&bridge.lock);

	bridge.ports[device->port] = NULL;
	choose_uplink();
	/* Before the port may be another's. */
	fdb_forget(&bridge.fdb, device->port);
	spin_unlock_irqrestore(&bridge.lock, flags);
	net_queue_close(&device->queue);
}

void bridge_set_up(struct net_device *device, bool is_up)
{
	uint64_t flags = spin_lock_irqsave(&bridge.lock);

	__atomic_store_n(&device->is_up, is_up, __ATOMIC_RELAXED);
	choose_uplink();
	spin_unlock_irqrestore(&bridge.lock, flags);
}

struct net_device *bridge_find(const char *name)
{
	uint64_t flags = spin_lock_irqsave(&bridge.lock);
	struct net_device *device = net_device_get(find_named(name));

	spin_unlock_irqrestore(&bridge.lock, flags);
	return device;
}

struct net_device *bridge_port(uint32_t port)
{
	uint64_t flags = spin_lock_irqsave(&bridge.lock);
	struct net_device *device =
		net_device_get(port < bridge.nr_slots ? bridge.ports[port] : NULL);

	spin_unlock_irqrestore(&bridge.lock, flags);
	return device;
}

/* --- forwarding --- */

/* One frame on its way to one port or many. */
struct delivery {
	struct net_device *source;
	struct packet *packet;
	struct packet *finished; /* the same without work left, made when the first port needs it */
	bool is_unfinishable;
};

/* What @to can take of the frame: itself, or what it comes to when it is finished; NULL: nothing. */
static struct packet *form_for(struct delivery *delivery, const struct net_device *to)
{
	uint32_t offloads = __atomic_load_n(&to->offloads, __ATOMIC_RELAXED);

	if (!(delivery->packet->offload.needs & ~offloads))
		return delivery->packet;
	if (!delivery->finished && !delivery->is_unfinishable)
		delivery->is_unfinishable = offload_finish(delivery->packet, &delivery->finished);
	return delivery->finished;
}

static void deliver(struct delivery *delivery, struct net_device *to)
{
	struct packet *packet = form_for(delivery, to);

	if (!packet)
		net_count_dropped(&to->out);
	for (; packet; packet = packet->next)
		if (net_queue_add(&to->queue, delivery->source->port, packet))
			net_count(&to->out, packet->size_bytes);
	to->ops->ready(to);
}

static uint32_t uplink_in_use(void)
{
	return __atomic_load_n(&bridge.uplink, __ATOMIC_ACQUIRE);
}

/* Frames that come in where another uplink is in use were, or will be, seen there. */
static bool may_send(const struct net_device *source)
{
	return !source->is_uplink || source->port == uplink_in_use();
}

static bool may_receive(const struct net_device *source, const struct net_device *to)
{
	return to != source &&
	       (!to->is_uplink || (!source->is_uplink && to->port == uplink_in_use()));
}

static void deliver_to_port(struct delivery *delivery, uint32_t port)
{
	struct net_device *to = bridge_port(port);

	if (to && may_receive(delivery->source, to))
		deliver(delivery, to);
	net_device_put(to);
}

/* Port by port: no lock is held for the time of all of them, and others get the CPU in between. */
static void flood(struct delivery *delivery)
{
	uint32_t nr_slots = __atomic_load_n(&bridge.nr_slots, __ATOMIC_ACQUIRE);

	for (uint32_t port = 0; port < nr_slots; port++) {
		deliver_to_port(delivery, port);
		thread_preempt();
	}
}

static bool is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

static bool is_reserved(const uint8_t *mac)
{
	return !memcmp(mac, reserved_group, MAC_BYTES - 1) && mac[MAC_BYTES - 1] < 16;
}

static bool is_sane(const struct packet *packet)
{
	return packet->size_bytes >= ETH_HLEN && offload_wire_bytes(packet) <= BRIDGE_FRAME_MAX &&
	       !is_group(packet->first + MAC_BYTES) && !is_reserved(packet->first);
}

void bridge_forward(struct net_device *source, struct packet *packet)
{
	const uint8_t *to = packet->first, *from = packet->first + MAC_BYTES;
	struct delivery delivery = { .source = source, .packet = packet };
	uint32_t now_s = (uint32_t)(clock_ns() / 1000000000) + 1;
	uint16_t port;

	if (!may_send(source) || !is_sane(packet)) {
		net_count_dropped(&source->in);
		return;
	}
	net_count(&source->in, packet->size_bytes);
	fdb_learn(&bridge.fdb, from, source->port, now_s);
	if (!is_group(to) && fdb_find(&bridge.fdb, to, now_s, &port))
		deliver_to_port(&delivery, port);
	else
		flood(&delivery);
	packet_put_chain(delivery.finished);
}
