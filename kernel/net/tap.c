/*
 * /dev/net/tun: taps, as Linux's Documentation/networking/tuntap.rst has them, as far as monitors need them.
 *
 *   - An open descriptor becomes a tap by TUNSETIFF, and the tap goes when the last descriptor is closed. It is a port of the
 *     bridge and has a cable from the beginning.
 *   - A frame is one read or write, behind a virtio-net header where IFF_VNET_HDR asked for that. Writing never waits: where a
 *     receiver's queue is full somebody's frame is dropped.
 *   - Not here: IFF_TUN, packet information (IFF_NO_PI is required), several queues, taps that outlive their descriptors.
 */
#include <asm/ioctl.h>
#include <linux/eventpoll.h>
#include <linux/if_tun.h>
#include <linux/stat.h>
#include <string.h>

#include "kernel/fs/node.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/net/bridge.h"
#include "kernel/net/offload.h"
#include "kernel/net/tap.h"
#include "lib/format.h"

enum {
	HEADER_BYTES_DEFAULT = sizeof(struct virtio_net_hdr),
	HEADER_BYTES_MAX = 64,
	FLAGS_KNOWN = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
	DEVICE_NUMBER = 10 << 8 | 200, /* Linux's, for stat() */
	IFREQ_BYTES = 40,
};

/* Fields: [L] taps_lock  [I] immutable  [a] atomic */
struct tap {
	struct net_device device; /* [I] its name, once attached */
	struct waitq ready;
	bool is_attached;      /* [L, a] */
	uint16_t flags;	       /* [I] once attached: IFF_* */
	uint32_t header_bytes; /* [a] of what comes before each frame, if IFF_VNET_HDR */
};

static struct object_cache tap_cache = OBJECT_CACHE("tap", struct tap);

/* Names, and who has them. */
static struct mutex taps_lock = MUTEX(taps_lock);

static const struct net_device_ops device_ops;

static bool is_attached(const struct tap *tap)
{
	return __atomic_load_n(&tap->is_attached, __ATOMIC_ACQUIRE);
}

static uint32_t header_bytes(const struct tap *tap)
{
	return tap->flags & IFF_VNET_HDR ? __atomic_load_n(&tap->header_bytes, __ATOMIC_RELAXED)
					 : 0;
}

/* --- from ring 3 --- */

/* The header, and whatever more its size was set to. A guest's word that a checksum is right counts for nothing. */
static int take_header(struct uio *uio, uint32_t size, struct virtio_net_hdr *header)
{
	uint8_t bytes[HEADER_BYTES_MAX];

	*header = (struct virtio_net_hdr){ 0 };
	if (!size)
		return 0;
	if (uio->left < size)
		return -EINVAL;
	if (uio_take(uio, bytes, size) != size)
		return -EFAULT;
	memcpy(header, bytes, sizeof(*header));
	header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	return 0;
}

static int take_frame(struct uio *uio, struct packet *packet)
{
	for (uint32_t at = 0, room; at < packet->size_bytes; at += room) {
		uint8_t *to = packet_at(packet, at, &room);

		if (uio_take(uio, to, room) != room)
			return -EFAULT;
	}
	return 0;
}

static bool is_sound(const struct virtio_net_hdr *header, uint64_t size)
{
	return size >= ETH_HLEN && size <= PACKET_BYTES_MAX && header->hdr_len <= size &&
	       (!header->hdr_len || header->hdr_len >= ETH_HLEN);
}

static int64_t tap_write(struct file *file, struct uio *uio)
{
	uint64_t total = uio->left;
	struct tap *tap = file->data;
	struct virtio_net_hdr header;
	struct packet *packet;
	int err;

	if (!is_attached(tap))
		return -EBADFD;
	err = take_header(uio, header_bytes(tap), &header);
	if (err)
		return err;
	if (!is_sound(&header, uio->left))
		return -EINVAL;
	packet = packet_create((uint32_t)uio->left);
	if (!packet)
		return -ENOMEM;
	err = take_frame(uio, packet);
	if (!err)
		err = offload_from_header(packet, &header);
	if (err)
		net_count_dropped(&tap->device.in);
	else
		bridge_forward(&tap->device, packet);
	packet_put(packet);
	return err ? err : (int64_t)total;
}

/* --- to ring 3 --- */

