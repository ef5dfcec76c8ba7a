/*
 * The host's network: see net.h. /proc/net/dev has Linux's form, and room for the first hundred devices.
 */
#include <linux/stat.h>

#include "kernel/arch/random.h"
#include "kernel/fs/text_file.h"
#include "kernel/net/bridge.h"
#include "kernel/net/net.h"
#include "kernel/net/tap.h"

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* What the device received is what the bridge got from it. */
static void add_device(struct text *text, const struct net_device *device)
{
	text_add(text, "%6s: %7lu %7lu    0 %4lu    0     0          0         0 ", device->name,
		 load(&device->in.bytes), load(&device->in.packets), load(&device->in.dropped));
	text_add(text, "%8lu %7lu    0 %4lu    0     0       0          0\n",
		 load(&device->out.bytes), load(&device->out.packets),
		 load(&device->out.dropped) + load(&device->queue.dropped));
}

static int fill_devices(struct text *text, const struct node *node UNUSED)
{
	text_add(text, "Inter-|   Receive                                                "
		       "|  Transmit\n"
		       " face |bytes    packets errs drop fifo frame compressed multicast"
		       "|bytes    packets errs drop fifo colls carrier compressed\n");
	for (uint32_t port = 0; port < BRIDGE_PORTS_MAX; port++) {
		struct net_device *device = bridge_port(port);

		if (device)
			add_device(text, device);
		net_device_put(device);
	}
	return 0;
}

void net_init(void)
{
	static const struct text_source source = { fill_devices };

	bridge_init(random_u64());
	tap_init();
	text_file_make("/proc/net/dev", S_IFREG | 0444, &source);
}
