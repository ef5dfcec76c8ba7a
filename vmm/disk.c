/*
 * What is behind a guest's disk: see disk.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/disk.h"

enum {
	BOUNCE_BYTES = 256 * 1024,
	BOUNCE_ALIGNMENT = 4096,
	DIRECT_FILE_BLOCK_BYTES = 4096, /* for files: what every file system grants */
};

static int probe_block_device(struct disk *disk)
{
	int block_bytes = 0, is_readonly = 0;

	if (ioctl(disk->fd, BLKGETSIZE64, &disk->size_bytes) < 0 ||
	    ioctl(disk->fd, BLKSSZGET, &block_bytes) < 0 ||
	    ioctl(disk->fd, BLKROGET, &is_readonly) < 0)
		return -errno;
	disk->block_bytes = (uint32_t)block_bytes;
	/* It opens for writing all the same. */
	return is_readonly && !disk->readonly ? -EROFS : 0;
}

static int probe(struct disk *disk, const char *path, struct errmsg *why)
{
	struct stat status;
	int err = 0;

	if (fstat(disk->fd, &status) < 0)
		return errmsg_system(why, -errno, "%s: cannot be examined: %s", path,
				     strerror(errno));
	disk->block_bytes = disk->direct ? DIRECT_FILE_BLOCK_BYTES : DISK_SECTOR_BYTES;
	if (S_ISREG(status.st_mode))
		disk->size_bytes = (uint64_t)status.st_size;
	else if (S_ISBLK(status.st_mode))
		err = probe_block_device(disk);
	else
		return errmsg_user(why, -ENOTBLK,
				   "%s: expected a raw image or a block device, found neither",
				   path);
	if (err == -EROFS)
		return errmsg_user(why, err,
				   "%s: expected a device that can be written, found a read-only "
				   "one; make it a read-only disk",
				   path);
	if (err)
		return errmsg_system(why, err, "%s: cannot tell its size: %s", path,
				     strerror(-err));

	disk->size_bytes -=
		disk->size_bytes % (disk->direct ? disk->block_bytes : DISK_SECTOR_BYTES);
	if (!disk->size_bytes)
		return errmsg_user(why, -EINVAL,
				   "%s: expected at least one sector of %u bytes, found none", path,
				   disk->block_bytes);
	return 0;
}

static int take_lock(const struct disk *disk, const char *path, struct errmsg *why)
{
	if (!flock(disk->fd, (disk->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return errmsg_user(
			why, -EBUSY,
			"%s: the disk is in use by another VM; a disk has one writer, or "
			"readers that all open it read-only",
			path);
	return errmsg_system(why, -errno, "%s: cannot be locked: %s", path, strerror(errno));
}

int disk_open(const char *path, bool readonly, bool direct, struct disk *out, struct errmsg *why)
{
	struct disk disk = { .readonly = readonly, .direct = direct };
	/*
	 * O_NONBLOCK: a FIFO is to be refused, not waited for. Files and block devices know no difference.
	 * O_EXCL: a block device that is mounted, or of which a part is another's, is refused. Files know no difference.
	 */
	int flags = (readonly ? O_RDONLY : O_RDWR | O_EXCL) | (direct ? O_DIRECT : 0) | O_CLOEXEC |
		    O_NONBLOCK;
	int err;

	disk.fd = open(path, flags);
	if (disk.fd < 0 && errno == EBUSY)
		return errmsg_user(
			why, -EBUSY,
			"%s: the disk, or a part of it, is in use by another VM or by the "
			"host, which may have mounted it",
			path);
	if (disk.fd < 0)
		return errmsg_user(why, -errno, "%s: cannot open the disk%s: %s", path,
				   readonly ? " for reading" : " for reading and writing",
				   strerror(errno));
	err = take_lock(&disk, path, why);
	if (!err)
		err = probe(&disk, path, why);
	if (err) {
		close(disk.fd);
		return err;
	}
	*out = disk;
	return 0;
}

void disk_close(struct disk *disk)
{
	free(disk->bounce);
	close(disk->fd);
}

typedef ssize_t (*transfer_fn)(int fd, const struct iovec *iov, int count, off_t offset);

/* Repeats a vectored transfer until the list is used up. */
static int transfer(struct disk *disk, transfer_fn move, struct iov_list *list, uint64_t offset)
{
	ssize_t moved;

	while (list->count) {
		moved = move(disk->fd, list->at, (int)list->count, (off_t)offset);
		if (moved < 0 && errno == EINTR)
			continue;
		if (moved < 0)
			return -errno;
		if (!moved)
			return -EIO; /* the file has shrunk under us */
		offset += (uint64_t)moved;
		iov_drop_front(list, (size_t)moved);
	}
	return 0;
}

/* Direct I/O takes whole blocks at addresses aligned to them. */
static bool is_aligned(const struct disk *disk, const struct iov_list *list)
{
	uintptr_t bits = 0;

	for (uint32_t i = 0; i < list->count; i++)
		bits |= (uintptr_t)list->at[i].iov_base | list->at[i].iov_len;
	return !(bits & (disk->block_bytes - 1));
}

static int bounce_get(struct disk *disk)
{
	if (!disk->bounce)
		disk->bounce = aligned_alloc(BOUNCE_ALIGNMENT, BOUNCE_BYTES);
	return disk->bounce ? 0 : -ENOMEM;
}

/* A piece at a time through our own buffer. A piece that ends inside a block can't be direct: -EINVAL. */
static int bounced_read(struct disk *disk, struct iov_list *list, uint64_t offset)
{
	uint64_t left = iov_bytes(list);
	int err = bounce_get(disk);

	while (!err && left) {
		size_t step = min_u64(left, BOUNCE_BYTES);
		struct iovec buffer = { .iov_base = disk->bounce, .iov_len = step };
		struct iov_list piece = { .at = &buffer, .count = 1 };

		err = transfer(disk, preadv, &piece, offset);
		if (!err)
			iov_put_front(list, disk->bounce, step);
		offset += step;
		left -= step;
	}
	return err;
}

static int bounced_write(struct disk *disk, struct iov_list *list, uint64_t offset)
{
	uint64_t left = iov_bytes(list);
	int err = bounce_get(disk);

	while (!err && left) {
		size_t step = iov_take_front(list, disk->bounce, min_u64(left, BOUNCE_BYTES));
		struct iovec buffer = { .iov_base = disk->bounce, .iov_len = step };
		struct iov_list piece = { .at = &buffer, .count = 1 };

		err = transfer(disk, pwritev, &piece, offset);
		offset += step;
		left -= step;
	}
	return err;
}

int disk_read(struct disk *disk, struct iov_list *list, uint64_t offset)
{
	if (disk->direct && !is_aligned(disk, list))
		return bounced_read(disk, list, offset);
	return transfer(disk, preadv, list, offset);
}

int disk_write(struct disk *disk, struct iov_list *list, uint64_t offset)
{
	if (disk->direct && !is_aligned(disk, list))
		return bounced_write(disk, list, offset);
	return transfer(disk, pwritev, list, offset);
}

int disk_flush(struct disk *disk)
{
	return fdatasync(disk->fd) < 0 ? -errno : 0;
}
