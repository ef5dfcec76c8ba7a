/*
 * bhd's connection to a guest's console: held as long as the VM runs, so that what the guest prints is
 * remembered, and shared by whoever wants to look and type.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backlog.h"
#include "base/loop.h"
#include "lib/compiler.h"

/* Initialise with console_link_init(). */
struct console_link {
	struct loop *loop;
	void (*lost)(void *context); /* the connection is closed already */
	void *context;
	struct loop_source source; /* fd -1: not connected */
	struct backlog history;	   /* over all connections */

	/* Who looks: gets the guest's output as it comes. NULL: nobody. */
	void (*watch)(void *watcher, const uint8_t *bytes, size_t n);
	void *watcher;
};

void console_link_init(struct console_link *link, struct loop *loop, void (*lost)(void *context),
		       void *context);

/* Returns 0 or -errno. */
MUST_CHECK int console_link_connect(struct console_link *link, const char *path);
bool console_link_is_connected(const struct console_link *link);

/* Takes what the guest still printed, then disconnects. Not connected: fine. */
void console_link_close(struct console_link *link);

/* Keys for the guest. Those that it doesn't listen to are lost: returns how many it took. */
size_t console_link_type(struct console_link *link, const uint8_t *bytes, size_t n);
