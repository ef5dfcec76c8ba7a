/*
 * Messages for people, on standard error: `bhvm NAME: level: text`.
 *
 * Rare by intent. Whatever a guest can trigger at will goes through log_limited(), which lets a
 * burst through, then counts what it swallows and says so when it speaks again.
 */
#pragma once

#include <stdint.h>

#include "lib/compiler.h"

/* @vm_name is copied; call before the first message that should carry it. */
void log_set_name(const char *vm_name);

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
