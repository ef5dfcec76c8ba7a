/*
 * An NVMe controller: its registers, its administration queue, and pairs of queues for I/O.
 *
 * Administration is for threads, one command at a time, waited for by looking: it happens at boot and after failures.
 *
 * Fields: [I] immutable once started  [M] controller->lock
 * Source: NVM Express Base Specification 1.4, 3 "Controller Registers", 4 "Data Structures", 5 "Admin Command Set".
 */
#pragma once

#include "kernel/dev/pci.h"
#include "kernel/sched/mutex.h"

/* 4.2 "Submission Queue Entry" */
struct nvme_command {
	uint8_t opcode, flags;
	uint16_t id;
	uint32_t namespace;
	uint64_t reserved, metadata;
	uint64_t prp1, prp2;
	uint32_t words[6]; /* 10 to 15 */
};
static_assert(sizeof(struct nvme_command) == 64, "4.2");

/* 4.6 "Completion Queue Entry" */
struct nvme_completion {
	uint32_t result, reserved;
	uint16_t head, queue, id;
	uint16_t status; /* bit 0: phase */
};
static_assert(sizeof(struct nvme_completion) == 16, "4.6");

enum {
	NVME_QUEUE_ENTRIES = 64, /* commands of a queue fill a page */
	NVME_QUEUES_MAX = 17,	 /* pairs; the administration's is 0 */
};

/* A submission queue and its completion queue. Who uses it has a lock around all of it. */
struct nvme_queue {
	uint16_t id;
	uint16_t tail, head;	       /* where the next command goes, and the next completion is */
	uint16_t phase;		       /* that a new completion has */
	struct nvme_command *commands; /* a page each */
	struct nvme_completion *completions;
	volatile uint32_t *tail_doorbell, *head_doorbell;
};

struct nvme_controller {
	struct pci_device *pci;	     /* [I] */
	char name[8];		     /* [I] nvme0 */
	volatile uint8_t *registers; /* [I] */
	uint64_t capabilities;	     /* [I] */
	uint32_t doorbell_bytes;     /* [I] from one to the next */
	uint32_t transfer_bytes_max; /* [I] */
	bool has_cache;		     /* [I] */
	struct mutex lock;
	struct nvme_queue admin; /* [M] */
	bool is_running;	 /* [M] */
	uint32_t generation;	 /* [M] grows with each start: queues of an earlier one are gone */
	void *page;		 /* [M] for what commands return */
};

/* Maps and starts it. -ENODEV, -ENOMEM, -ETIMEDOUT, -EIO. */
MUST_CHECK int nvme_open(struct pci_device *pci, struct nvme_controller *controller);

/* The following: with controller->lock. */

/* After nvme_disable(). */
MUST_CHECK int nvme_enable(struct nvme_controller *controller);
/* No command is executed any more, and no memory touched. Bounded. */
void nvme_disable(struct nvme_controller *controller);

/* These commands: -EIO: it failed; -ETIMEDOUT: no answer, and the controller is disabled. */

/* Into controller->page. */
MUST_CHECK int nvme_identify(struct nvme_controller *controller, uint32_t what, uint32_t namespace);

MUST_CHECK int nvme_queue_create(struct nvme_queue *queue, uint16_t id); /* its memory: once */
MUST_CHECK int nvme_queue_start(struct nvme_controller *controller, struct nvme_queue *queue,
				uint16_t message);
MUST_CHECK int nvme_queue_stop(struct nvme_controller *controller, const struct nvme_queue *queue);

/* With the queue's lock. The caller never has more than NVME_QUEUE_ENTRIES - 1 commands out. */
void nvme_queue_put(struct nvme_queue *queue, const struct nvme_command *command);
/* The next completion; false: none. */
bool nvme_queue_take(struct nvme_queue *queue, struct nvme_completion *out);