static int put_header(const struct tap *tap, struct uio *uio, uint32_t size,
		      const struct packet *packet)
{
	uint32_t offloads = __atomic_load_n(&tap->device.offloads, __ATOMIC_RELAXED);
	struct virtio_net_hdr header = offload_to_header(packet);
	uint8_t bytes[HEADER_BYTES_MAX] = { 0 };

	if (uio->left < size)
		return -EINVAL;
	if (!(offloads & OFFLOAD_CHECKSUM))
		header.flags &= (uint8_t)~VIRTIO_NET_HDR_F_DATA_VALID;
	memcpy(bytes, &header, sizeof(header));
	return uio_put(uio, bytes, size) == size ? 0 : -EFAULT;
}

/* What doesn't fit is lost, as with any datagram. */
static int put_frame(struct uio *uio, const struct packet *packet)
{
	for (uint32_t at = 0, room; at < packet->size_bytes && uio->left; at += room) {
		const uint8_t *from = packet_at(packet, at, &room);
		uint64_t step = min_u64(room, uio->left);

		if (uio_put(uio, from, step) != (int64_t)step)
			return -EFAULT;
	}
	return 0;
}

static bool try_take(struct tap *tap, struct packet **out)
{
	*out = net_queue_take(&tap->device.queue);
	return *out;
}

static int64_t tap_read(struct file *file, struct uio *uio)
{
	uint64_t room = uio->left, size;
	struct tap *tap = file->data;
	struct packet *packet = NULL;
	int err;

	if (!is_attached(tap))
		return -EBADFD;
	if (!room)
		return 0;
	err = file_wait(file, &tap->ready, try_take(tap, &packet));
	if (err)
		return err;
	size = header_bytes(tap);
	err = size ? put_header(tap, uio, (uint32_t)size, packet) : 0;
	if (!err)
		err = put_frame(uio, packet);
	size += packet->size_bytes;
	packet_put(packet);
	return err ? err : (int64_t)min_u64(size, room);
}

static uint32_t tap_poll(struct file *file)
{
	const struct tap *tap = file->data;

	if (!is_attached(tap))
		return EPOLLERR;
	return (net_queue_is_empty(&tap->device.queue) ? 0u : EPOLLIN | EPOLLRDNORM) | EPOLLOUT |
	       EPOLLWRNORM;
}

/* --- which tap it is --- */

/* As Linux has it: no spaces, slashes, colons. */
static bool is_name(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == ' ' ||
		    (*name >= '\t' && *name <= '\r'))
			return false;
	return true;
}

/* Gives the device @name, which may have a "%d" for the first number that is free. */
static int add_numbered(struct net_device *device, const char *name)
{
	const char *percent = strchr(name, '%');
	int err = -EEXIST;

	if (percent && (percent[1] != 'd' || strchr(percent + 2, '%')))
		return -EINVAL;
	for (uint32_t number = 0; err == -EEXIST && number <= BRIDGE_PORTS_MAX; number++) {
		size_t length = percent ? (size_t)(percent - name) : strlen(name);

		memcpy(device->name, name, length);
		device->name[length] = '\0';
		if (percent &&
		    format_text(device->name + length, sizeof(device->name) - length, "%u%s",
				number, percent + 2) >= sizeof(device->name) - length)
			return -ENFILE;
		err = bridge_add(device);
	}
	return err;
}

static int attach(struct tap *tap, const char *name, uint32_t flags)
{
	struct net_device *other;
	int err;

	if (is_attached(tap))
		return -EEXIST;
	if ((flags & (FLAGS_KNOWN & ~IFF_VNET_HDR)) != (FLAGS_KNOWN & ~IFF_VNET_HDR) ||
	    (flags & ~(uint32_t)(FLAGS_KNOWN | IFF_ONE_QUEUE)))
		return -EINVAL;
	other = bridge_find(name);
	if (other) {
		err = other->ops == &device_ops ? -EBUSY : -EINVAL;
		net_device_put(other);
		return err;
	}
	if (!*name)
		name = "tap%d";
	if (!is_name(name))
		return -EINVAL;
	err = add_numbered(&tap->device, name);
	if (err)
		return err;
	tap->flags = flags & FLAGS_KNOWN;
	__atomic_store_n(&tap->is_attached, true, __ATOMIC_RELEASE);
	return 0;
}

/* A struct ifreq, of which name and flags are looked at. */
struct request {
	char name[NET_NAME_BYTES];
	uint16_t flags;
	uint8_t rest[IFREQ_BYTES - NET_NAME_BYTES - sizeof(uint16_t)];
};
static_assert(sizeof(struct request) == IFREQ_BYTES, "as struct ifreq");

