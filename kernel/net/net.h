/*
 * The host's network: its start, and what it has counted.
 */
#pragma once

/* The bridge, /dev/net/tun, /proc/net/dev. Before drivers, after the root file system. */
void net_init(void);
