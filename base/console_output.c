/*
 * A console's way out: see console_output.h.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/console_output.h"

/* ---- with the lock held ---- */

/* Someone who is gone may be followed by another; a full disk is followed by nobody. */
static size_t sink_failed(struct console_output *output, size_t n)
{
	if (output->hung_up) {
		output->has_hung_up = true;
		return 0;
	}
	output->backlog.dropped_bytes += n;
	return n;
}

/* How many of @bytes the sink took, or lost for good. */
static size_t sink_write(struct console_output *output, const uint8_t *bytes, size_t n)
{
	size_t done = 0;

	while (done < n && output->sink.fd >= 0 && !output->has_hung_up) {
		ssize_t written = write(output->sink.fd, bytes + done, n - done);

		if (written >= 0)
			done += (size_t)written;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			done += sink_failed(output, n - done);
	}
	return done;
}

static void deliver_backlog(struct console_output *output)
{
	const uint8_t *bytes;
	size_t n, done;

	do {
		n = backlog_oldest(&output->backlog, &bytes);
		done = sink_write(output, bytes, n);
		backlog_consume(&output->backlog, done);
	} while (done && output->backlog.length);
}

/* ---- the loop's thread ---- */

static void stop_waiting(struct console_output *output)
{
	if (output->is_sink_waited_for)
		loop_remove(output->loop, &output->sink);
	output->is_sink_waited_for = false;
}

/* Writes what can be written; waits for the sink if something is left. */
static void look_at_backlog(void *context)
{
	struct console_output *output = context;
	bool has_rest, has_hung_up;

	pthread_mutex_lock(&output->lock);
	deliver_backlog(output);
	has_hung_up = output->has_hung_up;
	has_rest = output->backlog.length && output->sink.fd >= 0;
	pthread_mutex_unlock(&output->lock);

	if (has_hung_up) {
		output->hung_up(output->context);
	} else if (!has_rest) {
		stop_waiting(output);
	} else if (!output->is_sink_waited_for) {
		/* What can't be waited for (a plain file) doesn't refuse bytes for a while either. */
		output->is_sink_waited_for = !loop_add(output->loop, &output->sink, EPOLLOUT);
	}
}

static void sink_ready(void *context, uint32_t events UNUSED)
{
	look_at_backlog(context);
}

int console_output_create(struct console_output *output, struct loop *loop,
			  void (*hung_up)(void *context), void *context)
{
	int err;

	output->loop = loop;
	output->hung_up = hung_up;
	output->context = context;
	output->sink = (struct loop_source){ -1, sink_ready, output };
	err = wakeup_create(&output->wakeup, loop, look_at_backlog, output);
	if (!err)
		pthread_mutex_init(&output->lock, NULL);
	return err;
}

void console_output_destroy(struct console_output *output)
{
	console_output_detach(output);
	wakeup_destroy(&output->wakeup);
	pthread_mutex_destroy(&output->lock);
}

void console_output_attach(struct console_output *output, int fd)
{
	pthread_mutex_lock(&output->lock);
	output->sink.fd = fd;
	output->has_hung_up = false;
	pthread_mutex_unlock(&output->lock);
	wakeup_raise(&output->wakeup);
}

void console_output_detach(struct console_output *output)
{
	stop_waiting(output);
	pthread_mutex_lock(&output->lock);
	output->sink.fd = -1;
	output->has_hung_up = false;
	pthread_mutex_unlock(&output->lock);
}

/* ---- any thread ---- */

void console_output_write(struct console_output *output, const uint8_t *bytes, size_t n)
{
	size_t done = 0;

	pthread_mutex_lock(&output->lock);
	if (!output->backlog.length)
		done = sink_write(output, bytes, n);
	if (done < n) {
		/* Only the first bytes kept need a wake-up: the loop doesn't rest before the last. */
		if (!output->backlog.length && output->sink.fd >= 0)
			wakeup_raise(&output->wakeup);
		backlog_append(&output->backlog, bytes + done, n - done);
	}
	pthread_mutex_unlock(&output->lock);
}

uint64_t console_output_dropped_bytes(struct console_output *output)
{
	uint64_t dropped_bytes;

	pthread_mutex_lock(&output->lock);
	dropped_bytes = output->backlog.dropped_bytes;
	pthread_mutex_unlock(&output->lock);
	return dropped_bytes;
}

/* ---- the end ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Delivers what can be delivered now. Returns: is there more, for somebody who may still take it? */
static bool deliver_some(struct console_output *output)
{
	bool has_more;

	pthread_mutex_lock(&output->lock);
	deliver_backlog(output);
	has_more = output->backlog.length && output->sink.fd >= 0 && !output->has_hung_up;
	pthread_mutex_unlock(&output->lock);
	return has_more;
}

void console_output_drain(struct console_output *output, int timeout_ms)
{
	struct pollfd sink = { .fd = output->sink.fd, .events = POLLOUT };
	int64_t left_ms, end_ms = now_ms() + timeout_ms;

	while (deliver_some(output) && (left_ms = end_ms - now_ms()) > 0)
		(void)poll(&sink, 1, (int)left_ms);
}
