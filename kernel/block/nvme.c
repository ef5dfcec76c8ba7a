/*
 * NVMe disks: a namespace each, with a pair of queues of its own, so that one disk's lock is all that its hot path takes.
 *
 * Each command out has a slot with its list of pages; the slot's number is the command's id.
 *
 * Fields: [I] immutable  [L] disk.lock  [M] controller->lock
 * Source: NVM Express Base Specification 1.4, 4.3 "Physical Region Page Entry and List", 6 "NVM Command Set".
 */
#include "kernel/block/disk.h"
#include "kernel/block/nvme.h"
#include "kernel/block/nvme_controller.h"
#include "kernel/dev/print.h"
#include "kernel/mem/frame.h"
#include "kernel/mem/object.h"
#include "lib/bytes.h"
#include "lib/format.h"

enum {
	CLASS_NVME = 0x010802,
	NAMESPACES_MAX = NVME_QUEUES_MAX - 1, /* per controller */
	SLOTS = NVME_QUEUE_ENTRIES - 1,
	LIST_ENTRIES = 64, /* all of a request's pages but the first */
	LIST_ORDER = 3,	   /* of pages, for the lists of all slots */

	OPCODE_FLUSH = 0x00,
	OPCODE_WRITE = 0x01,
	OPCODE_READ = 0x02,

	IDENTIFY_NAMESPACE = 0,
	IDENTIFY_ACTIVE = 2,
	NAMESPACE_SIZE = 0, /* offsets in what they return: figure 245 */
	NAMESPACE_FORMAT = 26,
	NAMESPACE_PROTECTION = 29,
	NAMESPACE_ATTRIBUTES = 99,
	NAMESPACE_FORMATS = 128,
	ATTRIBUTE_READONLY = 1 << 0,
};
static_assert(LIST_ENTRIES >= DISK_SEGMENTS_MAX - 1, "a request's pages fit");
static_assert(SLOTS * LIST_ENTRIES * 8 <= PAGE_BYTES << LIST_ORDER, "the lists fit");

struct nvme_disk {
	struct disk disk;
	struct nvme_controller *controller;   /* [I] */
	uint32_t namespace;		      /* [I] */
	uint32_t block_shift;		      /* [I] */
	uint16_t message;		      /* [I] */
	uint32_t generation;		      /* [M] of the controller when the queue was started */
	struct nvme_queue queue;	      /* [L] */
	uint64_t *lists;		      /* [I] LIST_ENTRIES per slot */
	struct disk_request *requests[SLOTS]; /* [L] by slot */
	uint64_t free_slots;		      /* [L] a bit each */
};

/*
 * The request's pages, in order. A segment may be larger than a page; it begins and ends at page boundaries but where the
 * request does (disk.h).
 */
static void set_pages(struct nvme_disk *nvme, struct nvme_command *command, uint16_t slot,
		      const struct disk_request *request)
{
	uint64_t *list = nvme->lists + slot * LIST_ENTRIES;
	uint32_t count = 0;

	for (uint32_t i = 0; i < request->nr_segments; i++) {
		uint64_t at = request->segments[i].at.v, end = at + request->segments[i].size_bytes;

		for (; at < end; at = (at & ~(PAGE_BYTES - 1)) + PAGE_BYTES) {
			if (count)
				list[count - 1] = at;
			else
				command->prp1 = at;
			count++;
		}
	}
	/* The second entry is the second page, if that is the last one; else where the list of the others is. */
	if (count == 2)
		command->prp2 = list[0];
	else if (count > 2)
		command->prp2 = direct_hpa(list).v;
}

static int submit(struct disk *disk, struct disk_request *request)
{
	struct nvme_disk *nvme = disk->data;
	uint16_t slot = (uint16_t)__builtin_ctzll(nvme->free_slots | UINT64_C(1) << SLOTS);
	struct nvme_command command = { .id = slot, .namespace = nvme->namespace };
	uint64_t block = request->offset_bytes >> nvme->block_shift;

	if (slot == SLOTS)
		return -EBUSY;
	command.opcode = request->op == DISK_READ    ? OPCODE_READ
			 : request->op == DISK_WRITE ? OPCODE_WRITE
						     : OPCODE_FLUSH;
	if (request->op != DISK_FLUSH) {
		set_pages(nvme, &command, slot, request);
		command.words[0] = (uint32_t)block;
		command.words[1] = (uint32_t)(block >> 32);
		command.words[2] = (request->size_bytes >> nvme->block_shift) - 1;
	}
	nvme->free_slots &= ~(UINT64_C(1) << slot);
	nvme->requests[slot] = request;
	nvme_queue_put(&nvme->queue, &command);
	return 0;
}

static struct disk_request *reap(struct disk *disk, int *err)
{
	struct nvme_disk *nvme = disk->data;
	struct nvme_completion completion;

	/* An id that isn't out is dropped: whoever waits for another is helped by the timeout. */
	do {
		if (!nvme_queue_take(&nvme->queue, &completion))
			return NULL;
	} while (completion.id >= SLOTS || (nvme->free_slots >> completion.id & 1));
	nvme->free_slots |= UINT64_C(1) << completion.id;
	*err = completion.status >> 1 ? -EIO : 0;
	return nvme->requests[completion.id];
}

