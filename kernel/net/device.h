/*
 * A network device: a port of the bridge, a tap or a card of the host's.
 *
 *   - What the device receives (from ring 3, from the wire) it gives to bridge_forward(). What it is to send waits in its
 *     queue; ops->ready() says that there is something.
 *   - Counted: net_device_put() of the last reference calls ops->free().
 *
 * Fields: [I] immutable once added to the bridge  [a] atomic
 */
#pragma once

#include "kernel/arch/random.h"
#include "kernel/net/fdb.h"
#include "kernel/net/queue.h"

enum { NET_NAME_BYTES = 16 };

struct net_device;

struct net_device_ops {
	void (*ready)(struct net_device *device); /* there is something in its queue; any context */
	void (*free)(struct net_device *device);
};

/* Since the device was made; [a]. */
struct net_stats {
	uint64_t packets, bytes, dropped;
};

struct net_device {
	char name[NET_NAME_BYTES]; /* [I] */
	uint8_t mac[MAC_BYTES];	   /* [I] for people: no frame is for the host itself */
	bool is_uplink;		   /* [I] */
	bool is_up;		   /* [a] there is a cable */
	uint16_t port;		   /* [I] on the bridge */
	uint32_t offloads;	   /* [a] OFFLOAD_* that it takes undone */
	uint32_t refs;		   /* [a] */
	const struct net_device_ops *ops;
	struct net_queue queue;
	struct net_stats in, out; /* from it, to it */
};

/* NULL is fine. */
static inline struct net_device *net_device_get(struct net_device *device)
{
	if (device)
		__atomic_fetch_add(&device->refs, 1, __ATOMIC_RELAXED);
	return device;
}

static inline void net_device_put(struct net_device *device)
{
	if (device && !__atomic_sub_fetch(&device->refs, 1, __ATOMIC_ACQ_REL))
		device->ops->free(device);
}

/* An address that nobody has: locally administered, one station's. */
static inline void net_device_make_mac(uint8_t mac[MAC_BYTES])
{
	random_bytes(mac, MAC_BYTES);
	mac[0] = (uint8_t)((mac[0] & ~1) | 2);
}

/* -- counters -- */

static inline void net_count(struct net_stats *stats, uint32_t bytes)
{
	__atomic_fetch_add(&stats->packets, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&stats->bytes, bytes, __ATOMIC_RELAXED);
}

static inline void net_count_dropped(struct net_stats *stats)
{
	__atomic_fetch_add(&stats->dropped, 1, __ATOMIC_RELAXED);
}
