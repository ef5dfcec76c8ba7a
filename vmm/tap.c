/*
 * A tap: see tap.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/tap.h"

static const char *advice(int err)
{
	switch (err) {
	case EBUSY:
		return "another VM uses it";
	case EPERM:
		return "it isn't this user's, and making it takes CAP_NET_ADMIN";
	case EINVAL:
		return "it exists and isn't a tap with a virtio-net header (vnet_hdr)";
	default:
		return strerror(err);
	}
}

int tap_open(const char *name, int header_bytes, int *fd, struct errmsg *why)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int tap, err;

	if (strlen(name) >= sizeof(request.ifr_name))
		return errmsg_user(why, -EINVAL, "tap \"%s\": the name is too long", name);
	memcpy(request.ifr_name, name, strlen(name));

	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0)
		return errmsg_system(
			why, -errno,
			"/dev/net/tun: cannot be opened: %s; is the tun module loaded?",
			strerror(errno));
	if (ioctl(tap, TUNSETIFF, &request) < 0) {
		err = -errno;
		errmsg_user(why, err, "tap \"%s\": cannot be used: %s", name, advice(-err));
		goto err_close;
	}
	if (ioctl(tap, TUNSETVNETHDRSZ, &header_bytes) < 0) {
		err = errmsg_system(why, -errno, "tap \"%s\": cannot set its header size: %s", name,
				    strerror(errno));
		goto err_close;
	}
	*fd = tap;
	return 0;

err_close:
	close(tap);
	return err;
}

int tap_set_offloads(int fd, const struct tap_offloads *offloads)
{
	unsigned long flags = 0;

	/* The others mean something only with checksums left open. */
	if (offloads->checksum) {
		flags |= TUN_F_CSUM;
		flags |= offloads->tso4 ? TUN_F_TSO4 : 0;
		flags |= offloads->tso6 ? TUN_F_TSO6 : 0;
		if (offloads->tso4 || offloads->tso6)
			flags |= offloads->ecn ? TUN_F_TSO_ECN : 0;
	}
	return ioctl(fd, TUNSETOFFLOAD, flags) < 0 ? -errno : 0;
}
