/*
 * Block devices as files: see block_file.h.
 */
#include <asm/fcntl.h>
#include <linux/fs.h>

#include "kernel/block/block_file.h"
#include "kernel/block/claim.h"
#include "kernel/block/direct_io.h"
#include "kernel/block/partition.h"
#include "kernel/block/transfer.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/user.h"

enum {
	DIRECT_IO_ALIGNMENT = 512, /* of a buffer's address */
	BOUNCE_ORDER = 4,	   /* 64 KiB at a time */
};
#define BOUNCE_BYTES (PAGE_BYTES << BOUNCE_ORDER)

static const struct block_device *device_of(const struct file *file)
{
	return file->node->data;
}

/* --- through a buffer --- */

/* The whole blocks around [offset, offset + size). */
struct blocks {
	uint64_t start;
	uint32_t size;
	uint32_t skip; /* where the offset is in them */
};

static struct blocks blocks_around(const struct disk *disk, uint64_t offset, uint64_t *size)
{
	uint64_t start = offset & ~(uint64_t)(disk->block_bytes - 1);
	uint64_t end;

	*size = min_u64(*size, BOUNCE_BYTES - (offset - start));
	end = align_up(offset + *size, disk->block_bytes);
	return (struct blocks){ start, (uint32_t)(end - start), (uint32_t)(offset - start) };
}

static int64_t read_some(const struct block_device *device, struct uio *uio, uint64_t offset,
			 uint64_t size, uint8_t *buffer)
{
	struct blocks blocks = blocks_around(device->disk, device->start_bytes + offset, &size);
	int err = disk_transfer(device->disk, DISK_READ, blocks.start, buffer, blocks.size);

	return err ? err : uio_put(uio, buffer + blocks.skip, size);
}

/* With disk->unaligned. */
static int64_t write_some(const struct block_device *device, struct uio *uio, uint64_t offset,
			  uint64_t size, uint8_t *buffer)
{
	struct disk *disk = device->disk;
	struct blocks blocks = blocks_around(disk, device->start_bytes + offset, &size);
	bool is_partial = blocks.skip || size != blocks.size;
	int64_t got;
	int err = 0;

	if (is_partial)
		err = disk_transfer(disk, DISK_READ, blocks.start, buffer, blocks.size);
	if (err)
		return err;
	got = uio_take(uio, buffer + blocks.skip, size);
	if (got <= 0)
		return got;
	/* A buffer that ends early (-EFAULT further on): only blocks that are whole, or were read, are written. */
	blocks.size = (uint32_t)align_up(blocks.skip + (uint64_t)got, disk->block_bytes);
	if (!is_partial && (uint64_t)got % disk->block_bytes)
		return -EFAULT;
	err = disk_transfer(disk, DISK_WRITE, blocks.start, buffer, blocks.size);
	return err ? err : got;
}

static int64_t bounce(const struct block_device *device, struct uio *uio, uint64_t offset,
		      uint64_t size, bool is_write)
{
	struct disk *disk = device->disk;
	hpa_t buffer;
	int64_t moved;

	if (frame_alloc(FRAME_KERNEL, BOUNCE_ORDER, &buffer))
		return -ENOMEM;
	if (is_write) {
		mutex_lock(&disk->unaligned);
		moved = write_some(device, uio, offset, size, direct(buffer));
		mutex_unlock(&disk->unaligned);
	} else {
		moved = read_some(device, uio, offset, size, direct(buffer));
	}
	frame_put(buffer);
	return moved;
}

/* --- the choice --- */

static struct uio_range *first_range(struct uio *uio)
{
	while (uio->at < uio->count && !uio->ranges[uio->at].bytes)
		uio->at++;
	return uio->at < uio->count ? &uio->ranges[uio->at] : NULL;
}

static bool is_multiple(const struct disk *disk, uint64_t value)
{
	return !(value & (disk->block_bytes - 1));
}

/* Linux's rule for O_DIRECT. */
static bool is_aligned(const struct disk *disk, uint64_t address, uint64_t offset, uint64_t size)
{
	return is_multiple(disk, offset | size) && address % DIRECT_IO_ALIGNMENT == 0;
}

