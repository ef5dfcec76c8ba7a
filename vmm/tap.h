/*
 * A tap: the host's end of a guest's network cable. Frames go in and out with a virtio-net header, so that
 * checksums and segmentation are left to whoever does them best.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

/* What the guest can take besides plain frames. */
struct tap_offloads {
	bool checksum, tso4, tso6, ecn;
};

/**
 * tap_open() - attach to the host's interface @name
 * @header_bytes: size of the virtio-net header before each frame
 *
 * The interface is made if it doesn't exist and the caller may do that; it is neither configured nor
 * plugged into a bridge. The descriptor doesn't block. Returns 0 or -errno.
 */
MUST_CHECK int tap_open(const char *name, int header_bytes, int *fd, struct errmsg *why);

MUST_CHECK int tap_set_offloads(int fd, const struct tap_offloads *offloads);
