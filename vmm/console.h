/*
 * Where a guest's serial port goes: this terminal, nowhere, a file or a Unix socket.
 *
 *   spec          output                         input
 *   "stdio"       standard output                standard input; a terminal becomes raw, Ctrl-A escapes
 *   "null"        dropped                        none
 *   "file:PATH"   appended                       none
 *   "unix:PATH"   whoever is connected           the same; one at a time, till the end of its input
 *
 *   - Output never waits and never grows: what can't be delivered now is kept for later, the newest
 *     CONSOLE_BACKLOG_BYTES of it; older bytes are dropped and counted.
 *   - Input is offered as the device has room for it. A terminal is read even when there is none,
 *     so that Ctrl-A x quits a guest that doesn't listen.
 *   - Locks: console_write() and console_room_changed() may be called with vm->lock held. The ops are
 *     called by the loop's thread with no lock of the console held; they may take vm->lock.
 *   - The process must ignore SIGPIPE. Signals that would kill it restore the terminal first; one that
 *     had a handler when the console was opened keeps it, and its way out is console_close().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"
#include "base/loop.h"

enum { CONSOLE_BACKLOG_BYTES = 64 * 1024 };

struct console;

/* Context: the loop's thread. None may close the console. */
struct console_ops {
	size_t (*room)(void *ctx);				  /* bytes input() can take now */
	void (*input)(void *ctx, const uint8_t *bytes, size_t n); /* n <= room */
	void (*quit)(void *ctx);				  /* Ctrl-A x: end the program  */
};

/**
 * console_open() - begin to serve @spec on @loop
 * @spec: see console_spec.h; need not outlive the call
 * @loop: borrowed until console_close(); must run for input and for delayed output
 * @ops:  borrowed, as is @ctx
 *
 * Context: the loop's thread, as for console_close().
 * Returns 0, or -errno with @why.
 */
MUST_CHECK int console_open(const char *spec, struct loop *loop, const struct console_ops *ops,
			    void *ctx, struct console **out, struct errmsg *why);

/* Delivers what is kept if that takes less than a second, restores the terminal. NULL is fine. */
void console_close(struct console *console);

/* Takes all of @bytes, at once, in order. Context: any thread. */
void console_write(struct console *console, const uint8_t *bytes, size_t n);

/* ops->room() may have grown: wakes input that waits for that, else costs nothing. Any thread. */
void console_room_changed(struct console *console);

/* Output bytes dropped so far because nobody took them. Any thread. */
uint64_t console_dropped_bytes(struct console *console);
