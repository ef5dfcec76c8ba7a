/*
 * A console's way in: bytes from a descriptor to the device, no faster than the device takes them.
 *
 *   - What is no terminal is read only while the device has room, so its writer waits in turn.
 *   - A terminal is read always: Ctrl-A must be seen even if the guest has stopped to listen. What the
 *     device has no room for is held, CONSOLE_INPUT_HELD_BYTES of it; keys beyond are lost.
 *
 * For console.c.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "vmm/console.h"
#include "base/loop.h"
#include "base/wakeup.h"

enum { CONSOLE_INPUT_HELD_BYTES = 1024 };

/* Why an input came to its end, or what was asked with Ctrl-A. */
enum console_input_event { CONSOLE_INPUT_ENDED, CONSOLE_INPUT_QUIT, CONSOLE_INPUT_HELP };

struct console_input_ops {
	size_t (*room)(void *context);
	void (*input)(void *context, const uint8_t *bytes, size_t n);
	void (*event)(void *context, enum console_input_event event); /* may attach and detach */
};

/* All is the loop's thread's, apart from what is atomic. */
struct console_input {
	struct loop *loop;
	const struct console_input_ops *ops;
	void *context;
	struct wakeup wakeup;	   /* there may be room again */
	struct loop_source source; /* fd -1: none */
	bool is_terminal;
	bool is_pollable;	/* false: a plain file, always ready */
	bool is_read;		/* in the loop, for bytes */
	bool is_after_escape;	/* Ctrl-A was the last key */
	bool has_hung_up;	/* while it waited for room: some bytes may be left to read */
	atomic_bool is_waiting; /* for room */
	size_t nr_held;
	uint8_t held[CONSOLE_INPUT_HELD_BYTES];
};

MUST_CHECK int console_input_create(struct console_input *input, struct loop *loop,
				    const struct console_input_ops *ops, void *context);
void console_input_destroy(struct console_input *input);

/* Reads @fd from now on; borrowed. Returns 0 or -errno. */
MUST_CHECK int console_input_attach(struct console_input *input, int fd, bool is_terminal);
void console_input_detach(struct console_input *input);

/* Context: any thread. */
void console_input_room_changed(struct console_input *input);
