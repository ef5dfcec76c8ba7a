/*
 * How any thread gets the loop's thread to do something: see wakeup.h.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/wakeup.h"

static void wakeup_ready(void *context, uint32_t events UNUSED)
{
	struct wakeup *wakeup = context;
	uint64_t count;

	if (read(wakeup->source.fd, &count, sizeof(count)) == sizeof(count))
		wakeup->woken(wakeup->context);
}

int wakeup_create(struct wakeup *wakeup, struct loop *loop, void (*woken)(void *context),
		  void *context)
{
	int err;

	*wakeup = (struct wakeup){ .loop = loop, .woken = woken, .context = context };
	wakeup->source.ready = wakeup_ready;
	wakeup->source.context = wakeup;
	wakeup->source.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (wakeup->source.fd < 0)
		return -errno;

	err = loop_add(loop, &wakeup->source, EPOLLIN);
	if (err)
		close(wakeup->source.fd);
	return err;
}

void wakeup_destroy(struct wakeup *wakeup)
{
	loop_remove(wakeup->loop, &wakeup->source);
	close(wakeup->source.fd);
}

void wakeup_raise(struct wakeup *wakeup)
{
	uint64_t one = 1;

	if (write(wakeup->source.fd, &one, sizeof(one)) < 0)
		return; /* a full counter is a pending wake-up too */
}
