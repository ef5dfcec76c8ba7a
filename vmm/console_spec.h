/*
 * Where a console goes, as people write it: "stdio", "null", "file:PATH" or "unix:PATH".
 */
#pragma once

#include <stdbool.h>

#include "lib/compiler.h"

enum console_kind { CONSOLE_STDIO, CONSOLE_NULL, CONSOLE_FILE, CONSOLE_UNIX };

/* Completes "expected ...". */
#define CONSOLE_SPEC_EXPECTED "\"stdio\", \"null\", \"file:PATH\" or \"unix:PATH\""

struct console_spec {
	enum console_kind kind;
	const char *path; /* points into the text; NULL where the kind has none */
};

/* Returns false, with @spec as it was, if @text is none of them or a socket's path is too long. */
MUST_CHECK bool console_spec_parse(const char *text, struct console_spec *spec);

bool console_spec_is_valid(const char *text);
