/*
 * The first serial port, polled: the way out that works before and after everything else.
 */
#pragma once

#include <stddef.h>

void serial_init(void);

/* A newline becomes carriage return and newline. A port that isn't there swallows everything. */
void serial_write(const char *bytes, size_t size);
