/*
 * The host's network: see net.h. /proc/net/dev has Linux's form.
 */
#include <errno.h>
#include <linux/stat.h>

#include "kernel/arch/random.h"
#include "kernel/fs/node.h"
#include "kernel/mem/object.h"
#include "kernel/net/bridge.h"
#include "kernel/net/net.h"
#include "kernel/net/tap.h"
#include "lib/format.h"

enum {
	LINE_BYTES = 256,
	TEXT_BYTES = (BRIDGE_PORTS_MAX + 1) * LINE_BYTES,
};

static const char heading[] =
	"Inter-|   Receive                                                |  Transmit\n"
	" face |bytes    packets errs drop fifo frame compressed multicast|"
	"bytes    packets errs drop fifo colls carrier compressed\n";

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* What the device received is what the bridge got from it. */
static size_t device_line(const struct net_device *device, char line[LINE_BYTES])
{
	return format_text(line, LINE_BYTES,
			   "%6s: %7lu %7lu    0 %4lu    0     0          0         0 "
			   "%8lu %7lu    0 %4lu    0     0       0          0\n",
			   device->name, load(&device->in.bytes), load(&device->in.packets),
			   load(&device->in.dropped), load(&device->out.bytes),
			   load(&device->out.packets),
			   load(&device->out.dropped) + load(&device->queue.dropped));
}

static size_t put_devices(char *text)
{
	size_t length = format_text(text, LINE_BYTES, "%s", heading);

	for (uint32_t port = 0; port < BRIDGE_PORTS_MAX; port++) {
		struct net_device *device = bridge_port(port);

		if (!device)
			continue;
		length += device_line(device, text + length);
		net_device_put(device);
	}
	return length;
}

static int64_t devices_read_at(struct file *file, struct uio *uio, uint64_t offset)
{
	char *text = kmalloc(TEXT_BYTES);
	int64_t done = 0;
	size_t length;

	(void)file;
	if (!text)
		return -ENOMEM;
	length = put_devices(text);
	if (offset < length)
		done = uio_put(uio, text + offset, length - offset);
	kfree(text);
	return done;
}

static const struct file_ops devices_ops = {
	.name = "net devices",
	.read_at = devices_read_at,
	.stat = file_stat_nameless,
};

static int devices_open(struct node *node, uint32_t flags, struct file **out)
{
	(void)node;
	*out = file_create(&devices_ops, NULL, flags);
	return *out ? 0 : -ENOMEM;
}

void net_init(void)
{
	bridge_init(random_u64());
	tap_init();
	node_make_special("/proc/net/dev", S_IFREG | 0444, devices_open, NULL);
}
