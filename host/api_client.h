/*
 * bhd's end of a VM's control socket: requests out, answers and events in (docs/bhvm-api.md).
 *
 *   - Nothing blocks, and the far end is not trusted: whatever it sends or leaves unsent ends in an
 *     answer with a problem, or in a lost connection with the reason.
 *   - Answers come in the order of the requests. Each request gets exactly one call of its function: with
 *     the result, or with the problem, after API_ANSWER_TIMEOUT_MS at the latest.
 *   - The functions called may do anything to the client except free it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "host/timers.h"
#include "lib/compiler.h"

enum {
	API_LINE_MAX_BYTES = 128 * 1024,
	API_PENDING_MAX = 16, /* requests without an answer */
	API_ANSWER_TIMEOUT_MS = 10 * 1000,
};

/* @result is borrowed, an object; NULL: @problem says why there is none. */
typedef void api_answer_fn(void *context, const json_t *result, const char *problem);

struct api_client_ops {
	void (*event)(void *context, const char *name, const json_t *data);
	void (*lost)(void *context, const char *reason); /* the connection is closed already */
};

struct api_pending {
	api_answer_fn *answer; /* NULL: its time is up, the answer isn't waited for any more */
	void *context;
	uint64_t due_ms;
};

/* Initialise with api_client_init(). */
struct api_client {
	struct loop *loop;
	struct timers *timers;
	const struct api_client_ops *ops;
	void *context;

	struct loop_source source; /* fd -1: not connected */
	unsigned connection;	   /* how many there were: tells whether this is still the same */
	struct timer timer;	   /* when the first answer is overdue */
	struct api_pending pending[API_PENDING_MAX];
	size_t nr_pending;
	json_int_t first_id; /* of pending[0]; the others follow */
	char *input;	     /* API_LINE_MAX_BYTES while connected */
	size_t input_length;
};

void api_client_init(struct api_client *client, struct loop *loop, struct timers *timers,
		     const struct api_client_ops *ops, void *context);

/* Returns 0 or -errno: -ENOENT, -ECONNREFUSED: nobody listens there (yet). */
MUST_CHECK int api_client_connect(struct api_client *client, const char *path);

/* Takes a connected socket that doesn't block. */
MUST_CHECK int api_client_attach(struct api_client *client, int fd);

bool api_client_is_connected(const struct api_client *client);

/* The process at the far end, or -errno: unix_socket_peer(). */
MUST_CHECK int api_client_peer(const struct api_client *client);

/* @answer may be called before this returns, if the request can't be sent. */
void api_client_request(struct api_client *client, const char *command, api_answer_fn *answer,
			void *context);

/* Disconnects; requests without an answer get @reason as their problem. Not connected: fine. */
void api_client_close(struct api_client *client, const char *reason);
