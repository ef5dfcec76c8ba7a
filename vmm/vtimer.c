/*
 * A one-shot timer on the VM's clock, by timerfd: see vtimer.h.
 */
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/vtimer.h"

static void vtimer_ready(void *context, uint32_t events UNUSED)
{
	struct vtimer *timer = context;
	uint64_t expirations;

	if (read(timer->source.fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return; /* cancelled after it fired */
	timer->expired(timer->context);
}

int vtimer_create(struct vtimer *timer, struct loop *loop, const struct vmclock *clock,
		  void (*expired)(void *context), void *context)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	*timer = (struct vtimer){
		.source = { .fd = fd, .ready = vtimer_ready, .context = timer },
		.loop = loop,
		.clock = clock,
		.expired = expired,
		.context = context,
		.deadline_ns = VTIMER_NEVER,
	};
	err = loop_add(loop, &timer->source, EPOLLIN);
	if (err)
		close(fd);
	return err;
}

void vtimer_destroy(struct vtimer *timer)
{
	loop_remove(timer->loop, &timer->source);
	close(timer->source.fd);
}

/* The system's timer follows the deadline; an absolute time of 0 would disarm it, so 1 ns is the floor. */
void vtimer_refresh(struct vtimer *timer)
{
	struct itimerspec when = { 0 };
	uint64_t at;

	if (timer->deadline_ns != VTIMER_NEVER && !timer->clock->is_frozen) {
		at = vmclock_to_monotonic_ns(timer->clock, timer->deadline_ns);
		when.it_value.tv_sec = (time_t)(at / 1000000000u);
		when.it_value.tv_nsec = (long)(at % 1000000000u);
		if (!at)
			when.it_value.tv_nsec = 1;
	}
	(void)timerfd_settime(timer->source.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void vtimer_arm(struct vtimer *timer, uint64_t deadline_ns)
{
	timer->deadline_ns = deadline_ns;
	vtimer_refresh(timer);
}

void vtimer_cancel(struct vtimer *timer)
{
	if (timer->deadline_ns != VTIMER_NEVER)
		vtimer_arm(timer, VTIMER_NEVER);
}
