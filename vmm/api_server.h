/*
 * The control socket: serves the protocol of api.h on a Unix stream socket, to several clients at
 * a time.
 *
 *   - Everything happens on the main loop's thread, nothing blocks, and no client can make it grow:
 *     a line has at most API_REQUEST_MAX_BYTES, a client that doesn't read is disconnected.
 *   - The socket's mode is 0600; who may open it may do anything to the VM.
 *   - The process must ignore SIGPIPE.
 */
#pragma once

#include <jansson.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"
#include "vmm/api.h"
#include "base/loop.h"

enum {
	API_CLIENTS_MAX = 8,
	API_OUTPUT_MAX_BYTES = 1024 * 1024, /* replies and events that a client hasn't read yet */
};

struct api_server;

/**
 * api_server_open() - listen at @path and serve on @loop
 * @path: a dead process's socket there is replaced; a live one, or any other file, is an error
 * @loop: borrowed until api_server_close(), as are @ops and @vm
 *
 * Returns 0, or -errno with @why.
 */
MUST_CHECK int api_server_open(const char *path, struct loop *loop, const struct api_ops *ops,
			       void *vm, struct api_server **out, struct errmsg *why);

/* Disconnects everyone and removes the socket. NULL is fine. Not from inside an op. */
void api_server_close(struct api_server *server);

/* Sends {"event": @name, "data": @data} to who has subscribed. @data is borrowed. Also inside an op. */
void api_event(struct api_server *server, const char *name, const json_t *data);
