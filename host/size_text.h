/*
 * Amounts, short enough for a table's column.
 */
#pragma once

#include <stdint.h>

enum { SIZE_TEXT_BYTES = 16 };

/* "0", "812", "12K", "3.4M", "2.0G". Returns @out. */
const char *size_text(uint64_t bytes, char out[SIZE_TEXT_BYTES]);

/* "00:04:09", "3d 04:05". Returns @out. */
const char *duration_text(uint64_t seconds, char out[SIZE_TEXT_BYTES]);
