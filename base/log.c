/*
 * Messages for people: see log.h. A line is written by one write(2), so lines of threads don't mix.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { LIMIT_BURST = 5 };

static const uint64_t LIMIT_WINDOW_NS = 10ull * 1000 * 1000 * 1000;

static char prefix[80];

void log_set_prefix(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(prefix, sizeof(prefix), format, args);
	va_end(args);
}

static void log_line(const char *level, const char *note, const char *format, va_list args)
{
	char line[1024];
	size_t length;
	int written;

	written = snprintf(line, sizeof(line), "%s: %s", prefix, level);
	length = written > 0 ? (size_t)written : 0;
	vsnprintf(line + length, sizeof(line) - length, format, args);
	length = strlen(line);
	if (length + strlen(note) + 1 >= sizeof(line))
		length = sizeof(line) - strlen(note) - 2;
	written = snprintf(line + length, sizeof(line) - length, "%s\n", note);
	if (write(STDERR_FILENO, line, strlen(line)) < 0 || written < 0)
		return; /* nowhere left to complain to */
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("error: ", "", format, args);
	va_end(args);
}

void log_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("warning: ", "", format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("", "", format, args);
	va_end(args);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* Races between threads can let a line too many through; they can't lose the count's meaning. */
void log_limited(struct log_limit *limit, const char *format, ...)
{
	uint64_t now = now_ns();
	uint64_t start = __atomic_load_n(&limit->window_start_ns, __ATOMIC_RELAXED);
	char note[64] = "";
	uint32_t swallowed;
	va_list args;

	if (!start || now - start > LIMIT_WINDOW_NS) {
		__atomic_store_n(&limit->window_start_ns, now, __ATOMIC_RELAXED);
		__atomic_store_n(&limit->in_window, 0, __ATOMIC_RELAXED);
		swallowed = __atomic_exchange_n(&limit->swallowed, 0, __ATOMIC_RELAXED);
		if (swallowed)
			snprintf(note, sizeof(note), " (%u more like it before)", swallowed);
	}
	if (__atomic_fetch_add(&limit->in_window, 1, __ATOMIC_RELAXED) >= LIMIT_BURST) {
		__atomic_fetch_add(&limit->swallowed, 1, __ATOMIC_RELAXED);
		return;
	}
	va_start(args, format);
	log_line("guest: ", note, format, args);
	va_end(args);
}
