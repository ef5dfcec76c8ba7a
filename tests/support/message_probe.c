/*
 * The far end of the MSI-X vectors: see message_probe.h.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "tests/support/message_probe.h"

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static int attach(void *context, int fd, uint64_t address, uint32_t data, uint32_t *gsi)
{
	struct message_probe *probe = context;

	if (probe->refusal)
		return probe->refusal;
	for (uint32_t i = 0; i < MESSAGE_ROUTES_MAX; i++) {
		struct message_route *route = &probe->routes[i];

		if (route->is_attached)
			continue;
		*route = (struct message_route){ .is_attached = true,
						 .was_pending = is_readable(fd, 0),
						 .fd = fd,
						 .address = address,
						 .data = data };
		probe->attached++;
		*gsi = i;
		return 0;
	}
	return -ENOSPC;
}

static void detach(void *context, int fd, uint32_t gsi)
{
	struct message_probe *probe = context;

	assert(gsi < MESSAGE_ROUTES_MAX && probe->routes[gsi].is_attached);
	assert(probe->routes[gsi].fd == fd);
	probe->routes[gsi].is_attached = false;
}

struct msi_router message_probe_router(struct message_probe *probe)
{
	return (struct msi_router){ .attach = attach, .detach = detach, .context = probe };
}

struct message_route *message_find(struct message_probe *probe, uint64_t address, uint32_t data)
{
	for (uint32_t i = 0; i < MESSAGE_ROUTES_MAX; i++) {
		struct message_route *route = &probe->routes[i];

		if (route->is_attached && route->address == address && route->data == data)
			return route;
	}
	return NULL;
}

uint32_t message_count_routes(const struct message_probe *probe)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < MESSAGE_ROUTES_MAX; i++)
		count += probe->routes[i].is_attached;
	return count;
}

bool message_take(struct message_probe *probe, uint64_t address, uint32_t data, int timeout_ms)
{
	struct message_route *route = message_find(probe, address, data);
	uint64_t count;

	if (!route)
		return false;
	if (route->was_pending) {
		route->was_pending = false;
		return true;
	}
	return is_readable(route->fd, timeout_ms) &&
	       read(route->fd, &count, sizeof(count)) == sizeof(count);
}
