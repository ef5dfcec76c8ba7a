/*
 * An NVMe controller: see nvme_controller.h.
 */
#include <string.h>

#include "kernel/block/nvme_controller.h"
#include "kernel/cpu/clock.h"
#include "kernel/dev/print.h"
#include "kernel/mem/frame.h"
#include "kernel/sched/thread.h"

enum {
	REGISTERS_BYTES = 0x2000, /* with the doorbells that are used */
	CAP = 0x00,
	CC = 0x14,
	CSTS = 0x1c,
	AQA = 0x24,
	ASQ = 0x28,
	ACQ = 0x30,
	DOORBELLS = 0x1000,

	CC_ENABLE = 1 << 0,
	CC_ENTRY_SIZES = 6 << 16 | 4 << 20, /* powers of two: 64 and 16 bytes */
	CSTS_READY = 1 << 0,
	CSTS_FATAL = 1 << 1,

	ADMIN_DELETE_SQ = 0x00,
	ADMIN_CREATE_SQ = 0x01,
	ADMIN_DELETE_CQ = 0x04,
	ADMIN_CREATE_CQ = 0x05,
	ADMIN_IDENTIFY = 0x06,
	QUEUE_CONTIGUOUS = 1 << 0,
	QUEUE_INTERRUPTS = 1 << 1,

	IDENTIFY_CONTROLLER = 1,
	CONTROLLER_MDTS = 77, /* offsets in what it returns */
	CONTROLLER_VWC = 525,
	MDTS_MAX = 16,
};

#define ADMIN_NS	UINT64_C(5000000000)
#define TIMEOUT_UNIT_NS UINT64_C(500000000)

static uint32_t read32(const struct nvme_controller *controller, uint32_t offset)
{
	return *(volatile uint32_t *)(controller->registers + offset);
}

static void write32(const struct nvme_controller *controller, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)(controller->registers + offset) = value;
}

static void write64(const struct nvme_controller *controller, uint32_t offset, uint64_t value)
{
	write32(controller, offset, (uint32_t)value);
	write32(controller, offset + 4, (uint32_t)(value >> 32));
}

/* 3.1.1 "CAP" */
static uint32_t page_bytes_min_log2(const struct nvme_controller *controller)
{
	return (uint32_t)(controller->capabilities >> 48 & 0xf) + PAGE_SHIFT;
}

static int wait_ready(const struct nvme_controller *controller, bool is_ready)
{
	uint64_t end = clock_ns() + ((controller->capabilities >> 24 & 0xff) + 1) * TIMEOUT_UNIT_NS;
	uint32_t status;

	for (;;) {
		status = read32(controller, CSTS);
		if (status == UINT32_MAX)
			return -ENODEV; /* it has gone */
		if ((status & CSTS_READY) == (is_ready ? CSTS_READY : 0u))
			return 0;
		if ((is_ready && (status & CSTS_FATAL)) || clock_ns() > end)
			return -ETIMEDOUT;
		thread_yield();
	}
}

void nvme_disable(struct nvme_controller *controller)
{
	if (!controller->is_running)
		return;
	controller->is_running = false;
	write32(controller, CC, 0);
	if (wait_ready(controller, false))
		print_warn("%s: it doesn't let itself be switched off", controller->name);
	pci_stop_dma(controller->pci);
}

/* --- queues --- */

int nvme_queue_create(struct nvme_queue *queue, uint16_t id)
{
	queue->id = id;
	queue->commands = page_alloc();
	queue->completions = page_alloc();
	return queue->commands && queue->completions ? 0 : -ENOMEM;
}

static void queue_reset(const struct nvme_controller *controller, struct nvme_queue *queue)
{
	volatile uint8_t *doorbell =
		controller->registers + DOORBELLS + 2u * queue->id * controller->doorbell_bytes;

	memset(queue->completions, 0, PAGE_BYTES);
	queue->tail = queue->head = 0;
	queue->phase = 1;
	queue->tail_doorbell = (volatile uint32_t *)doorbell;
	queue->head_doorbell = (volatile uint32_t *)(doorbell + controller->doorbell_bytes);
}

void nvme_queue_put(struct nvme_queue *queue, const struct nvme_command *command)
{
	queue->commands[queue->tail] = *command;
	queue->tail = (uint16_t)((queue->tail + 1) % NVME_QUEUE_ENTRIES);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*queue->tail_doorbell = queue->tail;
}

bool nvme_queue_take(struct nvme_queue *queue, struct nvme_completion *out)
{
	struct nvme_completion *completion = &queue->completions[queue->head];

	if ((__atomic_load_n(&completion->status, __ATOMIC_ACQUIRE) & 1) != queue->phase)
		return false;
	*out = *completion;
	queue->head = (uint16_t)((queue->head + 1) % NVME_QUEUE_ENTRIES);
	if (!queue->head)
		queue->phase ^= 1;
	*queue->head_doorbell = queue->head;
	return true;
}

/* --- administration --- */

