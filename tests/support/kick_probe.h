/*
 * The kernel's side of ioeventfds: which ports are caught, and by which eventfd.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/virtio/pci.h"

enum { KICK_PORTS_MAX = 64 };

struct kick_probe {
	struct {
		uint16_t port;
		int fd;
	} caught[KICK_PORTS_MAX];
	uint32_t count;
	bool refuses; /* as a kernel without room for more */
};

struct kick_router kick_probe_router(struct kick_probe *probe);

/* A write to @port: true if an eventfd has caught it. */
bool kick_probe_write(struct kick_probe *probe, uint16_t port);
bool kick_probe_has(const struct kick_probe *probe, uint16_t port);
