/*
 * A line that came from a VM's control socket, understood or refused. Pure.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

enum api_message_kind { API_RESULT, API_ERROR, API_EVENT };

/* Pointers lead into @line. */
struct api_message {
	json_t *line; /* owned */
	enum api_message_kind kind;
	json_int_t id;	      /* API_RESULT and API_ERROR */
	const json_t *result; /* API_RESULT: an object */
	const char *text;     /* API_ERROR: the message; API_EVENT: the event's name */
	const json_t *data;   /* API_EVENT: an object */
};

/* Returns 0 (api_message_destroy() is due), or -errno with @why. */
MUST_CHECK int api_message_parse(const char *text, size_t length, struct api_message *out,
				 struct errmsg *why);
void api_message_destroy(struct api_message *message);
