/*
 * Virtio disks: the driver of the host's.
 *
 * One queue. Each request has a slot with its header, status and descriptors, by the number of its chain in the queue.
 *
 * Fields: [I] immutable  [L] disk.lock
 * Source: virtio 1.2, 5.2 "Block Device".
 */
#include <linux/virtio_blk.h>
#include <string.h>

#include "kernel/block/disk.h"
#include "kernel/block/virtio_blk.h"
#include "kernel/dev/print.h"
#include "kernel/dev/virtio.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"

enum {
	SECTOR_BYTES = 512,
	MODERN_ID = 0x1042,
	TRANSITIONAL_ID = 0x1001,
	SLOT_ORDER = 6, /* of pages, for all slots */
	CHAIN_MAX = DISK_SEGMENTS_MAX + 2,
	LETTERS = 26,
};

#define WANTED                                                                         \
	(VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) | VIRTIO_BIT(VIRTIO_BLK_F_RO) |                \
	 VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) | VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) |        \
	 VIRTIO_BIT(VIRTIO_BLK_F_SIZE_MAX) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))

/* What the device reads and writes beside the data. */
struct slot {
	struct vring_desc chain[CHAIN_MAX];
	struct virtio_blk_outhdr header;
	uint8_t status;
};
static_assert(sizeof(struct slot) * VIRTQ_SIZE_MAX <= PAGE_BYTES << SLOT_ORDER, "the slots fit");

struct virtio_disk {
	struct disk disk;
	struct virtio device; /* [I] but for its features, which are the same after a restart */
	struct virtq queue;   /* [L] */
	struct slot *slots;   /* [I] what is in a free one: [L] */
	struct disk_request *requests[VIRTQ_SIZE_MAX]; /* [L] */
};

static uint32_t type_of(enum disk_op op)
{
	return op == DISK_READ	  ? VIRTIO_BLK_T_IN
	       : op == DISK_WRITE ? VIRTIO_BLK_T_OUT
				  : VIRTIO_BLK_T_FLUSH;
}

/* Header, data, status: 5.2.6 "Device Operation". Returns how many descriptors. */
static uint16_t fill_slot(struct slot *slot, const struct disk_request *request)
{
	uint16_t count = 0, data_flags = request->op == DISK_READ ? VRING_DESC_F_WRITE : 0;

	slot->header = (struct virtio_blk_outhdr){
		.type = type_of(request->op),
		.sector = request->offset_bytes / SECTOR_BYTES,
	};
	slot->status = VIRTIO_BLK_S_IOERR; /* unless the device says otherwise */
	slot->chain[count++] = virtq_describe(&slot->header, sizeof(slot->header), 0);
	for (uint32_t i = 0; i < request->nr_segments; i++)
		slot->chain[count++] = (struct vring_desc){
			.addr = request->segments[i].at.v,
			.len = request->segments[i].size_bytes,
			.flags = data_flags,
		};
	slot->chain[count++] =
		virtq_describe(&slot->status, sizeof(slot->status), VRING_DESC_F_WRITE);
	return count;
}

static int add_chain(struct virtio_disk *virtio, uint16_t index, uint16_t count)
{
	struct vring_desc *chain = virtio->slots[index].chain;
	struct vring_desc indirect;

	if (!virtio_has(&virtio->device, VIRTIO_RING_F_INDIRECT_DESC))
		return virtq_add(&virtio->queue, chain, count);
	for (uint16_t i = 0; i + 1 < count; i++) {
		chain[i].flags |= VRING_DESC_F_NEXT;
		chain[i].next = (uint16_t)(i + 1);
	}
	indirect = virtq_describe(chain, count * (uint32_t)sizeof(*chain), VRING_DESC_F_INDIRECT);
	return virtq_add(&virtio->queue, &indirect, 1);
}

static int submit(struct disk *disk, struct disk_request *request)
{
	struct virtio_disk *virtio = disk->data;
	uint16_t index = virtq_next(&virtio->queue);
	int err;

	if (!virtio->queue.nr_free)
		return -EBUSY;
	err = add_chain(virtio, index, fill_slot(&virtio->slots[index], request));
	if (err)
		return err;
	virtio->requests[index] = request;
	virtq_kick(&virtio->queue);
	return 0;
}

static struct disk_request *reap(struct disk *disk, int *err)
{
	struct virtio_disk *virtio = disk->data;
	uint32_t written;
	uint16_t index;

	if (!virtq_take(&virtio->queue, &index, &written))
		return NULL;
	*err = __atomic_load_n(&virtio->slots[index].status, __ATOMIC_RELAXED) == VIRTIO_BLK_S_OK
		       ? 0
		       : -EIO;
	return virtio->requests[index];
}

