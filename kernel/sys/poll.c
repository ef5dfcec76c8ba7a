/*
 * System calls that wait for one of several descriptors.
 */
#include <asm/poll.h>

#include "kernel/cpu/clock.h"
#include "kernel/mem/object.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sched/deadline.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/time.h"

enum { ALWAYS = POLLERR | POLLHUP };

/* One descriptor that is waited for. */
struct polled {
	struct file *file; /* NULL: ignored, or not open */
	struct waiter waiter;
};

struct polls {
	struct pollfd *fds;
	struct polled *polled;
	uint32_t count;
};

static uint32_t look(struct polls *polls)
{
	uint32_t ready = 0;

	for (uint32_t i = 0; i < polls->count; i++) {
		struct pollfd *pollfd = &polls->fds[i];
		uint32_t wanted = (uint16_t)pollfd->events | ALWAYS;

		if (polls->polled[i].file)
			pollfd->revents = (short)(file_poll(polls->polled[i].file) & wanted);
		ready += pollfd->revents != 0;
	}
	return ready;
}

static void open_files(struct polls *polls)
{
	for (uint32_t i = 0; i < polls->count; i++) {
		struct pollfd *pollfd = &polls->fds[i];
		struct polled *polled = &polls->polled[i];

		pollfd->revents = 0;
		if (pollfd->fd < 0)
			continue;
		polled->file = fd_get(&current_process()->fds, (uint64_t)pollfd->fd);
		if (!polled->file) {
			pollfd->revents = POLLNVAL;
			continue;
		}
		waiter_init_thread(&polled->waiter);
		if (polled->file->ready)
			waiter_add(polled->file->ready, &polled->waiter);
	}
}

static void close_files(struct polls *polls)
{
	for (uint32_t i = 0; i < polls->count; i++) {
		struct polled *polled = &polls->polled[i];

		if (!polled->file)
			continue;
		if (polled->waiter.queue)
			waiter_remove(&polled->waiter);
		file_put(polled->file);
	}
}

/* The thread is on all the files' queues before it looks: nothing is missed. */
static int64_t wait_for_one(struct polls *polls, uint64_t deadline_ns)
{
	struct deadline deadline;
	uint32_t ready;
	int err;

	deadline_start(&deadline, deadline_ns ?: UINT64_MAX);
	err = thread_wait_killable((ready = look(polls)) || !deadline_ns ||
				   deadline_has_passed(&deadline));
	deadline_stop(&deadline);
	return err ? err : (int64_t)ready;
}

static int64_t poll_files(uint64_t address, uint32_t count, uint64_t deadline_ns)
{
	struct polls polls = { .count = count };
	int64_t ready = -ENOMEM;

	polls.fds = kmalloc(count * sizeof(*polls.fds) + 1);
	polls.polled = kmalloc(count * sizeof(*polls.polled) + 1);
	if (polls.fds && polls.polled) {
		ready = copy_from_user(polls.fds, address, count * sizeof(*polls.fds));
		if (!ready) {
			open_files(&polls);
			ready = wait_for_one(&polls, deadline_ns);
			close_files(&polls);
			if (ready >= 0 &&
			    copy_to_user(address, polls.fds, count * sizeof(*polls.fds)))
				ready = -EFAULT;
		}
	}
	kfree(polls.polled);
	kfree(polls.fds);
	return ready;
}

SYSCALL(poll)
{
	if (call->a[1] > FDS_MAX)
		return -EINVAL;
	return poll_files(call->a[0], (uint32_t)call->a[1], time_deadline_ms((int32_t)call->a[2]));
}

/* Puts the mask at ring 3's @address (0: none) in force until the call returns. */
static int mask_for_call(uint64_t address, uint64_t size_bytes)
{
	uint64_t set;

	if (!address)
		return 0;
	if (size_bytes != SIGSET_BYTES)
		return -EINVAL;
	if (copy_from_user(&set, address, sizeof(set)))
		return -EFAULT;
	signal_set_mask_for_call(set);
	return 0;
}

SYSCALL(ppoll)
{
	uint64_t deadline = UINT64_MAX;
	int err = call->a[2] ? time_from_user(call->a[2], &deadline) : 0;

	if (err)
		return err;
	if (call->a[1] > FDS_MAX)
		return -EINVAL;
	err = mask_for_call(call->a[3], call->a[4]);
	if (err)
		return err;
	if (call->a[2] && deadline)
		deadline += clock_ns();
	return poll_files(call->a[0], (uint32_t)call->a[1], deadline);
}
