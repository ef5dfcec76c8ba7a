/*
 * virtio-blk: see blk.h. Requests are carried out in the order in which the driver made them available, on
 * the device's worker. Without the flush feature the driver expects its writes to be durable, so each is
 * flushed; with it, the driver says when.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/disk.h"
#include "vmm/virtio/blk.h"

enum counter { READS, WRITES, FLUSHES, READ_BYTES, WRITTEN_BYTES, ERRORS };

enum {
	CLASS_SCSI_STORAGE = 0x010000,
	/* A request of 1 MiB, in pages that are scattered, is one chain. */
	QUEUE_SIZE = 512,
	/* Of a full-length chain, the header and the status take one each. */
	SEGMENTS_MAX = QUEUE_SIZE - 2,
	SEGMENT_MAX_BYTES = 1 << 20,
	/* Whoever parks the worker waits for the request under way: so none may be endless. */
	REQUEST_MAX_BYTES = 64 << 20,
};

struct blk {
	struct virtio_dev dev;
	struct disk disk;
	struct virtio_blk_config config;
	char serial[VIRTIO_BLK_ID_BYTES];
};

/* A request's middle: what lies between its header and its status byte. */
struct blk_request {
	struct blk *blk;
	uint64_t sector;
	struct virtq_chain *chain;
};

static struct blk *to_blk(struct virtio_dev *dev)
{
	return container_of(dev, struct blk, dev);
}

/* A whole number of blocks inside the disk, and not too many at once? */
static bool range_is_valid(const struct blk *blk, uint64_t sector, uint64_t bytes)
{
	uint64_t capacity = blk->disk.size_bytes / DISK_SECTOR_BYTES;

	return bytes % DISK_SECTOR_BYTES == 0 && bytes <= REQUEST_MAX_BYTES && sector <= capacity &&
	       bytes / DISK_SECTOR_BYTES <= capacity - sector;
}

static int blk_read(struct blk_request *request)
{
	struct blk *blk = request->blk;
	uint64_t bytes = iov_bytes(&request->chain->in);
	int err;

	if (!range_is_valid(blk, request->sector, bytes))
		return -EIO;
	err = disk_read(&blk->disk, &request->chain->in, request->sector * DISK_SECTOR_BYTES);
	if (err)
		return err;
	virtio_dev_count(&blk->dev, READS, 1);
	virtio_dev_count(&blk->dev, READ_BYTES, bytes);
	return 0;
}

static int blk_flush(struct blk_request *request)
{
	virtio_dev_count(&request->blk->dev, FLUSHES, 1);
	return request->blk->disk.readonly ? 0 : disk_flush(&request->blk->disk);
}

static int blk_write(struct blk_request *request)
{
	struct blk *blk = request->blk;
	uint64_t bytes = iov_bytes(&request->chain->out);
	int err;

	if (blk->disk.readonly || !range_is_valid(blk, request->sector, bytes))
		return -EIO;
	err = disk_write(&blk->disk, &request->chain->out, request->sector * DISK_SECTOR_BYTES);
	if (!err && !virtio_dev_has(&blk->dev, VIRTIO_BLK_F_FLUSH))
		err = disk_flush(&blk->disk);
	if (err)
		return err;
	virtio_dev_count(&blk->dev, WRITES, 1);
	virtio_dev_count(&blk->dev, WRITTEN_BYTES, bytes);
	return 0;
}

static int blk_identify(struct blk_request *request)
{
	struct blk *blk = request->blk;

	iov_put_front(&request->chain->in, blk->serial, sizeof(blk->serial));
	return 0;
}

static const struct {
	uint32_t type;
	int (*carry_out)(struct blk_request *request);
} request_types[] = {
	{ VIRTIO_BLK_T_IN, blk_read },
	{ VIRTIO_BLK_T_OUT, blk_write },
	{ VIRTIO_BLK_T_FLUSH, blk_flush },
	{ VIRTIO_BLK_T_GET_ID, blk_identify },
};

