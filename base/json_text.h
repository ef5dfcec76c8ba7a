/*
 * JSON text from outside: read within bounds, and quoted in messages.
 *
 * At most JSON_TEXT_MAX_BYTES, nested at most JSON_TEXT_MAX_DEPTH deep, UTF-8, no key twice in an object,
 * no NUL in strings. Pure: no input, no output.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/compiler.h"
#include "lib/errmsg.h"

enum {
	JSON_TEXT_MAX_BYTES = 1024 * 1024,
	JSON_TEXT_MAX_DEPTH = 16,
	JSON_TEXT_QUOTE_BYTES = 64, /* a buffer that every quotation fits, cut short if need be */
};

/*
 * Objects are hash tables, and the library would read their seed from /dev/urandom. This takes it from
 * the random bytes that every process starts with. Call it before making an object by hand; again: no harm.
 */
void json_text_seed(void);

/**
 * json_text_parse() - turn @length bytes at @text into a value of any type
 * @origin: how messages begin: a file's name
 * @out:    a new reference
 *
 * Returns 0; -EINVAL, -E2BIG or -ENOMEM with @why: `web.json: line 3, column 7: ...`.
 */
MUST_CHECK int json_text_parse(const char *text, size_t length, const char *origin, json_t **out,
			       struct errmsg *why);

/* Copies what fits of @text, whole characters only, with '?' for control characters. Returns @out. */
const char *json_text_printable(const char *text, char *out, size_t out_size);

/* What a person sees of @value: 65, "abc", true, "an object". Returns @out. */
const char *json_text_quote(const json_t *value, char out[JSON_TEXT_QUOTE_BYTES]);

/* What a person calls the type of @value: "an integer". */
const char *json_text_type(const json_t *value);
