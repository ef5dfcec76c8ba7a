/*
 * System calls about time, chance and the machine as a whole.
 */
#include <linux/reboot.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/utsname.h>
#include <string.h>

#include "kernel/arch/random.h"
#include "kernel/block/disk.h"
#include "kernel/cpu/clock.h"
#include "kernel/cpu/power.h"
#include "kernel/cpu/smp.h"
#include "kernel/dev/print.h"
#include "kernel/mem/user.h"
#include "kernel/proc/usage.h"
#include "kernel/sched/deadline.h"
#include "kernel/sys/calls.h"
#include "kernel/sys/time.h"

#define NS_PER_S UINT64_C(1000000000)

int time_from_user(uint64_t address, uint64_t *ns)
{
	struct __kernel_timespec time;

	if (copy_from_user(&time, address, sizeof(time)))
		return -EFAULT;
	if (time.tv_sec < 0 || time.tv_nsec < 0 || (uint64_t)time.tv_nsec >= NS_PER_S)
		return -EINVAL;
	if ((uint64_t)time.tv_sec >= INT64_MAX / NS_PER_S)
		*ns = INT64_MAX;
	else
		*ns = (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
	return 0;
}

int time_to_user(uint64_t address, uint64_t ns)
{
	const struct __kernel_timespec time = { .tv_sec = (int64_t)(ns / NS_PER_S),
						.tv_nsec = (long long)(ns % NS_PER_S) };

	return copy_to_user(address, &time, sizeof(time));
}

uint64_t time_deadline_ms(int32_t timeout_ms)
{
	if (timeout_ms <= 0)
		return timeout_ms ? UINT64_MAX : 0;
	return clock_ns() + (uint64_t)timeout_ms * (NS_PER_S / 1000);
}

uint64_t time_real_ns(void)
{
	return clock_boot_time_s() * NS_PER_S + clock_ns();
}

uint64_t time_real_to_clock(uint64_t real_ns)
{
	uint64_t start = clock_boot_time_s() * NS_PER_S;

	return real_ns > start ? real_ns - start : 0;
}

SYSCALL(time)
{
	int64_t seconds = (int64_t)(time_real_ns() / NS_PER_S);

	if (call->a[0] && copy_to_user(call->a[0], &seconds, sizeof(seconds)))
		return -EFAULT;
	return seconds;
}

/* The time zone is ring 3's affair. */
SYSCALL(gettimeofday)
{
	uint64_t now = time_real_ns();
	const struct timeval time = { .tv_sec = (long)(now / NS_PER_S),
				      .tv_usec = (long)(now % NS_PER_S / 1000) };
	const struct timezone zone = { 0 };

	if (call->a[0] && copy_to_user(call->a[0], &time, sizeof(time)))
		return -EFAULT;
	return call->a[1] ? copy_to_user(call->a[1], &zone, sizeof(zone)) : 0;
}

/* What it says now. -EINVAL: there is no such clock. */
static int read_clock(uint64_t clock, uint64_t *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		*ns = time_real_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = clock_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_usage(current_process()).ran_ns;
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_ran_ns(current_thread());
		return 0;
	default:
		return -EINVAL;
	}
}

SYSCALL(clock_gettime)
{
	uint64_t ns;
	int err = read_clock(call->a[0], &ns);

	return err ? err : time_to_user(call->a[1], ns);
}

/* @remaining: where the rest of an interrupted sleep is put; 0: nowhere. */
static int64_t sleep_until(uint64_t when, uint64_t remaining)
{
	struct deadline deadline;
	uint64_t now;
	int err;

	deadline_start(&deadline, when);
	err = thread_wait_killable(deadline_has_passed(&deadline));
	deadline_stop(&deadline);
	now = clock_ns();
	if (err && remaining && time_to_user(remaining, when > now ? when - now : 0))
		return -EFAULT;
	return err;
}

SYSCALL(nanosleep)
{
	uint64_t length;
	int err = time_from_user(call->a[0], &length);

	return err ? err : sleep_until(clock_ns() + length, call->a[1]);
}

SYSCALL(clock_nanosleep)
{
	bool is_absolute = call->a[1] & TIMER_ABSTIME;
	uint64_t deadline;
	int err;

	if (call->a[0] != CLOCK_MONOTONIC && call->a[0] != CLOCK_REALTIME &&
	    call->a[0] != CLOCK_BOOTTIME)
		return read_clock(call->a[0], &deadline) ?: -EOPNOTSUPP;
	err = time_from_user(call->a[2], &deadline);
	if (err)
		return err;
	if (!is_absolute)
		deadline += clock_ns();
	else if (call->a[0] == CLOCK_REALTIME)
		deadline = time_real_to_clock(deadline);
	return sleep_until(deadline, is_absolute ? 0 : call->a[3]);
}

SYSCALL(getrandom)
{
	uint8_t bytes[256];
	uint64_t done = 0;

	if (call->a[2] & ~UINT64_C(7))
		return -EINVAL;
	while (done < call->a[1]) {
		size_t step = min_u64(sizeof(bytes), call->a[1] - done);

		random_bytes(bytes, step);
		if (copy_to_user(call->a[0] + done, bytes, step))
			return done ? (int64_t)done : -EFAULT;
		done += step;
	}
	return (int64_t)done;
}

SYSCALL(uname)
{
	static const struct new_utsname name = {
		.sysname = "Linux", /* the interface, which programs ask for */
		.nodename = "bulkhead",
		.release = "6.1.0-bulkhead",
		.version = "Bulkhead",
		.machine = "x86_64",
		.domainname = "(none)",
	};

	return copy_to_user(call->a[0], &name, sizeof(name));
}

SYSCALL(sync)
{
	disks_flush();
	return 0;
}

SYSCALL(reboot)
{
	if (call->a[0] != LINUX_REBOOT_MAGIC1 || call->a[1] != LINUX_REBOOT_MAGIC2)
		return -EINVAL;
	switch (call->a[2]) {
	case LINUX_REBOOT_CMD_POWER_OFF:
	case LINUX_REBOOT_CMD_HALT:
		print("power off");
		smp_stop_others();
		power_off();
	case LINUX_REBOOT_CMD_RESTART:
		print("reset");
		smp_stop_others();
		power_reset();
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0; /* there is no such key */
	default:
		return -EINVAL;
	}
}
