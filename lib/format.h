/*
 * printf-style formatting for where there is no C library. Pure.
 *
 * Knows %d %u %x %c %s %%, the lengths l and z, a width, and the flags 0 and #: what the kernel says things with. What it
 * doesn't know is copied as it stands.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "lib/compiler.h"

/* As vsnprintf(): terminates within @size, returns the length that the whole text would have. */
size_t format_args(char *buffer, size_t size, const char *format, va_list args);
size_t format_text(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
