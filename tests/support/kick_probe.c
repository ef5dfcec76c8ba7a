/*
 * The kernel's side of ioeventfds: see kick_probe.h.
 */
#include <errno.h>
#include <unistd.h>

#include "tests/support/kick_probe.h"

static int attach(void *context, uint16_t port, int fd)
{
	struct kick_probe *probe = context;

	if (probe->refuses)
		return -ENOSPC;
	if (kick_probe_has(probe, port))
		return -EEXIST;
	assert(probe->count < KICK_PORTS_MAX);
	probe->caught[probe->count].port = port;
	probe->caught[probe->count].fd = fd;
	probe->count++;
	return 0;
}

/* As the kernel does: what isn't attached isn't there, and that is all. */
static void detach(void *context, uint16_t port, int fd)
{
	struct kick_probe *probe = context;

	for (uint32_t i = 0; i < probe->count; i++)
		if (probe->caught[i].port == port && probe->caught[i].fd == fd) {
			probe->caught[i] = probe->caught[--probe->count];
			return;
		}
}

struct kick_router kick_probe_router(struct kick_probe *probe)
{
	return (struct kick_router){ .attach = attach, .detach = detach, .context = probe };
}

bool kick_probe_write(struct kick_probe *probe, uint16_t port)
{
	uint64_t one = 1;

	for (uint32_t i = 0; i < probe->count; i++)
		if (probe->caught[i].port == port)
			return write(probe->caught[i].fd, &one, sizeof(one)) == sizeof(one);
	return false;
}

bool kick_probe_has(const struct kick_probe *probe, uint16_t port)
{
	for (uint32_t i = 0; i < probe->count; i++)
		if (probe->caught[i].port == port)
			return true;
	return false;
}
