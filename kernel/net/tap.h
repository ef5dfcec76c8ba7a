/*
 * /dev/net/tun: network devices that are descriptors of ring 3.
 */
#pragma once

/* Makes the node. After bridge_init(). */
void tap_init(void);
