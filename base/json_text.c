/*
 * JSON text from outside: see json_text.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/json_text.h"

void json_text_seed(void)
{
	const void *random_bytes = (const void *)getauxval(AT_RANDOM);
	size_t seed = 0;

	if (random_bytes)
		memcpy(&seed, random_bytes, sizeof(seed));
	json_object_seed(seed | 1); /* 0 would mean "find one yourself" */
}

/* The library recurses as deep as the text is nested, so the text is measured first. */
static bool is_too_deep(const char *text, size_t length)
{
	bool is_in_string = false;
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"')
			is_in_string = !is_in_string;
		else if (is_in_string)
			i += text[i] == '\\';
		else if (text[i] == '{' || text[i] == '[')
			depth++;
		else if (text[i] == '}' || text[i] == ']')
			depth--;
		if (depth > JSON_TEXT_MAX_DEPTH)
			return true;
	}
	return false;
}

int json_text_parse(const char *text, size_t length, const char *origin, json_t **out,
		    struct errmsg *why)
{
	char reason[JSON_ERROR_TEXT_LENGTH];
	json_error_t error;
	json_t *value;

	if (length > JSON_TEXT_MAX_BYTES)
		return errmsg_user(why, -E2BIG, "%s: expected at most %d bytes", origin,
				   JSON_TEXT_MAX_BYTES);
	if (is_too_deep(text, length))
		return errmsg_user(why, -E2BIG, "%s: expected at most %d levels of nesting", origin,
				   JSON_TEXT_MAX_DEPTH);

	json_text_seed();
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value) {
		*out = value;
		return 0;
	}
	if (json_error_code(&error) == json_error_out_of_memory)
		return errmsg_system(why, -ENOMEM, "%s: no memory to read it", origin);
	return errmsg_user(why, -EINVAL, "%s: line %d, column %d: %s", origin, error.line,
			   error.column, json_text_printable(error.text, reason, sizeof(reason)));
}

static bool continues_character(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80; /* UTF-8: 10xxxxxx */
}

static bool is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

const char *json_text_printable(const char *text, char *out, size_t out_size)
{
	size_t length = strlen(text);

	if (length > out_size - 1) {
		length = out_size - 1;
		while (length && continues_character(text[length]))
			length--;
	}
	for (size_t i = 0; i < length; i++)
		out[i] = is_control(text[i]) ? '?' : text[i];
	out[length] = '\0';
	return out;
}

static void quote_string(const char *text, char out[JSON_TEXT_QUOTE_BYTES])
{
	char shown[41];

	json_text_printable(text, shown, sizeof(shown));
	snprintf(out, JSON_TEXT_QUOTE_BYTES, "\"%s%s\"", shown,
		 strlen(text) < sizeof(shown) ? "" : "...");
}

const char *json_text_quote(const json_t *value, char out[JSON_TEXT_QUOTE_BYTES])
{
	if (json_is_string(value))
		quote_string(json_string_value(value), out);
	else if (json_is_integer(value))
		snprintf(out, JSON_TEXT_QUOTE_BYTES, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_real(value))
		snprintf(out, JSON_TEXT_QUOTE_BYTES, "%.10g", json_real_value(value));
	else
		snprintf(out, JSON_TEXT_QUOTE_BYTES, "%s", json_text_type(value));
	return out;
}

const char *json_text_type(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a fraction";
	case JSON_TRUE:
		return "true";
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}