static uint8_t blk_carry_out(struct blk_request *request, uint32_t type)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(request_types); i++) {
		if (request_types[i].type != type)
			continue;
		if (!request_types[i].carry_out(request))
			return VIRTIO_BLK_S_OK;
		virtio_dev_count(&request->blk->dev, ERRORS, 1);
		return VIRTIO_BLK_S_IOERR;
	}
	return VIRTIO_BLK_S_UNSUPP;
}

/* Header out, data either way, one status byte in: without header and status it isn't a request. */
static int blk_handle(struct virtio_dev *dev, struct virtq_chain *chain, uint32_t *written)
{
	struct virtio_blk_outhdr header;
	struct blk_request request = { .blk = to_blk(dev), .chain = chain };
	uint64_t in_bytes = iov_bytes(&chain->in);
	uint8_t *status_at = iov_take_last_byte(&chain->in);
	uint8_t status;

	if (!status_at || in_bytes > UINT32_MAX ||
	    iov_take_front(&chain->out, &header, sizeof(header)) != sizeof(header))
		return -EPROTO;
	request.sector = header.sector;
	status = blk_carry_out(&request, header.type);
	*status_at = status;
	/* The status is the chain's last byte: only when all before it is filled does the length reach it. */
	*written = status == VIRTIO_BLK_S_OK ? (uint32_t)in_bytes : 1;
	return 0;
}

static void blk_kick(struct virtio_dev *dev, uint16_t queue)
{
	virtio_dev_serve(dev, queue, blk_handle);
}

static void blk_destroy(struct virtio_dev *dev)
{
	struct blk *blk = to_blk(dev);

	virtio_dev_fini(dev);
	disk_close(&blk->disk);
	free(blk);
}

const struct virtio_dev_ops virtio_blk_ops = {
	.name = "blk",
	.device_id = VIRTIO_ID_BLOCK,
	.nr_queues = 1,
	.queue_size = QUEUE_SIZE,
	.nr_vectors = 1,
	.class_code = CLASS_SCSI_STORAGE,
	.features = UINT64_C(1) << VIRTIO_BLK_F_SIZE_MAX | UINT64_C(1) << VIRTIO_BLK_F_SEG_MAX |
		    UINT64_C(1) << VIRTIO_BLK_F_BLK_SIZE | UINT64_C(1) << VIRTIO_BLK_F_FLUSH,
	.counters = { [READS] = "reads",
		      [WRITES] = "writes",
		      [FLUSHES] = "flushes",
		      [READ_BYTES] = "read_bytes",
		      [WRITTEN_BYTES] = "written_bytes",
		      [ERRORS] = "errors" },
	.kick = blk_kick,
	.destroy = blk_destroy,
};

int virtio_blk_create(const struct disk_config *config, const struct guest_memory *memory,
		      struct virtio_dev **out, struct errmsg *why)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	const char *serial = config->serial ? config->serial : config->id;
	uint64_t features = config->readonly ? UINT64_C(1) << VIRTIO_BLK_F_RO : 0;
	int err;

	if (!blk)
		return errmsg_system(why, -ENOMEM, "%s: out of memory", config->id);
	err = disk_open(config->path, config->readonly, config->direct, &blk->disk, why);
	if (err)
		goto err_free;
	blk->config.capacity = blk->disk.size_bytes / DISK_SECTOR_BYTES;
	blk->config.size_max = SEGMENT_MAX_BYTES;
	blk->config.seg_max = SEGMENTS_MAX;
	blk->config.blk_size = blk->disk.block_bytes;
	/* Padded with zeroes, and not terminated when it is as long as the field. */
	memcpy(blk->serial, serial, strnlen(serial, sizeof(blk->serial)));

	blk->dev.config = &blk->config;
	blk->dev.config_bytes = sizeof(blk->config);
	err = virtio_dev_init(&blk->dev, &virtio_blk_ops, config->id, memory, features, why);
	if (err)
		goto err_close;
	*out = &blk->dev;
	return 0;

err_close:
	disk_close(&blk->disk);
err_free:
	free(blk);
	return err;
}