/* A device that doesn't obey loses its way to memory, which stops it as well. */
static void stop(struct disk *disk)
{
	struct virtio_disk *virtio = disk->data;

	if (virtio_reset(&virtio->device))
		print_warn("%s: it doesn't let itself be reset", disk->name);
	pci_stop_dma(virtio->device.pci);
}

static int start(struct disk *disk)
{
	struct virtio_disk *virtio = disk->data;
	int err;

	pci_enable(virtio->device.pci);
	err = virtio_reset(&virtio->device);
	if (!err)
		err = virtio_negotiate(&virtio->device, WANTED);
	if (!err)
		err = virtio_start_queue(&virtio->device, 0, &virtio->queue, 0);
	if (err)
		return err;
	virtio_run(&virtio->device);
	return 0;
}

static const struct disk_ops ops = {
	.submit = submit,
	.reap = reap,
	.stop = stop,
	.start = start,
};

/* --- finding one --- */

/* The configuration's field, where the feature says that it is valid. */
#define READ_CONFIG(virtio, feature, field, out)                                      \
	(virtio_has(&(virtio)->device, feature)                                       \
		 ? virtio_read_config(&(virtio)->device,                              \
				      offsetof(struct virtio_blk_config, field), out, \
				      sizeof(*(out)))                                 \
		 : 0)

/* 5.2.4 "Device configuration layout": what isn't offered stays at its default. */
static int read_limits(struct virtio_disk *virtio)
{
	uint32_t segments_max = DISK_SEGMENTS_MAX, segment_bytes_max = PAGE_BYTES,
		 block_bytes = SECTOR_BYTES;
	struct disk *disk = &virtio->disk;
	uint64_t capacity;
	int err = virtio_read_config(&virtio->device, offsetof(struct virtio_blk_config, capacity),
				     &capacity, sizeof(capacity));

	if (!err)
		err = READ_CONFIG(virtio, VIRTIO_BLK_F_SEG_MAX, seg_max, &segments_max);
	if (!err)
		err = READ_CONFIG(virtio, VIRTIO_BLK_F_SIZE_MAX, size_max, &segment_bytes_max);
	if (!err)
		err = READ_CONFIG(virtio, VIRTIO_BLK_F_BLK_SIZE, blk_size, &block_bytes);
	if (err)
		return err;
	segments_max = (uint32_t)min_u64(segments_max,
					 min_u64(virtio->queue.size - 2u, DISK_SEGMENTS_MAX));
	if (capacity > INT64_MAX / SECTOR_BYTES || segments_max < 2 ||
	    segment_bytes_max < PAGE_BYTES || block_bytes < SECTOR_BYTES ||
	    block_bytes > PAGE_BYTES || (block_bytes & (block_bytes - 1)))
		return -EINVAL;
	disk->block_bytes = block_bytes;
	disk->size_bytes = capacity * SECTOR_BYTES / block_bytes * block_bytes;
	/* A transfer that begins inside a page has one segment more than it has whole pages. */
	disk->request_bytes_max = (segments_max - 1) * (uint32_t)PAGE_BYTES;
	disk->is_readonly = virtio_has(&virtio->device, VIRTIO_BLK_F_RO);
	disk->has_cache = virtio_has(&virtio->device, VIRTIO_BLK_F_FLUSH);
	return 0;
}

/* vda to vdz, then vdaa. */
static void name_disk(struct disk *disk)
{
	static uint32_t nr_disks;
	uint32_t number = nr_disks++;
	size_t at = 2;

	memcpy(disk->name, "vd", at);
	if (number >= LETTERS)
		disk->name[at++] = (char)('a' + (number / LETTERS - 1) % LETTERS);
	disk->name[at] = (char)('a' + number % LETTERS);
}

static int start_device(struct pci_device *pci)
{
	struct virtio_disk *virtio = kmalloc(sizeof(*virtio));
	hpa_t slots;
	int err;

	/* What was taken stays with a device that fails: it happens once, at boot. */
	if (!virtio || frame_alloc(FRAME_KERNEL, SLOT_ORDER, &slots))
		return -ENOMEM;
	virtio->slots = direct(slots);
	disk_init(&virtio->disk);
	virtio->disk.ops = &ops;
	virtio->disk.data = virtio;
	pci->data = virtio;
	err = virtio_open(pci, &virtio->device);
	if (!err)
		err = virtq_create(&virtio->queue);
	if (!err)
		err = pci_irq_add(pci, 0, "virtio disk", disk_interrupt, &virtio->disk);
	if (!err)
		err = start(&virtio->disk);
	if (!err)
		err = read_limits(virtio);
	if (err)
		return err;
	name_disk(&virtio->disk);
	disk_add(&virtio->disk);
	return 0;
}

static bool claims(const struct pci_device *pci)
{
	return virtio_is(pci, MODERN_ID, TRANSITIONAL_ID);
}

const struct pci_driver virtio_blk_driver = {
	.name = "virtio-blk",
	.claims = claims,
	.start = start_device,
};
