/*
 * Messages for people, on standard error: `PREFIX: level: text`.
 *
 * Rare by intent. Whatever a guest can trigger at will goes through log_limited(), which lets a
 * burst through, then counts what it swallows and says so when it speaks again.
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"

/* Who speaks: the program, and what it is working on. Copied; call before other threads start. */
void log_set_prefix(const char *format, ...) PRINTF_LIKE(1, 2);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);

/* One per place that logs; zero-initialised. Any thread. */
struct log_limit {
	uint64_t window_start_ns;
	uint32_t in_window;
	uint32_t swallowed;
};

void log_limited(struct log_limit *limit, const char *format, ...) PRINTF_LIKE(2, 3);
