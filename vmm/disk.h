/*
 * What is behind a guest's disk: a raw image file or a block device of the host.
 *
 *   - Opening takes a lock (flock): one writer, or any number of readers. It goes with the process, so a
 *     crash leaves none behind.
 *   - Of a block device a writer takes a claim (O_EXCL), too: against what the host has mounted, and against writers of a disk whose
 *     partition is another's.
 *   - Transfers are whole or fail: a short read or write is continued.
 *   - Context: any one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "lib/errmsg.h"
#include "lib/iov.h"

enum { DISK_SECTOR_BYTES = 512 };

struct disk {
	int fd;
	bool readonly;
	bool direct;	      /* O_DIRECT: buffers, offsets and lengths in whole blocks */
	uint64_t size_bytes;  /* a multiple of DISK_SECTOR_BYTES */
	uint32_t block_bytes; /* logical block: the unit of direct I/O */
	void *bounce; /* for guests whose buffers direct I/O can't take; allocated when first needed */
};

/* Returns 0; -errno with @why naming @path: it isn't there, isn't a disk, is too small, is in use, can't be written. */
MUST_CHECK int disk_open(const char *path, bool readonly, bool direct, struct disk *out,
			 struct errmsg *why);
void disk_close(struct disk *disk);

/* Transfer all of @list, which is used up, at @offset (bytes; the caller has checked the range). 0 or -errno. */
MUST_CHECK int disk_read(struct disk *disk, struct iov_list *list, uint64_t offset);
MUST_CHECK int disk_write(struct disk *disk, struct iov_list *list, uint64_t offset);

/* What was written before is on the medium after. */
MUST_CHECK int disk_flush(struct disk *disk);
