/*
 * What the kernel says: to the serial port and the screen, and into a ring that is kept.
 *
 * For people, rare. Whatever ring 3 or a guest can trigger is rate-limited by its caller. Any context, any CPU;
 * a line is never mixed with another CPU's, and begins where a line does.
 */
#pragma once

#include "lib/compiler.h"

void print(const char *format, ...) PRINTF_LIKE(1, 2);
#define print_warn(format, ...) print("warning: " format, ##__VA_ARGS__)

/* Bytes as they are, without a line's prefix: for ring 3's console. */
void print_bytes(const char *bytes, size_t size);

/* Shows on the screen what was said before there was one. */
void print_again(void);

/* For a panic: whoever holds the lock will not give it back. */
void print_break_lock(void);