/* TUNSETIFF, or TUNGETIFF: either says in the end which tap it is, and the latter what it was asked to be. */
static int64_t interface(struct tap *tap, uint64_t address, bool is_set)
{
	struct request request;
	int err = copy_from_user(&request, address, sizeof(request));

	if (err)
		return err;
	if (is_set) {
		request.name[NET_NAME_BYTES - 1] = '\0';
		mutex_lock(&taps_lock);
		err = attach(tap, request.name, request.flags);
		mutex_unlock(&taps_lock);
	}
	if (err)
		return err;
	memcpy(request.name, tap->device.name, NET_NAME_BYTES);
	if (!is_set)
		request.flags = tap->flags;
	return copy_to_user(address, &request, sizeof(request));
}

static int64_t set_header_bytes(struct tap *tap, uint64_t address)
{
	int size, err = copy_from_user(&size, address, sizeof(size));

	if (err)
		return err;
	if (size < HEADER_BYTES_DEFAULT || size > HEADER_BYTES_MAX)
		return -EINVAL;
	__atomic_store_n(&tap->header_bytes, (uint32_t)size, __ATOMIC_RELAXED);
	return 0;
}

/* TUN_F_UFO is taken and means nothing, as on Linux. The others mean nothing without checksums. */
static int64_t set_offloads(struct tap *tap, uint64_t wanted)
{
	uint32_t offloads = 0;
	uint64_t known = TUN_F_CSUM | TUN_F_UFO;

	if (wanted & (TUN_F_TSO4 | TUN_F_TSO6))
		known |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	if (wanted & (wanted & TUN_F_CSUM ? ~known : ~UINT64_C(0)))
		return -EINVAL;
	offloads |= wanted & TUN_F_CSUM ? OFFLOAD_CHECKSUM : 0u;
	offloads |= wanted & TUN_F_TSO4 ? OFFLOAD_TSO4 : 0u;
	offloads |= wanted & TUN_F_TSO6 ? OFFLOAD_TSO6 : 0u;
	offloads |= wanted & TUN_F_TSO_ECN ? OFFLOAD_ECN : 0u;
	__atomic_store_n(&tap->device.offloads, offloads, __ATOMIC_RELAXED);
	return 0;
}

static int64_t tap_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	struct tap *tap = file->data;

	if (request == TUNGETFEATURES)
		return put_user_u32(argument, FLAGS_KNOWN);
	if (request == TUNSETIFF)
		return interface(tap, argument, true);
	if (!is_attached(tap))
		return -EBADFD;
	switch (request) {
	case TUNGETIFF:
		return interface(tap, argument, false);
	case TUNSETVNETHDRSZ:
		return set_header_bytes(tap, argument);
	case TUNGETVNETHDRSZ:
		return put_user_u32(argument,
				    __atomic_load_n(&tap->header_bytes, __ATOMIC_RELAXED));
	case TUNSETOFFLOAD:
		return set_offloads(tap, argument);
	case TUNSETPERSIST: /* it never is */
		return argument ? -EOPNOTSUPP : 0;
	default:
		return -EINVAL;
	}
}

/* --- the device --- */

static void tap_ready(struct net_device *device)
{
	struct tap *tap = container_of(device, struct tap, device);

	waitq_wake_for(&tap->ready, EPOLLIN | EPOLLRDNORM);
}

static void tap_free(struct net_device *device)
{
	object_free(&tap_cache, container_of(device, struct tap, device));
}

static const struct net_device_ops device_ops = { .ready = tap_ready, .free = tap_free };

static void tap_release(struct file *file)
{
	struct tap *tap = file->data;

	if (tap->is_attached)
		bridge_remove(&tap->device);
	net_device_put(&tap->device);
}

static const struct file_ops tap_ops = {
	.read = tap_read,
	.write = tap_write,
	.ioctl = tap_ioctl,
	.poll = tap_poll,
	.release = tap_release,
};

static int tap_open(struct node *node UNUSED, uint32_t flags, struct file **out)
{
	struct tap *tap = object_alloc(&tap_cache);

	if (!tap)
		return -ENOMEM;
	*out = file_create(&tap_ops, tap, &tap->ready, flags);
	if (!*out) {
		object_free(&tap_cache, tap);
		return -ENOMEM;
	}
	tap->device.ops = &device_ops;
	tap->device.refs = 1;
	tap->device.is_up = true;
	net_device_make_mac(tap->device.mac);
	net_queue_init(&tap->device.queue);
	tap->header_bytes = HEADER_BYTES_DEFAULT;
	waitq_init(&tap->ready);
	return 0;
}

void tap_init(void)
{
	node_make_special("/dev/net/tun", S_IFCHR | 0600, DEVICE_NUMBER, tap_open, NULL);
}
