/*
 * Requests on their way through a disk: see disk.h.
 */
#include "kernel/block/disk.h"
#include "kernel/block/partition.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/panic.h"
#include "kernel/dev/print.h"
#include "kernel/sched/thread.h"

#define TIMEOUT_NS UINT64_C(10000000000)

static struct mutex list_lock = MUTEX(list_lock);
static struct list all_disks = { &all_disks, &all_disks };
static struct waitq keeper_queue = WAITQ(keeper_queue);
static uint32_t nr_late; /* [a] disks that the keeper should look at */

static struct disk_request *first_of(const struct list *requests)
{
	return list_is_empty(requests) ? NULL
				       : list_entry(requests->next, struct disk_request, node);
}

/* --- with the disk's lock --- */

static void arm_timer(struct disk *disk)
{
	const struct disk_request *oldest = first_of(&disk->active);

	if (!oldest || disk->is_timer_armed)
		return;
	disk->is_timer_armed = true;
	timer_arm(&disk->timer, oldest->deadline_ns);
}

/* Fills the device's queue. What the driver refuses for good goes to @failed. */
static void fill(struct disk *disk, struct list *failed)
{
	struct disk_request *request;

	while ((request = first_of(&disk->waiting)) && !disk->is_stopped) {
		int err = disk->is_dead ? -EIO : disk->ops->submit(disk, request);

		if (err == -EBUSY)
			break;
		list_remove(&request->node);
		request->deadline_ns = clock_ns() + TIMEOUT_NS;
		list_append(err ? failed : &disk->active, &request->node);
	}
	arm_timer(disk);
}

/* --- without it --- */

static void fail_all(struct list *failed)
{
	struct list *node;

	while ((node = list_take_first(failed))) {
		struct disk_request *request = list_entry(node, struct disk_request, node);

		request->done(request, -EIO);
	}
}

static void fill_and_unlock(struct disk *disk, uint64_t flags)
{
	struct list failed;

	list_init(&failed);
	fill(disk, &failed);
	spin_unlock_irqrestore(&disk->lock, flags);
	fail_all(&failed);
}

void disk_submit(struct disk *disk, struct disk_request *request)
{
	uint64_t flags;

	if (request->op == DISK_FLUSH && !disk->has_cache) {
		request->done(request, 0);
		return;
	}
	flags = spin_lock_irqsave(&disk->lock);
	list_append(&disk->waiting, &request->node);
	fill_and_unlock(disk, flags);
}

bool disk_interrupt(void *data)
{
	struct disk *disk = data;
	uint64_t flags = spin_lock_irqsave(&disk->lock);
	struct disk_request *request;
	bool had_any = false;
	int err;

	while (!disk->is_stopped && (request = disk->ops->reap(disk, &err))) {
		list_remove(&request->node);
		had_any = true;
		spin_unlock(&disk->lock); /* done() may submit the next one */
		request->done(request, err);
		spin_lock(&disk->lock);
	}
	fill_and_unlock(disk, flags);
	return had_any;
}

/* --- what takes too long --- */

static void look_at_oldest(struct timer *timer)
{
	struct disk *disk = container_of(timer, struct disk, timer);
	uint64_t flags = spin_lock_irqsave(&disk->lock);
	const struct disk_request *oldest = first_of(&disk->active);
	bool is_late = oldest && oldest->deadline_ns <= clock_ns() && !disk->is_stopped &&
		       !disk->is_late;

	disk->is_timer_armed = false;
	if (is_late)
		disk->is_late = true;
	else if (!disk->is_late)
		arm_timer(disk);
	spin_unlock_irqrestore(&disk->lock, flags);
	if (!is_late)
		return;
	__atomic_fetch_add(&nr_late, 1, __ATOMIC_RELEASE);
	waitq_wake(&keeper_queue);
}

/* The device is silent: what it had ends here. */
static void fail_active(struct disk *disk)
{
	struct list failed;
	struct list *node;
	uint64_t flags;

	list_init(&failed);
	flags = spin_lock_irqsave(&disk->lock);
	while ((node = list_take_first(&disk->active)))
		list_append(&failed, node);
	spin_unlock_irqrestore(&disk->lock, flags);
	fail_all(&failed);
}

static void restart(struct disk *disk)
{
	uint64_t flags;
	int err;

	print_warn("%s: no answer for %lu s: the device is reset", disk->name,
		   TIMEOUT_NS / 1000000000);
	flags = spin_lock_irqsave(&disk->lock);
	disk->is_stopped = true;
	spin_unlock_irqrestore(&disk->lock, flags);
	disk->ops->stop(disk);
	fail_active(disk);
	err = disk->ops->start(disk);
	if (err)
		print_warn("%s: it can't be started again (error %d): gone for good", disk->name,
			   -err);
	flags = spin_lock_irqsave(&disk->lock);
	disk->is_stopped = false;
	disk->is_late = false;
	disk->is_dead = err;
	fill_and_unlock(disk, flags);
}

static _Noreturn void keep(void *argument UNUSED)
{
	for (;;) {
		waitq_wait(&keeper_queue, __atomic_load_n(&nr_late, __ATOMIC_ACQUIRE));
		mutex_lock(&list_lock);
		list_for_each(node, &all_disks) {
			struct disk *disk = list_entry(node, struct disk, disks);

			if (!__atomic_load_n(&disk->is_late, __ATOMIC_ACQUIRE))
				continue;
			__atomic_fetch_sub(&nr_late, 1, __ATOMIC_ACQ_REL);
			restart(disk);
		}
		mutex_unlock(&list_lock);
	}
}

void disks_init(void)
{
	struct thread *keeper = thread_create(keep, NULL, "disks");

	if (!keeper)
		panic("no memory for the disks' keeper");
	thread_wake(keeper);
}

void disk_init(struct disk *disk)
{
	list_init(&disk->waiting);
	list_init(&disk->active);
	timer_init(&disk->timer, look_at_oldest);
	mutex_init(&disk->unaligned);
}

void disk_add(struct disk *disk)
{
	mutex_lock(&list_lock);
	list_append(&all_disks, &disk->disks);
	mutex_unlock(&list_lock);
	print("%s: %lu MiB, blocks of %u bytes%s", disk->name, disk->size_bytes >> 20,
	      disk->block_bytes, disk->is_readonly ? ", read-only" : "");
	partitions_add(disk);
}

/* Disks stay for good: only the step from one to the next needs the lock, which the keeper wants for one that hangs. */
static struct disk *disk_after(const struct disk *disk)
{
	struct list *node;

	mutex_lock(&list_lock);
	node = disk ? disk->disks.next : all_disks.next;
	mutex_unlock(&list_lock);
	return node == &all_disks ? NULL : list_entry(node, struct disk, disks);
}

void disks_flush(void)
{
	for (struct disk *disk = disk_after(NULL); disk; disk = disk_after(disk))
		if (!disk->is_readonly && disk_transfer(disk, DISK_FLUSH, 0, NULL, 0))
			print_warn("%s: what was written to it may not be on it", disk->name);
}