static int admin(struct nvme_controller *controller, const struct nvme_command *command)
{
	struct nvme_completion completion;
	uint64_t start = clock_ns();

	if (!controller->is_running)
		return -ETIMEDOUT;
	nvme_queue_put(&controller->admin, command);
	while (!nvme_queue_take(&controller->admin, &completion)) {
		if (clock_ns() - start > ADMIN_NS) {
			/* Or its answer would be taken for the next command's. */
			nvme_disable(controller);
			return -ETIMEDOUT;
		}
		thread_yield();
	}
	return completion.status >> 1 ? -EIO : 0;
}

int nvme_identify(struct nvme_controller *controller, uint32_t what, uint32_t namespace)
{
	const struct nvme_command command = {
		.opcode = ADMIN_IDENTIFY,
		.namespace = namespace,
		.prp1 = direct_hpa(controller->page).v,
		.words = { what },
	};

	return admin(controller, &command);
}

/* Makes one of the two rings of a pair, which is in @page, or, without one, deletes it. */
static int queue_admin(struct nvme_controller *controller, uint8_t opcode,
		       const struct nvme_queue *queue, const void *page, uint32_t how)
{
	const struct nvme_command command = {
		.opcode = opcode,
		.prp1 = page ? direct_hpa(page).v : 0,
		.words = { (page ? (NVME_QUEUE_ENTRIES - 1u) << 16 : 0) | queue->id, how },
	};

	return admin(controller, &command);
}

int nvme_queue_start(struct nvme_controller *controller, struct nvme_queue *queue, uint16_t message)
{
	int err;

	queue_reset(controller, queue);
	err = queue_admin(controller, ADMIN_CREATE_CQ, queue, queue->completions,
			  (uint32_t)message << 16 | QUEUE_INTERRUPTS | QUEUE_CONTIGUOUS);
	return err ? err
		   : queue_admin(controller, ADMIN_CREATE_SQ, queue, queue->commands,
				 (uint32_t)queue->id << 16 | QUEUE_CONTIGUOUS);
}

int nvme_queue_stop(struct nvme_controller *controller, const struct nvme_queue *queue)
{
	int err = queue_admin(controller, ADMIN_DELETE_SQ, queue, NULL, 0);

	return err ? err : queue_admin(controller, ADMIN_DELETE_CQ, queue, NULL, 0);
}

/* --- the controller --- */

int nvme_enable(struct nvme_controller *controller)
{
	int err;

	pci_enable(controller->pci);
	write32(controller, CC, 0);
	err = wait_ready(controller, false);
	if (err)
		return err;
	queue_reset(controller, &controller->admin);
	write32(controller, AQA, (NVME_QUEUE_ENTRIES - 1u) << 16 | (NVME_QUEUE_ENTRIES - 1u));
	write64(controller, ASQ, direct_hpa(controller->admin.commands).v);
	write64(controller, ACQ, direct_hpa(controller->admin.completions).v);
	write32(controller, CC, CC_ENTRY_SIZES | CC_ENABLE);
	err = wait_ready(controller, true);
	if (err)
		return err;
	controller->is_running = true;
	controller->generation++;
	return 0;
}

static int read_identity(struct nvme_controller *controller)
{
	const uint8_t *identity = controller->page;
	int err = nvme_identify(controller, IDENTIFY_CONTROLLER, 0);

	if (err)
		return err;
	controller->transfer_bytes_max = UINT32_MAX;
	if (identity[CONTROLLER_MDTS] && identity[CONTROLLER_MDTS] < MDTS_MAX)
		controller->transfer_bytes_max =
			1u << (identity[CONTROLLER_MDTS] + page_bytes_min_log2(controller));
	controller->has_cache = identity[CONTROLLER_VWC] & 1;
	return 0;
}

int nvme_open(struct pci_device *pci, struct nvme_controller *controller)
{
	int err;

	controller->pci = pci;
	mutex_init(&controller->lock);
	pci_enable(pci);
	controller->registers = pci_map(pci, 0, 0, REGISTERS_BYTES);
	if (!controller->registers)
		return -ENODEV;
	controller->capabilities = read32(controller, CAP) | (uint64_t)read32(controller, CAP + 4)
								     << 32;
	controller->doorbell_bytes = 4u << (controller->capabilities >> 32 & 0xf);
	if (page_bytes_min_log2(controller) > PAGE_SHIFT ||
	    (controller->capabilities & 0xffff) + 1 < NVME_QUEUE_ENTRIES ||
	    2 * NVME_QUEUES_MAX * controller->doorbell_bytes > REGISTERS_BYTES - DOORBELLS)
		return -ENODEV;
	controller->page = page_alloc();
	if (!controller->page || nvme_queue_create(&controller->admin, 0))
		return -ENOMEM;
	mutex_lock(&controller->lock);
	err = nvme_enable(controller);
	if (!err)
		err = read_identity(controller);
	mutex_unlock(&controller->lock);
	return err;
}