/* The queue alone if the controller still listens, else the whole controller: its other disks find out by their timeouts. */
static void stop(struct disk *disk)
{
	struct nvme_disk *nvme = disk->data;
	struct nvme_controller *controller = nvme->controller;

	mutex_lock(&controller->lock);
	if (controller->is_running && controller->generation == nvme->generation &&
	    nvme_queue_stop(controller, &nvme->queue))
		nvme_disable(controller);
	mutex_unlock(&controller->lock);
}

static int start(struct disk *disk)
{
	struct nvme_disk *nvme = disk->data;
	struct nvme_controller *controller = nvme->controller;
	int err = 0;

	nvme->free_slots = (UINT64_C(1) << SLOTS) - 1;
	mutex_lock(&controller->lock);
	if (!controller->is_running)
		err = nvme_enable(controller);
	if (!err)
		err = nvme_queue_start(controller, &nvme->queue, nvme->message);
	nvme->generation = controller->generation;
	mutex_unlock(&controller->lock);
	return err;
}

static const struct disk_ops ops = {
	.submit = submit,
	.reap = reap,
	.stop = stop,
	.start = start,
};

/* --- finding them --- */

/* From what Identify said, in controller->page. */
static int read_limits(struct nvme_disk *nvme)
{
	const uint8_t *identity = nvme->controller->page;
	const uint8_t *format =
		identity + NAMESPACE_FORMATS + 4 * (identity[NAMESPACE_FORMAT] & 0xf);
	uint64_t nr_blocks = get_u64(identity + NAMESPACE_SIZE);
	struct disk *disk = &nvme->disk;

	nvme->block_shift = format[2];
	/* Metadata and protection would change what a transfer looks like. */
	if (nvme->block_shift < 9 || nvme->block_shift > PAGE_SHIFT || get_u16(format) ||
	    (identity[NAMESPACE_PROTECTION] & 7))
		return -EINVAL;
	if (!nr_blocks || nr_blocks > (uint64_t)INT64_MAX >> nvme->block_shift)
		return -EINVAL;
	disk->block_bytes = 1u << nvme->block_shift;
	disk->size_bytes = nr_blocks << nvme->block_shift;
	disk->request_bytes_max =
		(uint32_t)min_u64(nvme->controller->transfer_bytes_max, DISK_REQUEST_BYTES_MAX);
	disk->is_readonly = identity[NAMESPACE_ATTRIBUTES] & ATTRIBUTE_READONLY;
	disk->has_cache = nvme->controller->has_cache;
	return 0;
}

static int add_namespace(struct nvme_controller *controller, uint32_t namespace, uint16_t index)
{
	struct nvme_disk *nvme = kmalloc(sizeof(*nvme));
	hpa_t lists;
	int err;

	if (!nvme || frame_alloc(FRAME_KERNEL, LIST_ORDER, &lists))
		return -ENOMEM;
	disk_init(&nvme->disk);
	nvme->disk.ops = &ops;
	nvme->disk.data = nvme;
	nvme->controller = controller;
	nvme->namespace = namespace;
	nvme->lists = direct(lists);
	nvme->message = index; /* the administration has 0 */
	format_text(nvme->disk.name, sizeof(nvme->disk.name), "%sn%u", controller->name, namespace);
	mutex_lock(&controller->lock);
	err = nvme_identify(controller, IDENTIFY_NAMESPACE, namespace);
	if (!err)
		err = read_limits(nvme);
	mutex_unlock(&controller->lock);
	if (!err)
		err = nvme_queue_create(&nvme->queue, index);
	if (!err)
		err = pci_irq_add(controller->pci, nvme->message, "NVMe disk", disk_interrupt,
				  &nvme->disk);
	if (!err)
		err = start(&nvme->disk);
	if (!err)
		disk_add(&nvme->disk);
	return err;
}

/* The active ones, ascending; a list that ends with 0. */
static int list_namespaces(struct nvme_controller *controller, uint32_t namespaces[NAMESPACES_MAX])
{
	const uint8_t *list = controller->page;
	int err;

	mutex_lock(&controller->lock);
	err = nvme_identify(controller, IDENTIFY_ACTIVE, 0);
	for (uint32_t i = 0; !err && i < NAMESPACES_MAX; i++)
		namespaces[i] = get_u32(list + 4 * i);
	mutex_unlock(&controller->lock);
	return err;
}

static int start_device(struct pci_device *pci)
{
	static uint32_t nr_controllers;
	struct nvme_controller *controller = kmalloc(sizeof(*controller));
	uint32_t namespaces[NAMESPACES_MAX];
	int err;

	/* What was taken stays with a device that fails: it happens once, at boot. */
	if (!controller)
		return -ENOMEM;
	pci->data = controller;
	format_text(controller->name, sizeof(controller->name), "nvme%u", nr_controllers++);
	err = nvme_open(pci, controller);
	if (!err)
		err = list_namespaces(controller, namespaces);
	if (err)
		return err;
	for (uint32_t i = 0; i < NAMESPACES_MAX && namespaces[i]; i++) {
		err = add_namespace(controller, namespaces[i], (uint16_t)(i + 1));
		if (err)
			print_warn("%sn%u: it can't be used (error %d)", controller->name,
				   namespaces[i], -err);
	}
	return 0;
}

static bool claims(const struct pci_device *pci)
{
	return pci->class == CLASS_NVME;
}

const struct pci_driver nvme_driver = {
	.name = "nvme",
	.claims = claims,
	.start = start_device,
};
