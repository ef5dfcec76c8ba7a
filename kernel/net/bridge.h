/*
 * The bridge: all of the host's network devices are its ports.
 *
 *   - A frame goes to the port behind which its destination was seen, or to all but its own where that isn't known.
 *   - Of several uplinks one is in use, the first with a cable; the others stand by. Nothing goes from an uplink to an uplink,
 *     so frames can't circle through the switches outside.
 *   - Addresses that IEEE 802.1Q reserves for the link itself (spanning tree, LACP, LLDP) go nowhere: no guest speaks to a switch
 *     outside in the host's name.
 *   - Forwarding is done by whoever has the frame, on its own time: a tap's writer, a card's thread. It is bounded, and
 *     waits for nothing.
 *
 * Source: IEEE 802.1Q-2018, 8 "Principles of Bridge operation".
 */
#pragma once

#include "kernel/net/device.h"

enum {
	BRIDGE_PORTS_MAX = FDB_PORTS,
	BRIDGE_MTU = 1500,
	BRIDGE_FRAME_MAX = BRIDGE_MTU + ETH_HLEN + VLAN_TAG_BYTES,
};

/* Once; before any device. */
void bridge_init(uint64_t key);

/* @device: initialized but for its port, with one reference, which stays its owner's. -EEXIST: the name; -ENFILE: no more ports. */
MUST_CHECK int bridge_add(struct net_device *device);

/* Its queue is closed and its addresses are forgotten. Its owner forwards nothing for it any more. */
void bridge_remove(struct net_device *device);

/* NULL: none; else with a reference. */
struct net_device *bridge_find(const char *name);
struct net_device *bridge_port(uint32_t port);

/* Says whether @device has a cable. */
void bridge_set_up(struct net_device *device, bool is_up);

/* @packet: the caller keeps its reference, and changes nothing any more. Context: thread, no spinlocks; may give up the CPU. */
void bridge_forward(struct net_device *source, struct packet *packet);
