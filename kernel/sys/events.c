/*
 * System calls about event counters, timers as files, and sets of files.
 */
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/timerfd.h>

#include "kernel/cpu/clock.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/eventfd.h"
#include "kernel/fs/timerfd.h"
#include "kernel/mem/user.h"
#include "kernel/proc/process.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/install.h"
#include "kernel/sys/time.h"

enum { EPOLL_EVENTS_MAX = INT32_MAX / sizeof(struct epoll_event) };

/* --- eventfd --- */

SYSCALL(eventfd2)
{
	if (call->a[1] & ~(uint64_t)(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC))
		return -EINVAL;
	return install_new(eventfd_create((uint32_t)call->a[0], (uint32_t)call->a[1]), call->a[1]);
}

/* --- timerfd --- */

SYSCALL(timerfd_create)
{
	if (call->a[1] & ~(uint64_t)(TFD_NONBLOCK | TFD_CLOEXEC))
		return -EINVAL;
	switch (call->a[0]) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return install_new(timerfd_create((uint32_t)call->a[0], (uint32_t)call->a[1]),
				   call->a[1]);
	default:
		return -EINVAL;
	}
}

static bool is_calendar(const struct file *timer)
{
	return timerfd_clock(timer) == CLOCK_REALTIME ||
	       timerfd_clock(timer) == CLOCK_REALTIME_ALARM;
}

/* As struct itimerspec has it: how long until the next time. */
static int put_setting(uint64_t address, const struct timerfd_setting *setting)
{
	uint64_t now = clock_ns(), left = 0;
	int err;

	if (setting->first_ns)
		left = setting->first_ns > now ? setting->first_ns - now : 1;
	err = time_to_user(address + offsetof(struct __kernel_itimerspec, it_value), left);
	return err ? err : time_to_user(address, setting->interval_ns);
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a + b < a || a + b > INT64_MAX ? INT64_MAX : a + b;
}

static int get_setting(uint64_t address, uint64_t flags, const struct file *timer,
		       struct timerfd_setting *out)
{
	uint64_t first;
	int err = time_from_user(address, &out->interval_ns);

	if (!err)
		err = time_from_user(address + offsetof(struct __kernel_itimerspec, it_value),
				     &first);
	if (err)
		return err;
	out->first_ns = first;
	if (!first)
		return 0;
	if (!(flags & TFD_TIMER_ABSTIME))
		out->first_ns = add_saturating(clock_ns(), first);
	else if (is_calendar(timer))
		out->first_ns = time_real_to_clock(first) ?: 1; /* long ago */
	return 0;
}

SYSCALL(timerfd_settime)
{
	struct timerfd_setting setting, old;
	int err;

	if (!timerfd_is(call->file) ||
	    (call->a[1] & ~(uint64_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)))
		return -EINVAL;
	err = get_setting(call->a[2], call->a[1], call->file, &setting);
	if (err)
		return err;
	old = timerfd_get(call->file);
	timerfd_set(call->file, &setting);
	return call->a[3] ? put_setting(call->a[3], &old) : 0;
}

SYSCALL(timerfd_gettime)
{
	struct timerfd_setting setting;

	if (!timerfd_is(call->file))
		return -EINVAL;
	setting = timerfd_get(call->file);
	return put_setting(call->a[1], &setting);
}

/* --- epoll --- */

SYSCALL(epoll_create1)
{
	if (call->a[0] & ~(uint64_t)EPOLL_CLOEXEC)
		return -EINVAL;
	return install_new(epoll_create(), call->a[0]);
}

SYSCALL(epoll_ctl)
{
	struct fdtable *fds = &current_process()->fds;
	struct file *set, *file;
	struct epoll_event event = { 0 };
	int err = -EBADF;

	if (call->a[1] != EPOLL_CTL_DEL && copy_from_user(&event, call->a[3], sizeof(event)))
		return -EFAULT;
	set = fd_get(fds, call->a[0]);
	file = fd_get(fds, call->a[2]);
	if (set && file) {
		if (file->ops->poll && (set == file || !epoll_is(set)))
			err = -EINVAL;
		else
			err = epoll_change(set, (uint32_t)call->a[1], file, (uint32_t)call->a[2],
					   &event);
	}
	file_put(file);
	file_put(set);
	return err;
}

SYSCALL(epoll_wait)
{
	int32_t max = (int32_t)call->a[2];

	if (max <= 0 || max > (int32_t)EPOLL_EVENTS_MAX || !epoll_is(call->file))
		return -EINVAL;
	return epoll_wait_events(call->file, call->a[1], (uint32_t)max,
				 time_deadline_ms((int32_t)call->a[3]));
}
