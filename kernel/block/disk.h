/*
 * Disks: whatever reads and writes blocks, each with a driver; and the requests to them.
 *
 *   - A request names frames by their physical addresses; they must stay until it is done. It ends with done(), exactly once, with
 *     0 or -errno: from an interrupt, or from the keeper where a disk had to be reset.
 *   - What doesn't fit into the device's queue waits in the disk's. Requests may be done in any order: who wants one after
 *     another waits for the first.
 *   - A disk that doesn't answer in time is stopped (from then on it touches no memory), its requests end with -EIO, and it
 *     is started again; if that fails, it is dead, and everything ends with -EIO at once. Nothing waits for ever.
 *   - A write is on the medium when a flush that was submitted after its end has ended.
 *
 * Fields: [I] immutable after disk_add()  [L] disk->lock, interrupts off  [a] atomic
 */
#pragma once

#include "kernel/arch/spinlock.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/timer.h"
#include "lib/address.h"
#include "lib/compiler.h"
#include "lib/list.h"

enum {
	DISK_NAME_BYTES = 16,
	DISK_REQUEST_BYTES_MAX = 256 << 10,
	DISK_SEGMENTS_MAX = DISK_REQUEST_BYTES_MAX / 4096 + 1,
};

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH };

/*
 * Of a request's segments, only the first may begin inside a page, and only the last may end inside one (NVMe's rule).
 */
struct disk_segment {
	hpa_t at;
	uint32_t size_bytes;
};

struct disk_request {
	enum disk_op op;
	uint64_t offset_bytes; /* in whole blocks, as the size */
	uint32_t size_bytes;   /* at most DISK_REQUEST_BYTES_MAX */
	uint32_t nr_segments;
	const struct disk_segment *segments;
	/* Any context, interrupts on or off; short. */
	void (*done)(struct disk_request *request, int err);
	void *context;

	struct list node;     /* [L] */
	uint64_t deadline_ns; /* [L] once active */
};

struct disk;

struct disk_ops {
	/* [L] Gives it to the device. -EBUSY: the queue is full, and something is active in it. */
	int (*submit)(struct disk *disk, struct disk_request *request);
	/* [L] One that the device has finished, with its result; NULL: no more. */
	struct disk_request *(*reap)(struct disk *disk, int *err);
	/* Whatever it takes that the device touches no memory any more. Bounded. Context: thread. */
	void (*stop)(struct disk *disk);
	/* After a stop. -errno: it is dead. Context: thread. */
	int (*start)(struct disk *disk);
};

struct disk {
	char name[DISK_NAME_BYTES]; /* [I] */
	const struct disk_ops *ops; /* [I] */
	void *data;		    /* [I] the driver's */
	uint64_t size_bytes;	    /* [I] */
	uint32_t block_bytes;	    /* [I] logical; a power of two from 512 to 4096 */
	uint32_t request_bytes_max; /* [I] what the device takes at once, in whole pages */
	bool is_readonly;	    /* [I] */
	bool has_cache; /* [I] else what is written is on the medium: a flush has nothing to do */

	struct spinlock lock;
	struct list waiting; /* [L] not given to the device yet */
	struct list active;  /* [L] the oldest first */
	bool is_stopped;     /* [L] the keeper is at it */
	bool is_dead;	     /* [L] */
	bool is_timer_armed; /* [L] */
	bool is_late;	     /* [L] the keeper should look */
	struct timer timer;
	struct list disks;	/* [list lock] */
	struct mutex unaligned; /* held from the read to the write where part of a block changes */
};

/* Starts the keeper. Once, before any driver. */
void disks_init(void);

/* The first thing that a driver does with @disk, all zero: before its device may interrupt. */
void disk_init(struct disk *disk);

/**
 * disk_add() - a disk that works, by its driver
 *
 * The driver has filled in the fields marked [I]. Reads the partition table, makes the files in /dev.
 * @disk stays the driver's, for good. Context: thread.
 */
void disk_add(struct disk *disk);

/* Takes @request until its done(). Any context. */
void disk_submit(struct disk *disk, struct disk_request *request);

/* The handler (dev/irq.h) of a disk, which is its @data: takes what is finished, and fills the queue. */
bool disk_interrupt(void *data);

/* A transfer of the kernel's own, waited for; in as many requests as it takes. @buffer: in the direct map, page-aligned; NULL for a flush. Context: thread. */
MUST_CHECK int disk_transfer(struct disk *disk, enum disk_op op, uint64_t offset_bytes,
			     void *buffer, uint32_t size_bytes);

/* What was written to any disk is on its medium when this returns, or the disk doesn't work. Context: thread. */
void disks_flush(void);