/* The next piece: as much of the first range as can go straight, or some through a buffer. */
static int64_t move_piece(const struct block_device *device, struct uio *uio, uint64_t offset,
			  uint64_t size, bool is_write)
{
	struct uio_range *range = first_range(uio);
	struct disk *disk = device->disk;
	uint64_t whole;
	int64_t moved;

	if (!range)
		return 0;
	whole = min_u64(size, range->bytes) & ~(uint64_t)(disk->block_bytes - 1);
	/* A buffer at multiples of blocks, too: then requests cut at pages are whole blocks. */
	if (!whole || !is_multiple(disk, offset | range->base))
		return bounce(device, uio, offset, min_u64(size, uio->left), is_write);
	moved = direct_io(disk, is_write ? DISK_WRITE : DISK_READ, device->start_bytes + offset,
			  range->base, whole);
	if (moved > 0) {
		range->base += (uint64_t)moved;
		range->bytes -= (uint64_t)moved;
		uio->left -= (uint64_t)moved;
	}
	return moved;
}

static int64_t move_all(const struct block_device *device, struct uio *uio, uint64_t offset,
			bool is_write)
{
	uint64_t size = min_u64(uio->left, device->size_bytes - offset), done = 0;

	while (done < size) {
		int64_t moved = move_piece(device, uio, offset + done, size - done, is_write);

		if (moved <= 0)
			return done ? (int64_t)done : moved;
		done += (uint64_t)moved;
	}
	return (int64_t)done;
}

/* What is behind the device's end isn't looked at. */
static bool is_direct_and_unaligned(const struct file *file, const struct uio *uio, uint64_t offset)
{
	const struct block_device *device = device_of(file);
	uint64_t left = min_u64(uio->left, device->size_bytes - offset);

	if (!(file->flags & O_DIRECT))
		return false;
	for (uint32_t i = uio->at; i < uio->count && left; i++) {
		uint64_t bytes = min_u64(uio->ranges[i].bytes, left);

		if (!is_aligned(device->disk, uio->ranges[i].base, offset, bytes))
			return true;
		left -= bytes;
	}
	return false;
}

/* --- the file --- */

static int64_t block_read_at(struct file *file, struct uio *uio, uint64_t offset)
{
	const struct block_device *device = device_of(file);

	if (offset >= device->size_bytes)
		return 0;
	if (is_direct_and_unaligned(file, uio, offset))
		return -EINVAL;
	return move_all(device, uio, offset, false);
}

static int block_sync(struct file *file)
{
	struct disk *disk = device_of(file)->disk;

	return disk->is_readonly ? 0 : disk_transfer(disk, DISK_FLUSH, 0, NULL, 0);
}

static int64_t block_write_at(struct file *file, struct uio *uio, uint64_t offset)
{
	const struct block_device *device = device_of(file);
	int64_t done;
	int err;

	if (device->disk->is_readonly)
		return -EPERM;
	if (offset >= device->size_bytes)
		return uio->left ? -ENOSPC : 0;
	if (is_direct_and_unaligned(file, uio, offset))
		return -EINVAL;
	done = move_all(device, uio, offset, true);
	if (done <= 0 || !(file->flags & O_DSYNC))
		return done;
	err = block_sync(file);
	return err ? err : done;
}

static int64_t block_ioctl(struct file *file, uint32_t request, uint64_t argument)
{
	const struct block_device *device = device_of(file);

	switch (request) {
	case BLKGETSIZE64:
		return put_user_u64(argument, device->size_bytes);
	case BLKGETSIZE:
		return put_user_u64(argument, device->size_bytes / 512);
	case BLKSSZGET:
	case BLKPBSZGET:
		return put_user_u32(argument, device->disk->block_bytes);
	case BLKROGET:
		return put_user_u32(argument, device->disk->is_readonly);
	case BLKFLSBUF:
		return block_sync(file);
	default:
		return -ENOTTY;
	}
}

static void block_stat(struct file *file, struct file_stat *out)
{
	out->size_bytes = device_of(file)->size_bytes;
}

static void block_release(struct file *file)
{
	if (file->data)
		claim_drop(file->data);
}

static const struct file_ops block_ops = {
	.read_at = block_read_at,
	.write_at = block_write_at,
	.ioctl = block_ioctl,
	.stat = block_stat,
	.sync = block_sync,
	.release = block_release,
};

int block_file_open(struct node *node, uint32_t flags, struct file **out)
{
	struct claim *claim = NULL;
	int err = 0;

	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if (flags & O_EXCL)
		err = claim_take(node->data, &claim);
	if (err)
		return err;
	*out = file_create(&block_ops, claim, NULL, flags);
	if (*out)
		return 0;
	if (claim)
		claim_drop(claim);
	return -ENOMEM;
}
