/*
 * The control protocol: what one request line means and what is answered. docs/bhvm-api.md tells
 * people the same.
 *
 *   {"id": 7, "command": "pause"}   ->   {"id": 7, "ok": true, "result": {}}
 *
 * A request that is malformed, unknown or has a wrong argument gets an error reply and changes nothing.
 * This is the protocol alone, without input or output: api_server.h serves it on a socket.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

enum { API_REQUEST_MAX_BYTES = 64 * 1024 };

/*
 * The VM behind the protocol. All are called by the main loop's thread. None may be NULL, and none may
 * close the server. An int is 0, or -errno with @why, whose text becomes the error's message;
 * a json_t * is an object, a new reference, NULL for want of memory.
 */
struct api_ops {
	json_t *(*state)(void *vm);  /* {"state": "running" | "paused" | "stopping", ...} */
	json_t *(*stats)(void *vm);  /* counters, by device and by exit reason            */
	json_t *(*config)(void *vm); /* the effective document                            */

	int (*pause)(void *vm,
		     struct errmsg *why); /* vCPUs and devices stand still; paused: fine    */
	int (*resume)(void *vm,
		      struct errmsg *why); /* running: fine                                  */
	int (*powerdown)(void *vm,
			 struct errmsg *why); /* press the ACPI power button                    */
	int (*reset)(void *vm, struct errmsg *why);
	int (*quit)(void *vm,
		    struct errmsg *why); /* end the program soon; the reply still goes out */
};

/* What the protocol remembers of one client. Zero-initialised. */
struct api_session {
	bool is_subscribed; /* wants events */
};

/**
 * api_handle_line() - carry out one request
 * @text: @length bytes, without the newline; need not be terminated
 *
 * Returns the reply, a line with its newline, to be freed. NULL: none is due (a blank line), or no
 * memory.
 */
MUST_CHECK char *api_handle_line(const struct api_ops *ops, void *vm, struct api_session *session,
				 const char *text, size_t length);

/* Replies to a line longer than API_REQUEST_MAX_BYTES, and to a client too many. To be freed. */
MUST_CHECK char *api_overlong_reply(void);
MUST_CHECK char *api_busy_reply(void);

/* An event as a line; @data is borrowed. To be freed; NULL: no memory. */
MUST_CHECK char *api_event_line(const char *name, const json_t *data);

/* The commands in order, for who checks the reference: NULL past the last. */
const char *api_command_name(size_t index);
